package smartmeter

// Bucket sums up what a channel measured from At on for the width of a step.
type Bucket struct {
	At Instant
	// Of has the quantities in the order of their bits: Voltage, Current, Power,
	// Energy, Frequency, PowerFactor.
	Of [QuantityCount]Summary
}

// QuantityCount is how many quantities there are.
const QuantityCount = 6

// Covered returns for how much of the bucket something was measured.
func (b *Bucket) Covered() (covered Millis) {
	for i := range b.Of {
		covered = max(covered, b.Of[i].Covered)
	}
	return covered
}

// Measured returns the quantities of which there are values.
func (b *Bucket) Measured() (q Quantities) {
	for i := range b.Of {
		if b.Of[i].Measured {
			q |= 1 << i
		}
	}
	return q
}

// Join makes of two adjoining buckets one, which begins where b does.
func (b *Bucket) Join(later *Bucket) {
	for i := range b.Of {
		b.Of[i].Join(&later.Of[i])
	}
}

// Summary is what one quantity was over a bucket, as exact integers in the
// meter's units: summaries of quarters add up to that of the hour, to the last
// digit.
type Summary struct {
	Measured bool // the rest is 0 if not
	Min, Max int64
	// Last is the newest value, which is what counts for a register.
	Last int64
	// Weighted is the sum of each value times the milliseconds that it stood.
	// It is 0 for a register, whose mean says nothing.
	Weighted int64
	// Covered is for how much of the bucket there are values.
	Covered Millis
}

// Mean returns the mean weighted by time: a value stands until the next one.
// For a register it has no meaning.
func (s *Summary) Mean() float64 {
	if s.Covered == 0 {
		return float64(s.Last) // a value that stood for no time
	}
	return float64(s.Weighted) / float64(s.Covered)
}

// Join adds what the same quantity was later.
func (s *Summary) Join(later *Summary) {
	switch {
	case !later.Measured:
	case !s.Measured:
		*s = *later
	default:
		s.Min, s.Max, s.Last = min(s.Min, later.Min), max(s.Max, later.Max), later.Last
		s.Weighted += later.Weighted
		s.Covered += later.Covered
	}
}
