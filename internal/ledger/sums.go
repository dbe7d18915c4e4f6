package ledger

import (
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// Sums are the energies of a channel's day as answers are made from them.
type Sums struct {
	Day      DayNumber
	Quarters [QuartersADay]Quarter
}

// Range is a run of days, both ends included.
type Range struct {
	First, Last DayNumber
}

// holds reports whether n lies in the range.
func (r Range) holds(n DayNumber) bool { return r.First <= n && n <= r.Last }

// Settle returns the sums of the days in of, in order, without those about
// which nothing is known. journal is the channel's.
//
// Energy of a day may be found out later: where there was a gap, a candidate, a
// correction. So days, in order, must have all that end in of.First or later
// and begin (see Day.Begins) in of.Last or before, and all from the first that
// one of those begins in. A period that was corrected must not be cut: see
// Widen.
func Settle(days []Day, journal []smartmeter.Correction, of Range) []Sums {
	b := newBook(days, of)
	decisions := Effective(journal)
	for i := range days {
		b.count(&days[i], decisions)
	}
	for _, c := range decisions {
		if c.Kind == smartmeter.CorrectSet {
			b.set(c)
		}
	}
	return slices.DeleteFunc(b.sums, func(s Sums) bool {
		return !slices.ContainsFunc(s.Quarters[:], func(q Quarter) bool { return q.Quality != 0 })
	})
}

// Widen returns the smallest range with all of r that cuts no corrected period.
func Widen(r Range, journal []smartmeter.Correction) Range {
	effective := Effective(journal)
	for again := true; again; {
		again = false
		for _, c := range effective {
			period := Range{DayOf(c.From), DayOf(c.To - 1)}
			if c.Kind != smartmeter.CorrectSet || period.Last < r.First || period.First > r.Last {
				continue
			}
			wider := Range{min(r.First, period.First), max(r.Last, period.Last)}
			again = again || wider != r
			r = wider
		}
	}
	return r
}

// book is the sums of a range in the making.
type book struct {
	days []Day
	of   Range
	sums []Sums
}

func newBook(days []Day, of Range) *book {
	b := &book{days: days, of: of}
	for n := of.First; n <= of.Last; n++ {
		b.sums = append(b.sums, Sums{Day: n})
	}
	return b
}

// count enters what a day has found out.
func (b *book) count(d *Day, decisions []smartmeter.Correction) {
	if b.of.holds(d.Number) {
		sums := &b.sums[d.Number-b.of.First]
		for i, q := range d.Quarters {
			sums.Quarters[i].Energy += q.Energy
			sums.Quarters[i].Quality |= q.Quality
		}
	}
	for i := range d.Spans {
		b.post(&d.Spans[i])
	}
	for i := range d.Findings {
		if found := &d.Findings[i]; found.Held > 0 {
			held := found.span(decisions)
			b.post(&held)
		}
	}
}

// span returns what the decisions make of held energy.
func (found *Finding) span(decisions []smartmeter.Correction) Span {
	s := spanBetween(found.From, found.To, found.Use, 0)
	s.Quality = smartmeter.EnergyQuarantined
	switch decisionOn(found, decisions) {
	case smartmeter.CorrectAccept:
		s.Energy, s.Quality = found.Held, smartmeter.EnergyCorrected
	case smartmeter.CorrectDiscard:
		s.Quality = smartmeter.EnergyCorrected
	}
	return s
}

// decisionOn returns the last decision about a finding; "" if there is none.
func decisionOn(found *Finding, decisions []smartmeter.Correction) smartmeter.CorrectionKind {
	for _, c := range slices.Backward(decisions) {
		decides := c.Kind == smartmeter.CorrectAccept || c.Kind == smartmeter.CorrectDiscard
		if decides && c.From == found.To.At {
			return c.Kind
		}
	}
	return ""
}

func (b *book) post(s *Span) {
	if DayOf(s.From.At) > b.of.Last || DayOf(s.To.At) < b.of.First {
		return
	}
	s.spread(b.power, func(q quarter, energy smartmeter.WattHour) {
		if at := b.at(q); at != nil {
			at.Energy += energy
			at.Quality |= s.Quality
		}
	})
}

// at returns where a quarter's sum is made, nil outside the range.
func (b *book) at(q quarter) *Quarter {
	n, i := q.day()
	if !b.of.holds(n) {
		return nil
	}
	return &b.sums[n-b.of.First].Quarters[i]
}

// power returns the power over a quarter; nothing for a day without a record.
func (b *book) power(q quarter) Use {
	n, i := q.day()
	at, found := slices.BinarySearchFunc(b.days, n, func(d Day, n DayNumber) int { return int(d.Number - n) })
	if !found {
		return Use{}
	}
	return b.days[at].Power[i]
}

// set makes a period's energy what a person says it was: in proportion to what
// was counted until now, or else to the power, or else to the time.
func (b *book) set(c smartmeter.Correction) {
	from, to := quarterOf(c.From), quarterOf(c.To)
	if b.at(from) == nil || b.at(to-1) == nil {
		return
	}
	weights, whole := b.weights(from, to)
	var part int64
	var posted smartmeter.WattHour
	for i, weight := range weights {
		part += weight
		counted := smartmeter.WattHour(share(int64(c.Energy), part, whole))
		at := b.at(from + quarter(i))
		*at = Quarter{counted - posted, smartmeter.EnergyCorrected}
		posted = counted
	}
}

// weights returns how a period's energy is to be dealt out, and their sum.
func (b *book) weights(from, to quarter) (weights []int64, whole int64) {
	for _, weigh := range []func(quarter) int64{
		func(q quarter) int64 { return int64(b.at(q).Energy) },
		func(q quarter) int64 { return b.power(q).Energy },
		func(quarter) int64 { return 1 },
	} {
		weights = weights[:0]
		for q := from; q < to; q++ {
			weights = append(weights, weigh(q))
			whole += weigh(q)
		}
		if whole > 0 {
			break
		}
	}
	return weights, whole
}
