package hub

import (
	"context"
	"iter"

	"github.com/iot-smart-meter/smartmeter"
)

// Bucket sums up what a device measured from At on for the width of a step.
type Bucket struct {
	At smartmeter.Instant
	// Of has the quantities in the order of smartmeter.Quantities' bits:
	// Voltage, Current, Power, Energy, Frequency, PowerFactor.
	Of [quantityCount]Summary
}

// Covered returns for how much of the bucket something was measured.
func (b *Bucket) Covered() (covered smartmeter.Millis) {
	for _, s := range b.Of {
		covered = max(covered, s.Covered)
	}
	return covered
}

// Summary is one quantity over a bucket, in the meter's units.
type Summary struct {
	Measured bool // the rest is 0 if not
	Min, Max int64
	// Mean is weighted by time: a value stands until the next one.
	Mean float64
	// Last is the newest value, which is what counts for a register.
	Last int64
	// Covered is for how much of the bucket there are values.
	Covered smartmeter.Millis

	weighted float64 // the sum of value times ms
}

const quantityCount = 6

// A value stands for the time until the next one, but not longer than this many
// times as long as the one before it did: what is missing is a gap, not the
// last value for ever.
const standsFor = 3

// maxBuckets bounds an answer.
const maxBuckets = 100_000

// Buckets returns what a device measured with from <= At < to, in steps of
// width, which begin at multiples of it since 1970 UTC. Steps without a value
// are left out.
func (h *Hub) Buckets(ctx context.Context, id smartmeter.DeviceID, from, to smartmeter.Instant, width smartmeter.Millis) ([]Bucket, error) {
	d, err := h.Device(id)
	if err != nil {
		return nil, err
	}
	if smartmeter.Millis(to-from)/width > maxBuckets {
		return nil, smartmeter.NewError(smartmeter.Invalid, "query.step", "gives more than 100000 values over this time; choose a longer step or a shorter time")
	}
	buckets, err := fold(h.store.Readings(ctx, d.Node, d.Channel, from, to), to, width)
	return buckets, unavailable(err)
}

// fold sums up readings that come oldest first, all before to.
func fold(readings iter.Seq2[smartmeter.Reading, error], to smartmeter.Instant, width smartmeter.Millis) ([]Bucket, error) {
	f := folder{width: smartmeter.Instant(width)}
	for r, err := range readings {
		if err != nil {
			return nil, err
		}
		for i, v := range values(&r.Measurement) {
			if r.Has.Has(smartmeter.Quantities(1 << i)) {
				f.add(i, r.At, v)
			}
		}
	}
	for i := range f.held { // the last one stands for as long as the one before it did
		f.stand(i, min(f.held[i].stood, to-f.held[i].at))
	}
	return f.buckets, nil
}

// folder builds buckets. Each quantity goes its own way, for some nodes send
// them apart: its last value is held back until it is known how long it stands.
type folder struct {
	width   smartmeter.Instant
	buckets []Bucket
	held    [quantityCount]standing
}

// standing is the value that a quantity has until the next one.
type standing struct {
	measured bool
	value    int64
	at       smartmeter.Instant
	stood    smartmeter.Instant // how long the one before it stood; 0 if not known
}

func (f *folder) add(i int, at smartmeter.Instant, value int64) {
	h := &f.held[i]
	if gap := at - h.at; h.measured && gap > 0 {
		longest := standsFor * h.stood
		if h.stood == 0 {
			longest = f.width
		}
		h.stood = min(gap, longest)
		f.stand(i, h.stood)
	}
	h.measured, h.value, h.at = true, value, at
	f.bucket(at).Of[i].note(value)
}

// stand lets the held value of a quantity stand for a time, in one bucket or
// several.
func (f *folder) stand(i int, time smartmeter.Instant) {
	h := f.held[i]
	for at, end := h.at, h.at+time; at < end; {
		b := f.bucket(at)
		next := min(end, b.At+f.width)
		b.Of[i].weigh(h.value, smartmeter.Millis(next-at))
		at = next
	}
}

// note takes what a value says at once.
func (s *Summary) note(v int64) {
	if !s.Measured {
		s.Measured, s.Min, s.Max, s.Mean = true, v, v, float64(v)
	}
	s.Min, s.Max, s.Last = min(s.Min, v), max(s.Max, v), v
}

// weigh takes a value that stands for a time, which may have begun in the
// bucket before.
func (s *Summary) weigh(v int64, time smartmeter.Millis) {
	if !s.Measured {
		s.note(v)
	}
	s.Min, s.Max = min(s.Min, v), max(s.Max, v)
	s.weighted += float64(v) * float64(time)
	s.Covered += time
	s.Mean = s.weighted / float64(s.Covered)
}

// bucket returns the bucket of an instant, one of the last or a new one.
func (f *folder) bucket(at smartmeter.Instant) *Bucket {
	begin := at - at%f.width
	for i := len(f.buckets) - 1; i >= 0 && f.buckets[i].At >= begin; i-- {
		if f.buckets[i].At == begin {
			return &f.buckets[i]
		}
	}
	return f.insert(begin)
}

// insert makes a bucket in its place: a value that stood for long may reach
// back to before what another quantity opened already.
func (f *folder) insert(begin smartmeter.Instant) *Bucket {
	f.buckets = append(f.buckets, Bucket{At: begin})
	i := len(f.buckets) - 1
	for ; i > 0 && f.buckets[i-1].At > begin; i-- {
		f.buckets[i-1], f.buckets[i] = f.buckets[i], f.buckets[i-1]
	}
	return &f.buckets[i]
}

func values(m *smartmeter.Measurement) [quantityCount]int64 {
	return [...]int64{int64(m.Voltage), int64(m.Current), int64(m.Power), int64(m.Energy), int64(m.Frequency), int64(m.PowerFactor)}
}
