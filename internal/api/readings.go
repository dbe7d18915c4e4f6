package api

import (
	"context"
	"iter"
	"math"
	"math/bits"
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
	Step       string    `query:"step" enum:"raw,1m,15m,1h" default:"raw" doc:"raw: every reading as it was measured; else summed up in steps that begin at full minutes, quarters or hours UTC, each day UTC on its own"`
	Quantities []string  `query:"quantities" enum:"voltage,current,power,frequency,pf,energy_wh" doc:"separated by commas; all if absent"`
	Limit      int       `query:"limit" minimum:"1" maximum:"100000" default:"100000" doc:"readings on a page"`
}

type columns struct {
	T           []int64 `json:"t" doc:"Unix ms; with a step, when it begins"`
	Voltage     column  `json:"voltage,omitzero" doc:"V"`
	Current     column  `json:"current,omitzero" doc:"A"`
	Power       column  `json:"power,omitzero" doc:"W"`
	Frequency   column  `json:"frequency,omitzero" doc:"Hz"`
	PowerFactor column  `json:"pf,omitzero"`
	EnergyWh    column  `json:"energy_wh,omitzero" doc:"the meter's own register"`
	Next        string  `json:"next,omitempty" doc:"where the following page is; absent on the last"`

	VoltageMin     column `json:"voltage_min,omitzero" doc:"V; with a step the columns above are means by time, of energy_wh the last value"`
	VoltageMax     column `json:"voltage_max,omitzero" doc:"V"`
	CurrentMin     column `json:"current_min,omitzero" doc:"A"`
	CurrentMax     column `json:"current_max,omitzero" doc:"A"`
	PowerMin       column `json:"power_min,omitzero" doc:"W"`
	PowerMax       column `json:"power_max,omitzero" doc:"W"`
	FrequencyMin   column `json:"frequency_min,omitzero" doc:"Hz"`
	FrequencyMax   column `json:"frequency_max,omitzero" doc:"Hz"`
	PowerFactorMin column `json:"pf_min,omitzero"`
	PowerFactorMax column `json:"pf_max,omitzero"`
	Coverage       column `json:"coverage,omitzero" doc:"part of the step for which there are readings of these quantities, 0 to 1"`
}

// of returns the columns of a quantity: its values, minima and maxima.
func (c *columns) of(name string) (value, least, most *column) {
	switch name {
	case "voltage":
		return &c.Voltage, &c.VoltageMin, &c.VoltageMax
	case "current":
		return &c.Current, &c.CurrentMin, &c.CurrentMax
	case "power":
		return &c.Power, &c.PowerMin, &c.PowerMax
	case "frequency":
		return &c.Frequency, &c.FrequencyMin, &c.FrequencyMax
	case "pf":
		return &c.PowerFactor, &c.PowerFactorMin, &c.PowerFactorMax
	default: // a register only grows: its last value says it all
		return &c.EnergyWh, nil, nil
	}
}

var steps = map[string]smartmeter.Millis{"1m": 60_000, "15m": 900_000, "1h": 3_600_000}

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
	id, from, to := smartmeter.DeviceID(in.ID), smartmeter.InstantOf(in.From), smartmeter.InstantOf(in.To)
	if width, ok := steps[in.Step]; ok {
		c, err := showBuckets(a.hub.Buckets(ctx, id, bitsOf(in.Quantities), from, to, width), width, in.Quantities)
		if err != nil {
			return nil, a.fail(err)
		}
		return &body[columns]{c}, nil
	}
	page, err := a.hub.Readings(ctx, id, from, to, in.Limit)
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
	for q := range named(wanted) {
		values := make(column, 0, len(page.Readings))
		for i := range page.Readings {
			if r := &page.Readings[i]; r.Has.Has(q.bit) {
				values = append(values, q.value(r))
			} else {
				values = append(values, math.NaN())
			}
		}
		value, _, _ := c.of(q.name)
		*value = values
	}
	return c
}

// showBuckets takes buckets apart as they come: only the figures that are shown
// are held until the end.
func showBuckets(buckets iter.Seq2[smartmeter.Bucket, error], width smartmeter.Millis, wanted []string) (columns, error) {
	c := columns{T: []int64{}, Coverage: column{}}
	var shown []summed
	for q := range named(wanted) {
		shown = append(shown, c.summed(q))
	}
	for b, err := range buckets {
		if err != nil {
			return columns{}, err
		}
		c.T = append(c.T, int64(b.At))
		c.Coverage = append(c.Coverage, float64(b.Covered())/float64(width))
		for i := range shown {
			shown[i].add(&b)
		}
	}
	return c, nil
}

// summed is a quantity and the columns of its sums.
type summed struct {
	*quantity
	value, least, most *column // no extremes of a register
}

// summed makes the columns of a quantity, which are there even if they stay
// empty.
func (c *columns) summed(q *quantity) summed {
	value, least, most := c.of(q.name)
	for _, of := range []*column{value, least, most} {
		if of != nil {
			*of = column{}
		}
	}
	return summed{q, value, least, most}
}

// add appends what a bucket says of the quantity, in people's units.
func (s *summed) add(b *smartmeter.Bucket) {
	of := &b.Of[bits.TrailingZeros8(uint8(s.bit))]
	show := func(c *column, v float64) {
		if !of.Measured {
			v = math.NaN()
		}
		*c = append(*c, v/s.scale)
	}
	if s.least == nil {
		show(s.value, float64(of.Last))
		return
	}
	show(s.value, of.Mean())
	show(s.least, float64(of.Min))
	show(s.most, float64(of.Max))
}

// bitsOf returns the set of the quantities of these names, all if there are none.
func bitsOf(wanted []string) (set smartmeter.Quantities) {
	for q := range named(wanted) {
		set |= q.bit
	}
	return set
}

// named yields the quantities of these names, all if there are none.
func named(wanted []string) iter.Seq[*quantity] {
	return func(yield func(*quantity) bool) {
		for i := range quantities {
			q := &quantities[i]
			if (len(wanted) == 0 || slices.Contains(wanted, q.name)) && !yield(q) {
				return
			}
		}
	}
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
