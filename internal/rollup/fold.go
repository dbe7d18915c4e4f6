package rollup

import (
	"errors"
	"iter"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	// standsFor is how many times as long as the one before it a value stands at
	// most.
	standsFor = 3
	// firstStands is for how long the first value of a day stands at most: long
	// enough for every node but a slow one, with which the rule of three catches
	// up after two or three samples.
	firstStands = smartmeter.Instant(3 * 60_000)
)

// errOrder is a mistake of whoever gives the readings.
var errOrder = errors.New("fold readings: they must come oldest first")

// Fold sums up the wanted quantities of the readings with from <= At < to,
// which come oldest first, in steps of width as a Folder has them. The buckets
// come oldest first; steps without a value are left out. No more than the steps
// of one day are in memory.
//
// It ends after the first error, which is that of the readings, or one that they
// are out of order.
func Fold(readings iter.Seq2[smartmeter.Reading, error], want smartmeter.Quantities, from, to smartmeter.Instant, width smartmeter.Millis) iter.Seq2[smartmeter.Bucket, error] {
	return func(yield func(smartmeter.Bucket, error) bool) {
		f := NewFolder(want, width)
		var day []smartmeter.Bucket
		flush := func() bool {
			day = f.AppendBuckets(day[:0], to)
			f.Reset()
			return yieldAll(day, yield)
		}
		newest := from
		for r, err := range readings {
			if err == nil && r.At < newest && r.At >= from {
				err = errOrder
			}
			if err != nil {
				yield(smartmeter.Bucket{}, err)
				return
			}
			if r.At < from || r.At >= to {
				continue
			}
			if Midnight(r.At) != Midnight(newest) && !flush() {
				return
			}
			newest = r.At
			f.Add(&r)
		}
		flush()
	}
}

func yieldAll(buckets []smartmeter.Bucket, yield func(smartmeter.Bucket, error) bool) bool {
	for i := range buckets {
		if !yield(buckets[i], nil) {
			return false
		}
	}
	return true
}

// Folder sums up one UTC day of one channel as its readings come in. Each
// quantity goes its own way, for some nodes send them apart.
type Folder struct {
	want  smartmeter.Quantities
	width smartmeter.Instant

	midnight smartmeter.Instant
	first    int // the step of the day which steps[0] is
	steps    []smartmeter.Bucket
	held     [smartmeter.QuantityCount]standing
}

// standing is the value that a quantity has until the next one: it is held back
// until it is known how long it stands.
type standing struct {
	measured bool
	value    int64
	at       smartmeter.Instant
	stood    smartmeter.Instant // how long the one before it stood; 0 if not known
}

// NewFolder returns a Folder for the wanted quantities, with steps that begin at
// midnight UTC and whenever width, which must be positive, has passed since. A
// step ends with the day: it is as wide as the rest if width divides a day.
func NewFolder(want smartmeter.Quantities, width smartmeter.Millis) *Folder {
	return &Folder{want: want, width: smartmeter.Instant(width)}
}

// Reset makes f ready for another day.
func (f *Folder) Reset() {
	f.steps = f.steps[:0]
	f.held = [smartmeter.QuantityCount]standing{}
}

// Add takes the day's next reading. It must be of the day of the first one
// since the Reset and not older than the one before.
func (f *Folder) Add(r *smartmeter.Reading) {
	has := r.Has & f.want
	if has == 0 {
		return
	}
	if len(f.steps) == 0 {
		f.midnight = Midnight(r.At)
		f.first = int(sinceMidnight(r.At) / f.width)
	}
	values := [smartmeter.QuantityCount]int64{int64(r.Voltage), int64(r.Current), int64(r.Power), int64(r.Energy), int64(r.Frequency), int64(r.PowerFactor)}
	for i, v := range values {
		if has.Has(1 << i) {
			f.add(i, r.At, v)
		}
	}
}

// add takes a value and lets the one before it stand until then.
func (f *Folder) add(i int, at smartmeter.Instant, value int64) {
	h := &f.held[i]
	if gap := at - h.at; h.measured && gap > 0 {
		longest := firstStands
		if h.stood > 0 {
			longest = standsFor * h.stood
		}
		h.stood = min(gap, longest)
		f.stand(i, h.at+h.stood)
	}
	h.measured, h.value, h.at = true, value, at
	note(&f.step(at).Of[i], value)
}

// stand lets the held value of a quantity stand until end, in one step or
// several.
func (f *Folder) stand(i int, end smartmeter.Instant) {
	h := f.held[i]
	for at := h.at; at < end; {
		b := f.step(at)
		next := min(end, b.At+f.width)
		weigh(&b.Of[i], i, h.value, smartmeter.Millis(next-at))
		at = next
	}
}

// step returns the step of an instant.
func (f *Folder) step(at smartmeter.Instant) *smartmeter.Bucket {
	n := int((at-f.midnight)/f.width) - f.first
	for len(f.steps) <= n {
		begin := f.midnight + smartmeter.Instant(f.first+len(f.steps))*f.width
		f.steps = append(f.steps, smartmeter.Bucket{At: begin})
	}
	return &f.steps[n]
}

// note takes what a value says at once.
func note(s *smartmeter.Summary, v int64) {
	if !s.Measured {
		s.Measured, s.Min, s.Max = true, v, v
	}
	s.Min, s.Max, s.Last = min(s.Min, v), max(s.Max, v), v
}

// weigh takes a value that stands for a time, which may have begun in the step
// before. It is the newest so far.
func weigh(s *smartmeter.Summary, i int, v int64, time smartmeter.Millis) {
	note(s, v)
	if i != register {
		s.Weighted += v * int64(time)
	}
	s.Covered += time
}

// register is the bit of Energy. A register is not weighed.
const register = 3

// AppendBuckets appends what the readings so far add up to, oldest first, and
// returns the extended slice. The last values stand for as long as those before
// them did, but neither past midnight nor until or beyond. f goes on from where
// it was: one may ask in the midst of a day.
func (f *Folder) AppendBuckets(dst []smartmeter.Bucket, until smartmeter.Instant) []smartmeter.Bucket {
	if len(f.steps) == 0 {
		return dst
	}
	until = min(until, f.midnight+smartmeter.Instant(Day))
	last := *f
	last.steps = append([]smartmeter.Bucket(nil), f.steps...)
	for i, h := range last.held {
		if h.measured {
			last.stand(i, min(h.at+h.stood, until))
		}
	}
	for i := range last.steps {
		if last.steps[i].Measured() != 0 {
			dst = append(dst, last.steps[i])
		}
	}
	return dst
}
