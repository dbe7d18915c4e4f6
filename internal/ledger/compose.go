package ledger

import (
	"sort"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Composer adds up the sums of days to buckets. It may be given the sums of
// several channels, to add them, and of days in any order.
type Composer struct {
	buckets []smartmeter.EnergyBucket
	known   []smartmeter.Millis
}

// maxBuckets bounds an answer.
const maxBuckets = 100_000

// NewComposer makes empty buckets from from to before to, in steps of a zone's
// time. Both are taken down to quarter hours of UTC; the first and the last
// bucket may be cut by them.
func NewComposer(from, to smartmeter.Instant, step Step, zone *time.Location) (*Composer, error) {
	from, to = startOf(quarterOf(from)), startOf(quarterOf(to))
	if from >= to {
		return nil, smartmeter.NewError(smartmeter.Invalid, "to", "must be at least a quarter hour after from")
	}
	c := &Composer{}
	for from < to {
		if len(c.buckets) == maxBuckets {
			return nil, smartmeter.NewError(smartmeter.Invalid, "step", "gives more than 100000 buckets over this time; choose a longer step or a shorter time")
		}
		end := min(to, step.after(from, zone))
		c.buckets = append(c.buckets, smartmeter.EnergyBucket{From: from, To: end})
		from = end
	}
	c.known = make([]smartmeter.Millis, len(c.buckets))
	return c, nil
}

// Add adds a day's sums.
func (c *Composer) Add(s *Sums) { c.AddBetween(s, s.Day.Start(), (s.Day + 1).Start()) }

// AddBetween adds the part of a day's sums that lies in from <= t < to, which
// are taken down to quarter hours: what a device had of a channel.
func (c *Composer) AddBetween(s *Sums, from, to smartmeter.Instant) {
	first := s.Day.firstQuarter()
	from = max(from, s.Day.Start(), c.buckets[0].From)
	to = min(to, (s.Day + 1).Start(), c.buckets[len(c.buckets)-1].To)
	q, end := quarterOf(from), quarterOf(to)
	i := sort.Search(len(c.buckets), func(i int) bool { return c.buckets[i].To > startOf(q) })
	for ; q < end; q++ {
		for c.buckets[i].To <= startOf(q) {
			i++
		}
		sum := &s.Quarters[q-first]
		if sum.Quality == 0 {
			continue
		}
		c.buckets[i].Energy += sum.Energy
		c.buckets[i].Quality |= sum.Quality
		c.known[i] += smartmeter.Millis(quarterMillis)
	}
}

// Buckets returns the sums of all that was added. Missing is right where the
// days of one channel were added, or of channels that took turns.
func (c *Composer) Buckets() []smartmeter.EnergyBucket {
	for i := range c.buckets {
		b := &c.buckets[i]
		b.Missing = max(0, smartmeter.Millis(b.To-b.From)-c.known[i])
	}
	return c.buckets
}
