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
	col  [columns][]int64
	held [columns]int // how many readings have a value in the column
}

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
	t.noteHeld()
}

// noteHeld notes how many readings have a value in each column.
func (t *table) noteHeld() {
	var of [smartmeter.AllQuantities + 1]int
	for _, has := range t.col[colHas] {
		of[has&int64(smartmeter.AllQuantities)]++
	}
	for k := range columns {
		t.held[k] = 0
		for has, count := range of {
			if smartmeter.Quantities(has).Has(k.quantity()) {
				t.held[k] += count
			}
		}
	}
}
