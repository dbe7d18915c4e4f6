package hub

import (
	"context"
	"iter"

	"github.com/iot-smart-meter/smartmeter"
)

// Bucket sums up what a device measured from At on for the width of a step.
type Bucket struct {
	At smartmeter.Instant
	// Covered is for how much of the bucket there are readings.
	Covered smartmeter.Millis
	// Of has the quantities in the order of smartmeter.Quantities' bits: of
	// Voltage, Current, Power, Energy, Frequency, PowerFactor.
	Of [quantityCount]Summary
}

// Summary is one quantity over a bucket, in the meter's units.
type Summary struct {
	Measured bool // the rest is 0 if not
	Min, Max int64
	// Mean is weighted by time: a reading stands until the next one.
	Mean float64
	// Last is the newest value, which is what counts for a register.
	Last int64

	weighted float64 // the sum of value times ms
	weight   smartmeter.Millis
}

const quantityCount = 6

// A reading stands for the time until the next one, but not longer than this
// many times as long as the one before it did: what is missing is a gap, not
// the last value for ever.
const standsFor = 3

// maxBuckets bounds an answer.
const maxBuckets = 100_000

// Buckets returns what a device measured with from <= At < to, in steps of width,
// which begin at multiples of it since 1970 UTC. Steps without a reading are
// left out.
func (h *Hub) Buckets(ctx context.Context, id smartmeter.DeviceID, from, to smartmeter.Instant, width smartmeter.Millis) ([]Bucket, error) {
	d, err := h.Device(id)
	if err != nil {
		return nil, err
	}
	if smartmeter.Millis(to-from)/width > maxBuckets {
		return nil, smartmeter.NewError(smartmeter.Invalid, "query.step", "gives more than 100000 values over this time; choose a longer step or a shorter time")
	}
	buckets, err := fold(h.store.Readings(ctx, d.Node, d.Channel, from, to), width)
	return buckets, unavailable(err)
}

// fold sums up readings that come oldest first.
func fold(readings iter.Seq2[smartmeter.Reading, error], width smartmeter.Millis) ([]Bucket, error) {
	f := folder{width: smartmeter.Instant(width)}
	for r, err := range readings {
		if err != nil {
			return nil, err
		}
		f.add(r)
	}
	f.finish()
	return f.buckets, nil
}

// folder builds buckets, the last reading being held back until it is known how
// long it stands.
type folder struct {
	width   smartmeter.Instant
	buckets []Bucket
	held    smartmeter.Reading
	holds   bool
	stood   smartmeter.Instant // for how long the one before held stood; 0 if there was none
}

func (f *folder) add(r smartmeter.Reading) {
	if f.holds {
		f.stood = f.until(r.At - f.held.At)
		f.stand(f.stood)
	}
	f.held, f.holds = r, true
	f.note(r)
}

// finish lets the last reading stand for as long as the one before it did.
func (f *folder) finish() {
	if f.holds {
		f.stand(f.stood)
	}
}

// until returns how long the held reading stands, given the time to the next.
func (f *folder) until(gap smartmeter.Instant) smartmeter.Instant {
	if f.stood == 0 {
		return min(gap, f.width)
	}
	return min(gap, standsFor*f.stood)
}

// note takes what a reading says of its bucket at once.
func (f *folder) note(r smartmeter.Reading) {
	b := f.bucket(r.At)
	for i, v := range values(&r.Measurement) {
		s := &b.Of[i]
		if !r.Has.Has(smartmeter.Quantities(1 << i)) {
			continue
		}
		if !s.Measured {
			s.Measured, s.Min, s.Max, s.Mean = true, v, v, float64(v)
		}
		s.Min, s.Max, s.Last = min(s.Min, v), max(s.Max, v), v
	}
}

// stand lets the held reading stand for a time, in one bucket or several.
func (f *folder) stand(time smartmeter.Instant) {
	for at, end := f.held.At, f.held.At+time; at < end; {
		b := f.bucket(at)
		next := min(end, b.At+f.width)
		b.Covered += smartmeter.Millis(next - at)
		for i, v := range values(&f.held.Measurement) {
			if f.held.Has.Has(smartmeter.Quantities(1 << i)) {
				b.Of[i].weigh(v, smartmeter.Millis(next-at))
			}
		}
		at = next
	}
}

func (s *Summary) weigh(v int64, time smartmeter.Millis) {
	if !s.Measured { // it reaches into this bucket from the one before
		s.Measured, s.Min, s.Max, s.Last = true, v, v, v
	}
	s.weighted += float64(v) * float64(time)
	s.weight += time
	s.Mean = s.weighted / float64(s.weight)
}

// bucket returns the bucket of an instant, which is the last one or a new one.
func (f *folder) bucket(at smartmeter.Instant) *Bucket {
	begin := at - at%f.width
	if n := len(f.buckets); n == 0 || f.buckets[n-1].At < begin {
		f.buckets = append(f.buckets, Bucket{At: begin})
	}
	return &f.buckets[len(f.buckets)-1]
}

func values(m *smartmeter.Measurement) [quantityCount]int64 {
	return [...]int64{int64(m.Voltage), int64(m.Current), int64(m.Power), int64(m.Energy), int64(m.Frequency), int64(m.PowerFactor)}
}
