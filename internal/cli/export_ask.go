package cli

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// How the history is asked for: a part at a time, so that neither side needs to
// have all of it in memory.

// pageRows is how many readings a part has.
const pageRows = 20_000

// sumDays is how many days a part with steps has. Steps of readings begin anew at
// midnight UTC, so that parts of whole days are what one would get at once.
var sumDays = map[string]int{"1m": 7, "15m": 60, "1h": 180}

// readingsPage is a part of the hub's readings: columns of equal length, but for
// those of which there are none.
type readingsPage struct {
	T           []int64    `json:"t"`
	Voltage     []*float64 `json:"voltage"`
	Current     []*float64 `json:"current"`
	Power       []*float64 `json:"power"`
	Frequency   []*float64 `json:"frequency"`
	PowerFactor []*float64 `json:"pf"`
	EnergyWh    []*float64 `json:"energy_wh"`
	Next        string     `json:"next"`

	VoltageMin     []*float64 `json:"voltage_min"`
	VoltageMax     []*float64 `json:"voltage_max"`
	CurrentMin     []*float64 `json:"current_min"`
	CurrentMax     []*float64 `json:"current_max"`
	PowerMin       []*float64 `json:"power_min"`
	PowerMax       []*float64 `json:"power_max"`
	FrequencyMin   []*float64 `json:"frequency_min"`
	FrequencyMax   []*float64 `json:"frequency_max"`
	PowerFactorMin []*float64 `json:"pf_min"`
	PowerFactorMax []*float64 `json:"pf_max"`
	Coverage       []*float64 `json:"coverage"`
}

// cellOf returns a column's value of a row; nil if it is absent.
func cellOf(column []*float64, i int) *float64 {
	if i >= len(column) {
		return nil
	}
	return column[i]
}

// whole returns a register, which counts whole watt-hours.
func whole(v *float64) *int64 {
	if v == nil {
		return nil
	}
	n := int64(*v)
	return &n
}

func readingsPath(d *device, from, to time.Time, step string) string {
	query := url.Values{
		"from": {from.UTC().Format(time.RFC3339Nano)}, "to": {to.UTC().Format(time.RFC3339Nano)},
		"step": {step}, "limit": {strconv.Itoa(pageRows)},
	}
	return "/api/v1/devices/" + url.PathEscape(d.ID) + "/readings?" + query.Encode()
}

// readingsOf yields every reading of a device, page after page.
func (w *export) readingsOf(d *device, each func(readingRow) error) error {
	for path := readingsPath(d, w.from, w.to, "raw"); path != ""; {
		var p readingsPage
		if err := w.get(path, &p); err != nil {
			return err
		}
		for i, t := range p.T {
			err := each(readingRow{
				Device: d.ID, Name: d.Name, Time: t,
				Voltage: cellOf(p.Voltage, i), Current: cellOf(p.Current, i), Power: cellOf(p.Power, i),
				Energy: whole(cellOf(p.EnergyWh, i)), Frequency: cellOf(p.Frequency, i), PowerFactor: cellOf(p.PowerFactor, i),
			})
			if err != nil {
				return err
			}
		}
		if n := len(p.T); n > 0 {
			w.tell(time.UnixMilli(p.T[n-1]))
		}
		if p.Next == path || !strings.HasPrefix(p.Next, "/") && p.Next != "" {
			return w.c.stranger("a page that leads nowhere")
		}
		path = p.Next
	}
	return nil
}

// sumsOf yields what a device's readings add up to in steps, some days at a time.
func (w *export) sumsOf(d *device, each func(sumRow) error) error {
	for from := w.from; from.Before(w.to); {
		to := from.UTC().Truncate(24*time.Hour).AddDate(0, 0, sumDays[w.Step])
		if to.After(w.to) {
			to = w.to
		}
		var p readingsPage
		if err := w.get(readingsPath(d, from, to, w.Step), &p); err != nil {
			return err
		}
		for i, t := range p.T {
			if err := each(p.sums(d, i, t)); err != nil {
				return err
			}
		}
		from = to
		w.tell(from)
	}
	return nil
}

func (p *readingsPage) sums(d *device, i int, t int64) sumRow {
	return sumRow{
		Device: d.ID, Name: d.Name, Time: t,
		Voltage: cellOf(p.Voltage, i), VoltageMin: cellOf(p.VoltageMin, i), VoltageMax: cellOf(p.VoltageMax, i),
		Current: cellOf(p.Current, i), CurrentMin: cellOf(p.CurrentMin, i), CurrentMax: cellOf(p.CurrentMax, i),
		Power: cellOf(p.Power, i), PowerMin: cellOf(p.PowerMin, i), PowerMax: cellOf(p.PowerMax, i),
		Energy:    whole(cellOf(p.EnergyWh, i)),
		Frequency: cellOf(p.Frequency, i), FrequencyMin: cellOf(p.FrequencyMin, i), FrequencyMax: cellOf(p.FrequencyMax, i),
		PowerFactor: cellOf(p.PowerFactor, i), PowerFactorMin: cellOf(p.PowerFactorMin, i), PowerFactorMax: cellOf(p.PowerFactorMax, i),
		Coverage: cellOf(p.Coverage, i),
	}
}

// energySpan is how much energy is asked for at a time, by the width of a row.
// It is longer than a row.
var energySpan = map[string]time.Duration{
	"15m": 31 * 24 * time.Hour, "1h": 120 * 24 * time.Hour,
	"1d": 3000 * 24 * time.Hour, "1w": 3000 * 24 * time.Hour, "1mo": 3000 * 24 * time.Hour,
}

// energyOf yields a device's energy. The end of a part may cut a row: then the
// next part begins with it.
func (w *export) energyOf(d *device, each func(energyRow) error) error {
	for from := w.from; from.Before(w.to); {
		to := from.Add(energySpan[w.Step])
		last := !to.Before(w.to)
		if last {
			to = w.to
		}
		var used energy
		if err := w.get(w.energyPath(d, from, to), &used); err != nil {
			return err
		}
		if len(used.Devices) != 1 || len(used.Devices[0].Buckets) < 1 || !last && len(used.Devices[0].Buckets) < 2 {
			return w.c.stranger("an answer that tells no energy")
		}
		buckets := used.Devices[0].Buckets
		if !last {
			from = buckets[len(buckets)-1].From
			buckets = buckets[:len(buckets)-1]
		}
		for i := range buckets {
			if err := each(rowOfEnergy(d, used.Currency, &buckets[i])); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		w.tell(from)
	}
	return nil
}

func (w *export) energyPath(d *device, from, to time.Time) string {
	query := url.Values{
		"device": {d.ID}, "from": {from.Format(time.RFC3339Nano)}, "to": {to.Format(time.RFC3339Nano)}, "step": {w.Step},
	}
	if w.zone != "" {
		query.Set("tz", w.zone)
	}
	return "/api/v1/energy?" + query.Encode()
}
