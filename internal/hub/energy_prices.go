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

// PriceList is what energy costs, as people write it. The store keeps it as it
// is here.
type PriceList struct {
	// Currency is its code by ISO 4217, like EUR.
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

// Prices returns what energy costs; an empty list if nobody has said so yet.
func (h *Hub) Prices(ctx context.Context) (PriceList, error) {
	text, err := h.store.Prices(ctx)
	if err != nil || text == nil {
		return PriceList{}, unavailable(err)
	}
	var list PriceList
	if err := json.Unmarshal(text, &list); err != nil {
		return PriceList{}, &smartmeter.Error{Code: smartmeter.Unavailable, Message: "the prices that were kept cannot be read; set them anew with PUT /api/v1/settings", Err: err}
	}
	return list, nil
}

// SetPrices says what energy costs, in place of what was said before. It returns
// when that is durable.
func (h *Hub) SetPrices(ctx context.Context, list PriceList) error {
	if _, err := list.tariff(); err != nil {
		return err
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err // strings only
	}
	h.correcting.Lock()
	defer h.correcting.Unlock()
	return unavailable(h.store.PutPrices(ctx, append(text, '\n')))
}

// tariff reads and checks a list.
func (l PriceList) tariff() (tariff.Tariff, error) {
	t := tariff.Tariff{Currency: l.Currency}
	for i, p := range l.Prices {
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

// site is where the hub is: prices begin at its midnights.
func site() *time.Location { return time.Local }

// tariffOf returns what energy costs, nothing where that cannot be read: energy is
// told all the same.
func (h *Hub) tariffOf(ctx context.Context) tariff.Tariff {
	list, err := h.Prices(ctx)
	t, wrong := list.tariff()
	if err = errors.Join(err, wrong); err != nil && ctx.Err() == nil {
		h.log.Warn("energy is told without its cost", "err", err)
		return tariff.Tariff{}
	}
	return t
}
