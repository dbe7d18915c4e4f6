package ledger

import (
	"slices"
	"sort"

	"github.com/iot-smart-meter/smartmeter"
)

// Day is what a UTC day of a channel came to. It stands for the day's readings
// in all that follows.
type Day struct {
	Number DayNumber
	// Power is the integral of power, by quarter hour.
	Power [QuartersADay]Use
	// Quarters is the energy of all spans that begin and end within the day.
	Quarters [QuartersADay]Quarter
	// Spans are those that end in the day and began before it.
	Spans []Span
	// Findings are the day's by when they were concluded.
	Findings []Finding
	// After is the state at the day's end.
	After State
}

// Quarter is the energy of a quarter hour.
type Quarter struct {
	Energy  smartmeter.WattHour
	Quality smartmeter.EnergyQuality
}

// Begins returns the first day whose energy this one has a say in: where its
// earliest span, or energy that it holds, begins.
func (d *Day) Begins() DayNumber {
	first := d.Number
	for i := range d.Spans {
		first = min(first, DayOf(d.Spans[i].From.At))
	}
	for i := range d.Findings {
		if d.Findings[i].Held > 0 {
			first = min(first, DayOf(d.Findings[i].From.At))
		}
	}
	return first
}

// Fold makes a day from what was said in it, in any order and any number of
// times, and from the state in which the day before ended; the zero State for
// the first. Entries of other days are ignored.
func Fold(before State, number DayNumber, entries []Entry) Day {
	f := NewFolder(before, number)
	for _, e := range sorted(entries) {
		f.Add(e)
	}
	return f.Day()
}

// Update returns a channel's days after what was said on one of them, changed,
// has become more or less. It makes that day anew, and those after it until one
// ends as it ended before. The days come in order; entries returns all that was
// said on one.
func Update(days []Day, changed DayNumber, entries func(DayNumber) ([]Entry, error)) ([]Day, error) {
	i := sort.Search(len(days), func(i int) bool { return days[i].Number >= changed })
	old := stateBefore(days, i)
	updated := slices.Clone(days[:i])
	said, err := entries(changed)
	if err != nil {
		return nil, err
	}
	if len(said) > 0 {
		updated = append(updated, Fold(old, changed, said))
	}
	if i < len(days) && days[i].Number == changed {
		old = days[i].After
		i++
	}
	for ; i < len(days) && stateBefore(updated, len(updated)) != old; i++ {
		said, err := entries(days[i].Number)
		if err != nil {
			return nil, err
		}
		old = days[i].After
		updated = append(updated, Fold(stateBefore(updated, len(updated)), days[i].Number, said))
	}
	return append(updated, days[i:]...), nil
}

// stateBefore returns the state in which days[i] begins.
func stateBefore(days []Day, i int) State {
	if i == 0 {
		return State{}
	}
	return days[i-1].After
}
