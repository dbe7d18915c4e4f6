package api

import (
	"context"
	"errors"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// Settings are what people said about the site. It is exported as DevicePath is.
type Settings struct {
	Currency string  `json:"currency" maxLength:"3" doc:"by ISO 4217; empty while there are no prices" example:"EUR"`
	Prices   []price `json:"prices" maxItems:"200" nullable:"false" doc:"in the order of from; before the first one energy has no cost"`
}

type price struct {
	From   string `json:"from" maxLength:"10" doc:"first day of the site's calendar on which it holds" example:"2026-01-01"`
	PerKWh string `json:"per_kwh" maxLength:"20" doc:"what a kWh costs: a decimal with at most six digits after the point" example:"0.3199"`
}

func (a *api) getSettings(ctx context.Context, _ *struct{}) (*body[Settings], error) {
	list, err := a.hub.Prices(ctx)
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[Settings]{showSettings(list)}, nil
}

func showSettings(list hub.PriceList) Settings {
	s := Settings{Currency: list.Currency, Prices: []price{}}
	for _, p := range list.Prices {
		s.Prices = append(s.Prices, price(p))
	}
	return s
}

type settingsRequest struct{ Body Settings }

func (a *api) putSettings(ctx context.Context, in *settingsRequest) (*body[Settings], error) {
	list := hub.PriceList{Currency: in.Body.Currency}
	for _, p := range in.Body.Prices {
		list.Prices = append(list.Prices, hub.PriceFrom(p))
	}
	err := a.hub.SetPrices(ctx, list)
	if known, ok := errors.AsType[*smartmeter.Error](err); ok && known.Field != "" {
		err = &smartmeter.Error{Code: known.Code, Field: "body." + known.Field, Message: known.Message, Err: known.Err}
	}
	if err != nil {
		return nil, a.fail(err)
	}
	return &body[Settings]{showSettings(list)}, nil
}
