package api

import (
	"context"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// Without from and to one gets the last hour.
const defaultRange = time.Hour

// ahead is how far a node's clock may place a reading into our future.
const ahead = 5 * time.Second

type readingsRequest struct {
	DevicePath
	From       time.Time `query:"from" doc:"first instant, included; an hour before to if absent"`
	To         time.Time `query:"to" doc:"last instant, excluded; the newest reading if absent"`
	Step       string    `query:"step" enum:"raw" default:"raw" doc:"every reading as it was measured"`
	Quantities []string  `query:"quantities" enum:"voltage,current,power,frequency,pf,energy_wh" doc:"separated by commas; all if absent"`
	Limit      int       `query:"limit" minimum:"1" maximum:"100000" default:"100000" doc:"readings on a page"`
}

type columns struct {
	T           []int64 `json:"t" doc:"Unix ms"`
	Voltage     column  `json:"voltage,omitzero" doc:"V"`
	Current     column  `json:"current,omitzero" doc:"A"`
	Power       column  `json:"power,omitzero" doc:"W"`
	Frequency   column  `json:"frequency,omitzero" doc:"Hz"`
	PowerFactor column  `json:"pf,omitzero"`
	EnergyWh    column  `json:"energy_wh,omitzero" doc:"the meter's own register"`
	Next        string  `json:"next,omitempty" doc:"where the following page is; absent on the last"`
}

// of returns the column of a quantity.
func (c *columns) of(name string) *column {
	return map[string]*column{
		"voltage": &c.Voltage, "current": &c.Current, "power": &c.Power,
		"frequency": &c.Frequency, "pf": &c.PowerFactor, "energy_wh": &c.EnergyWh,
	}[name]
}

func (a *api) listReadings(ctx context.Context, in *readingsRequest) (*body[columns], error) {
	if in.To.IsZero() {
		in.To = time.Now().Add(ahead)
	}
	if in.From.IsZero() {
		in.From = in.To.Add(-defaultRange)
	}
	if in.From.After(in.To) {
		return nil, a.fail(smartmeter.NewError(smartmeter.Invalid, "query.from", "must not be after to"))
	}
	page, err := a.hub.Readings(ctx, smartmeter.DeviceID(in.ID), smartmeter.InstantOf(in.From), smartmeter.InstantOf(in.To), in.Limit)
	if err != nil {
		return nil, a.fail(err)
	}
	c := showReadings(page, in.Quantities)
	if page.Next != 0 {
		c.Next = in.following(page.Next)
	}
	return &body[columns]{c}, nil
}

func showReadings(page hub.Page, wanted []string) columns {
	c := columns{T: make([]int64, 0, len(page.Readings))}
	for _, r := range page.Readings {
		c.T = append(c.T, int64(r.At))
	}
	for _, q := range quantities {
		if len(wanted) > 0 && !slices.Contains(wanted, q.name) {
			continue
		}
		values := make(column, 0, len(page.Readings))
		for i := range page.Readings {
			if r := &page.Readings[i]; r.Has.Has(q.bit) {
				values = append(values, q.value(r))
			} else {
				values = append(values, math.NaN())
			}
		}
		*c.of(q.name) = values
	}
	return c
}

// following returns the address of the page that begins at next.
func (in *readingsRequest) following(next smartmeter.Instant) string {
	query := url.Values{
		"from":  {next.Time().Format(time.RFC3339Nano)},
		"to":    {in.To.UTC().Format(time.RFC3339Nano)},
		"limit": {strconv.Itoa(in.Limit)},
	}
	if len(in.Quantities) > 0 {
		query.Set("quantities", strings.Join(in.Quantities, ","))
	}
	return "/api/v1/devices/" + url.PathEscape(in.ID) + "/readings?" + query.Encode()
}
