package chunk

import (
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// column is one of the columns of a table, in the order in which they are kept:
// each comes after those which it is predicted from.
type column int

const (
	colTiming column = iota
	colBoot
	colSeq
	colTime
	colHas
	colVoltage
	colPower
	colCurrent
	colPowerFactor
	colEnergy
	colFrequency
	columns
)

var columnNames = [columns]string{
	"timing", "boot", "sequence", "time", "presence",
	"voltage", "power", "current", "power factor", "energy", "frequency",
}

func (k column) String() string { return columnNames[k] }

// quantity returns the quantity that a column holds, 0 for those which tell
// what and when a reading is.
func (k column) quantity() smartmeter.Quantities {
	switch k {
	case colVoltage:
		return smartmeter.Voltage
	case colPower:
		return smartmeter.Power
	case colCurrent:
		return smartmeter.Current
	case colPowerFactor:
		return smartmeter.PowerFactor
	case colEnergy:
		return smartmeter.Energy
	case colFrequency:
		return smartmeter.Frequency
	default:
		return 0
	}
}

// columnSet is a set of columns, one bit each.
type columnSet uint16

const allColumns columnSet = 1<<columns - 1

func (s columnSet) has(k column) bool { return s>>k&1 != 0 }

// columnsOf returns the columns of the quantities, with those which every
// reading needs.
func columnsOf(q smartmeter.Quantities) columnSet {
	var s columnSet
	for k := range columns {
		if k.quantity() == 0 || q.Has(k.quantity()) {
			s |= 1 << k
		}
	}
	return s
}

// table is a day's readings, turned by a quarter. Where a reading lacks a
// quantity, its column repeats the value before.
type table struct {
	n   int
	col [columns][]int64
}

func (t *table) resize(n int) {
	t.n = n
	for k := range t.col {
		t.col[k] = slices.Grow(t.col[k][:0], n)[:n]
	}
}

// fill takes over the readings; times count from midnight.
func (t *table) fill(readings []smartmeter.Reading, midnight smartmeter.Instant) {
	t.resize(len(readings))
	for i := range readings {
		r := &readings[i]
		t.col[colTiming][i] = int64(r.Timing)
		t.col[colBoot][i] = int64(r.Boot)
		t.col[colSeq][i] = int64(r.Seq)
		t.col[colTime][i] = int64(r.At - midnight)
		t.col[colHas][i] = int64(r.Has)
		t.col[colVoltage][i] = int64(r.Voltage)
		t.col[colPower][i] = int64(r.Power)
		t.col[colCurrent][i] = int64(r.Current)
		t.col[colPowerFactor][i] = int64(r.PowerFactor)
		t.col[colEnergy][i] = int64(r.Energy)
		t.col[colFrequency][i] = int64(r.Frequency)
	}
}

// readings appends what fill took over, as far as it is wanted.
func (t *table) readings(dst []smartmeter.Reading, midnight smartmeter.Instant, want smartmeter.Quantities) []smartmeter.Reading {
	dst = slices.Grow(dst, t.n)[:t.n]
	for i := range dst {
		r := &dst[i]
		*r = smartmeter.Reading{
			At:     midnight + smartmeter.Instant(t.col[colTime][i]),
			Timing: smartmeter.Timing(t.col[colTiming][i]),
			Boot:   smartmeter.BootID(t.col[colBoot][i]),
			Seq:    uint32(t.col[colSeq][i]),
		}
		all := smartmeter.Measurement{
			Has:         smartmeter.Quantities(t.col[colHas][i]) & want,
			Voltage:     smartmeter.Decivolt(t.col[colVoltage][i]),
			Current:     smartmeter.Milliamp(t.col[colCurrent][i]),
			Power:       smartmeter.Deciwatt(t.col[colPower][i]),
			Energy:      smartmeter.WattHour(t.col[colEnergy][i]),
			Frequency:   smartmeter.Decihertz(t.col[colFrequency][i]),
			PowerFactor: smartmeter.Hundredth(t.col[colPowerFactor][i]),
		}
		r.Measurement = measured(all)
	}
	return dst
}
