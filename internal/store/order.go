package store

import (
	"cmp"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// inOrder sorts a channel's readings by time and keeps each once: of two with
// the same time, boot and number the one that came first stays, and a node that
// does not number its samples has its quantities gathered, for it may measure
// them apart. It works in place.
func inOrder(readings []smartmeter.Reading) []smartmeter.Reading {
	if !slices.IsSortedFunc(readings, byTime) {
		slices.SortStableFunc(readings, byTime)
	}
	kept := readings[:0]
	for i := range readings {
		r := &readings[i]
		if n := len(kept); n > 0 && byTime(kept[n-1], *r) == 0 {
			if r.Seq == 0 {
				merge(&kept[n-1].Measurement, &r.Measurement)
			}
			continue
		}
		kept = append(kept, *r)
	}
	return kept
}

func byTime(x, y smartmeter.Reading) int {
	return cmp.Or(cmp.Compare(x.At, y.At), cmp.Compare(x.Boot, y.Boot), cmp.Compare(x.Seq, y.Seq))
}

// merge adds to m what only more has measured.
func merge(m, more *smartmeter.Measurement) {
	missing := more.Has &^ m.Has
	m.Has |= missing
	if missing.Has(smartmeter.Voltage) {
		m.Voltage = more.Voltage
	}
	if missing.Has(smartmeter.Current) {
		m.Current = more.Current
	}
	if missing.Has(smartmeter.Power) {
		m.Power = more.Power
	}
	if missing.Has(smartmeter.Energy) {
		m.Energy = more.Energy
	}
	if missing.Has(smartmeter.Frequency) {
		m.Frequency = more.Frequency
	}
	if missing.Has(smartmeter.PowerFactor) {
		m.PowerFactor = more.PowerFactor
	}
}
