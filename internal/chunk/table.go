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

// quantities are what the columns hold; 0 for those which tell what and when a
// reading is.
var quantities = [columns]smartmeter.Quantities{
	colVoltage:     smartmeter.Voltage,
	colPower:       smartmeter.Power,
	colCurrent:     smartmeter.Current,
	colPowerFactor: smartmeter.PowerFactor,
	colEnergy:      smartmeter.Energy,
	colFrequency:   smartmeter.Frequency,
}

func (k column) quantity() smartmeter.Quantities { return quantities[k] }

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
type table struct{ col [columns][]int64 }

// make makes room for n values in column k.
func (t *table) make(k column, n int) { t.col[k] = slices.Grow(t.col[k][:0], n)[:n] }

// fill takes over the readings; times count from midnight.
func (t *table) fill(readings []smartmeter.Reading, midnight smartmeter.Instant) {
	for k := range columns {
		t.make(k, len(readings))
	}
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
	at, timing, boot := t.col[colTime], t.col[colTiming], t.col[colBoot]
	dst = slices.Grow(dst, len(at))[:len(at)]
	for i := range dst {
		r := &dst[i]
		has := smartmeter.Quantities(t.col[colHas][i]) & want
		r.Node, r.Channel = "", 0
		r.At = midnight + smartmeter.Instant(at[i])
		r.Timing = smartmeter.Timing(timing[i])
		r.Boot = smartmeter.BootID(boot[i])
		r.Seq = uint32(t.col[colSeq][i])
		r.Has = has
		r.Voltage = smartmeter.Decivolt(t.value(colVoltage, i, has))
		r.Current = smartmeter.Milliamp(t.value(colCurrent, i, has))
		r.Power = smartmeter.Deciwatt(t.value(colPower, i, has))
		r.Energy = smartmeter.WattHour(t.value(colEnergy, i, has))
		r.Frequency = smartmeter.Decihertz(t.value(colFrequency, i, has))
		r.PowerFactor = smartmeter.Hundredth(t.value(colPowerFactor, i, has))
	}
	return dst
}

// value returns what a column holds for reading i, 0 if it is not among what
// the reading has.
func (t *table) value(k column, i int, has smartmeter.Quantities) int64 {
	if has&k.quantity() == 0 {
		return 0
	}
	return t.col[k][i]
}
