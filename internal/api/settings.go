package api

import (
	"context"

	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// settings are what people said about the site.
type settings struct {
	Zone     string  `json:"zone" doc:"IANA time zone of days, weeks and months and of the dates of prices; empty: that of the hub's machine" example:"Europe/Berlin"`
	Currency string  `json:"currency" doc:"by ISO 4217; empty while there are no prices" example:"EUR"`
	Prices   []price `json:"prices" nullable:"false" doc:"in the order of from; before the first one energy has no cost"`
}

type price struct {
	From   string `json:"from" maxLength:"10" doc:"first day of the site's calendar on which it holds" example:"2026-01-01"`
	PerKWh string `json:"per_kwh" maxLength:"20" doc:"what a kWh costs: a decimal with at most six digits after the point" example:"0.3199"`
}

func (a *api) getSettings(ctx context.Context, _ *struct{}) (*body[settings], error) {
	kept, err := a.hub.Settings(ctx)
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[settings]{showSettings(kept)}, nil
}

func showSettings(kept hub.Settings) settings {
	s := settings{Zone: kept.Zone, Currency: kept.Currency, Prices: []price{}}
	for _, p := range kept.Prices {
		s.Prices = append(s.Prices, price(p))
	}
	return s
}

type settingsRequest struct {
	Body struct {
		Zone     *string `json:"zone,omitempty" maxLength:"64" doc:"as told by GET; absent: as it is" example:"Europe/Berlin"`
		Currency *string `json:"currency,omitempty" maxLength:"3" doc:"as told by GET; absent: as it is" example:"EUR"`
		Prices   []price `json:"prices,omitempty" maxItems:"200" nullable:"false" doc:"all of them; absent: as they are"`
	}
}

func (a *api) putSettings(ctx context.Context, in *settingsRequest) (*body[settings], error) {
	change := hub.SettingsChange{Zone: in.Body.Zone, Currency: in.Body.Currency}
	if in.Body.Prices != nil {
		change.Prices = make([]hub.PriceFrom, 0, len(in.Body.Prices))
	}
	for _, p := range in.Body.Prices {
		change.Prices = append(change.Prices, hub.PriceFrom(p))
	}
	kept, err := a.hub.ChangeSettings(ctx, change)
	if err != nil {
		return nil, a.fail(inBody(err))
	}
	return &body[settings]{showSettings(kept)}, nil
}
