package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/tariff"
)

// Settings are what people said about the site. The store keeps them as they are
// here.
type Settings struct {
	// Zone is the IANA time zone of days, weeks and months, and of the dates of
	// prices; "" for that of the hub's machine.
	Zone string `json:"zone,omitempty"`
	// Currency is its code by ISO 4217, like EUR; "" while there are no prices.
	Currency string `json:"currency"`
	// Prices are in the order of From; before the first one energy has none.
	Prices []PriceFrom `json:"prices"`
}

// PriceFrom is what a kWh costs from a date of the site on, as decimals like
// 0.3199 and dates like 2026-11-01.
type PriceFrom struct {
	From   string `json:"from"`
	PerKWh string `json:"per_kwh"`
}

// SettingsChange is what a person says anew about the site; nil leaves as it is.
type SettingsChange struct {
	Zone, Currency *string
	Prices         []PriceFrom
}

// errDamaged says that settings were kept, and nobody can read them any more.
var errDamaged = errors.New("the settings that were kept cannot be read; set them anew with PUT /api/v1/settings")

// Settings returns what people said about the site.
func (h *Hub) Settings(ctx context.Context) (Settings, error) {
	var s Settings
	text, err := h.store.Settings(ctx)
	if err != nil || text == nil {
		return s, unavailable(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return Settings{}, &smartmeter.Error{Code: smartmeter.Unavailable, Message: errDamaged.Error(), Err: errors.Join(errDamaged, err)}
	}
	return s, nil
}

// ChangeSettings takes over what a person says about the site, all of it or
// nothing, and returns what holds then, once that is durable.
func (h *Hub) ChangeSettings(ctx context.Context, change SettingsChange) (Settings, error) {
	h.correcting.Lock()
	defer h.correcting.Unlock()
	s, err := h.Settings(ctx)
	if err != nil && !errors.Is(err, errDamaged) {
		return s, err
	}
	if change.Zone != nil {
		s.Zone = *change.Zone
	}
	if change.Currency != nil {
		s.Currency = *change.Currency
	}
	if change.Prices != nil {
		s.Prices = change.Prices
	}
	if err := s.check(); err != nil {
		return s, err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return s, err // strings only
	}
	return s, unavailable(h.store.PutSettings(ctx, append(text, '\n')))
}

func (s *Settings) check() error {
	if _, err := s.location(); err != nil {
		return err
	}
	_, err := s.tariff()
	return err
}

// location returns the zone of the site.
func (s *Settings) location() (*time.Location, error) {
	if s.Zone == "" {
		return time.Local, nil
	}
	zone, err := ParseZone(s.Zone)
	if err != nil {
		return nil, smartmeter.NewError(smartmeter.Invalid, "zone", err.Error())
	}
	return zone, nil
}

// ParseZone returns a time zone by its IANA name.
func ParseZone(name string) (*time.Location, error) {
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return nil, errors.New("is no time zone; name one as the IANA does, like Europe/Berlin")
	}
	return zone, nil
}

// Zone returns whose days, weeks and months are told unless somebody asks for
// those of another zone.
func (h *Hub) Zone(ctx context.Context) (*time.Location, error) {
	s, err := h.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return s.location()
}

// tariff reads and checks what energy costs.
func (s *Settings) tariff() (tariff.Tariff, error) {
	t := tariff.Tariff{Currency: s.Currency}
	for i, p := range s.Prices {
		invalid := func(field string, err error) error {
			return smartmeter.NewError(smartmeter.Invalid, fmt.Sprintf("prices[%d].%s", i, field), err.Error())
		}
		from, err := tariff.ParseDate(p.From)
		if err != nil {
			return t, invalid("from", err)
		}
		perKWh, err := tariff.ParseMicro(p.PerKWh)
		if err != nil {
			return t, invalid("per_kwh", err)
		}
		t.Prices = append(t.Prices, tariff.Price{From: from, PerKWh: perKWh})
	}
	return t, t.Check()
}

// prices returns what energy costs, and in whose days prices begin; nothing where
// that cannot be read: energy is told all the same.
func (h *Hub) prices(ctx context.Context) (tariff.Tariff, *time.Location) {
	s, err := h.Settings(ctx)
	t, wrong := s.tariff()
	zone, unknown := s.location()
	if err = errors.Join(err, wrong, unknown); err != nil {
		if ctx.Err() == nil {
			h.log.Warn("energy is told without its cost", "err", err)
		}
		return tariff.Tariff{}, time.UTC
	}
	return t, zone
}
