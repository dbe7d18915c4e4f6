package ledger

import (
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// Folder makes a Day, entry by entry, as they come in.
type Folder struct {
	day   Day
	state *State // day.After

	last  Entry
	begun bool // last is there

	until     smartmeter.Instant // power is summed up until here
	powered   bool               // there was a sample of power today
	power     smartmeter.Deciwatt
	poweredAt smartmeter.Instant
}

// NewFolder begins a day in the state in which the day before ended.
func NewFolder(before State, number DayNumber) *Folder {
	f := &Folder{day: Day{Number: number, After: before}, until: number.Start()}
	f.state = &f.day.After
	return f
}

// Add takes the next entry, or one that it has just taken, and reports whether
// it could. An entry that is late needs a new Fold of the day's entries; one of
// another day is not for this Folder.
func (f *Folder) Add(e Entry) bool {
	if DayOf(e.At) != f.day.Number {
		return false
	}
	if f.begun {
		if order := e.Compare(f.last); order <= 0 {
			return order == 0
		}
	}
	f.last, f.begun = e, true
	f.integrate(e.At)
	switch {
	case e.Kind == Declared:
		f.state.Declared = Declaration{At: e.At, Start: e.Register, StartKnown: e.HasRegister}
		return true
	case e.Kind == Announced:
		f.state.Announced = e.At
		return true
	case e.HasRegister:
		f.read(Point{At: e.At, Register: e.Register, Before: *f.powerOf(quarterOf(e.At))})
	}
	if e.HasPower {
		f.powered, f.power, f.poweredAt = true, e.Power, e.At
	}
	return true
}

// State returns the state after the entries so far.
func (f *Folder) State() State { return f.day.After }

// Day returns the day as it is after the entries so far. It shares nothing with
// the Folder.
func (f *Folder) Day() Day {
	d := f.day
	d.Spans = slices.Clone(d.Spans)
	d.Findings = slices.Clone(d.Findings)
	return d
}

func (f *Folder) powerOf(q quarter) *Use {
	return &f.day.Power[q-f.day.Number.firstQuarter()]
}

// post enters a span: into the day's quarters where it lies within the day.
func (f *Folder) post(s Span) {
	if DayOf(s.From.At) != f.day.Number {
		f.day.Spans = append(f.day.Spans, s)
		return
	}
	s.spread(func(q quarter) Use { return *f.powerOf(q) }, func(q quarter, energy smartmeter.WattHour) {
		at := &f.day.Quarters[q-f.day.Number.firstQuarter()]
		at.Energy += energy
		at.Quality |= s.Quality
	})
}
