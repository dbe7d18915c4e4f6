package ledger

import (
	"math/bits"

	"github.com/iot-smart-meter/smartmeter"
)

// Span is the energy between two points of a register.
type Span struct {
	From, To Point
	// Use is the power between them.
	Use     Use
	Energy  smartmeter.WattHour
	Quality smartmeter.EnergyQuality
}

func spanBetween(from, to Point, use Use, energy smartmeter.WattHour) Span {
	s := Span{From: from, To: to, Use: use, Energy: energy, Quality: smartmeter.EnergyMeasured}
	if to.At-from.At > gapFrom {
		s.Quality = smartmeter.EnergyInterpolated
	}
	return s
}

// spread deals the energy out to the quarter hours that the span touches: what
// the register would have shown at each edge between them, floored, and the
// differences of that. power returns the integral over a whole quarter hour.
func (s *Span) spread(power func(quarter) Use, post func(quarter, smartmeter.WattHour)) {
	q, last := quarterOf(s.From.At), quarterOf(s.To.At)
	until := Use{}.minus(s.From.Before) // power from From to the edge
	var posted smartmeter.WattHour
	for ; q < last; q++ {
		until = until.plus(power(q))
		atEdge := s.countedAt(startOf(q+1)-s.From.At, until)
		post(q, atEdge-posted)
		posted = atEdge
	}
	if rest := s.Energy - posted; rest != 0 || s.To.At > startOf(last) || s.From.At == s.To.At {
		post(last, rest)
	}
}

// countedAt returns the energy of the span's first part, floored: by the power
// as far as there are samples, where they are missing by what they leave, at
// even power. Where they leave nothing, all follows the samples; without any,
// the time.
func (s *Span) countedAt(elapsed smartmeter.Instant, until Use) smartmeter.WattHour {
	length := s.To.At - s.From.At
	gap := int64(length) - int64(s.Use.Covered)
	left := int64(s.Energy)*perWattHour - s.Use.Energy
	switch {
	case gap > 0 && left >= 0:
		return wattHours(until.Energy + share(left, int64(elapsed)-int64(until.Covered), gap))
	case s.Use.Energy > 0:
		return smartmeter.WattHour(share(int64(s.Energy), until.Energy, s.Use.Energy))
	default:
		return smartmeter.WattHour(share(int64(s.Energy), int64(elapsed), int64(length)))
	}
}

// share returns amount*part/whole, floored, for 0 <= part <= whole and
// 0 <= amount; all of it for a part beyond the whole.
func share(amount, part, whole int64) int64 {
	if part >= whole {
		return amount
	}
	if part <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(amount), uint64(part))
	q, _ := bits.Div64(hi, lo, uint64(whole))
	return int64(q)
}
