package rollup

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/bits"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// ErrUnknownVersion is the error of a packed day from a later version.
var ErrUnknownVersion = errors.New("packed day is of a version that this program does not know; use a newer one, or sum it up anew from its readings")

// AppendBuckets unpacks the wanted quantities of a packed day by Quarter or by
// Hour, appends the buckets to dst, oldest first, and returns the extended slice.
// Steps in which none of them was measured are left out. What is not wanted is
// not unpacked.
//
// The error is ErrCorrupt or ErrUnknownVersion; then dst is returned as it was.
// Whatever the bytes are, no more than a day's buckets are allocated.
func AppendBuckets(dst []smartmeter.Bucket, packed []byte, want smartmeter.Quantities, width smartmeter.Millis) ([]smartmeter.Bucket, error) {
	d, err := open(packed)
	if err != nil {
		return dst, err
	}
	n := hoursDay
	if width == Quarter {
		n = quarters
	}
	steps := slices.Grow(dst, n)[len(dst) : len(dst)+n]
	clear(steps)
	for i := range smartmeter.QuantityCount {
		if want.Has(1<<i) && len(d.hours[i]) > 0 && !d.unpack(i, steps) {
			return dst, ErrCorrupt
		}
	}
	kept := steps[:0]
	for k := range steps {
		if steps[k].Measured() != 0 {
			steps[k].At = d.midnight + smartmeter.Instant(k)*smartmeter.Instant(Day)/smartmeter.Instant(n)
			kept = append(kept, steps[k])
		}
	}
	return append(dst, kept...), nil
}

// packedDay is a packed day whose parts are found but not unpacked.
type packedDay struct {
	midnight        smartmeter.Instant
	hours, quarters [smartmeter.QuantityCount][]byte
}

// open checks a packed day as a whole and finds its parts.
func open(packed []byte) (d packedDay, err error) {
	if len(packed) > 0 && packed[0] != version {
		return d, ErrUnknownVersion
	}
	n := len(packed) - crc32.Size
	if n < 1 || crc32.Checksum(packed[:n], castagnoli) != binary.LittleEndian.Uint32(packed[n:]) {
		return d, ErrCorrupt
	}
	r := reader{p: packed[1:n]}
	d.midnight = smartmeter.Instant(unzigzag(r.uvarint()) * int64(Day))
	var lengths [2 * smartmeter.QuantityCount]uint64
	for i := range lengths {
		lengths[i] = r.uvarint()
	}
	for i := range smartmeter.QuantityCount {
		d.hours[i], d.quarters[i] = r.bytes(lengths[2*i]), r.bytes(lengths[2*i+1])
	}
	if r.failed || len(r.p) > 0 {
		return d, ErrCorrupt
	}
	return d, nil
}

// unpack fills in a quantity of all the day's steps, which are hours or quarters.
func (d *packedDay) unpack(i int, steps []smartmeter.Bucket) bool {
	s := series{register: i == register}
	if !s.readHours(d.hours[i]) {
		return false
	}
	if len(steps) == hoursDay {
		for k := range s.hours {
			steps[k].Of[i] = s.hours[k]
		}
		return true
	}
	if !s.readQuarters(d.quarters[i]) {
		return false
	}
	for k := range s.quarters {
		steps[k].Of[i] = s.quarters[k]
	}
	return true
}

func (s *series) readHours(p []byte) bool {
	r := reader{p: p}
	n := readMask(&r, s.hours[:])
	var c columns
	rest := c.read(&r, n, n)
	n, left := 0, int64(0)
	for i := range s.hours {
		h := &s.hours[i]
		if !h.Measured {
			continue
		}
		h.Min = left + unzigzag(c.least[n])
		h.Max = h.Min + int64(c.most[n])
		c.take(n, &rest, h, Hour, s.register)
		left = s.leaves(h)
		n++
	}
	return !r.failed && rest.exhausted()
}

func (s *series) readQuarters(p []byte) bool {
	r := reader{p: p}
	n := readMask(&r, s.quarters[:])
	hours := 0
	for i := range s.hours {
		if s.measuredIn(i) != s.hours[i].Measured {
			return false
		}
		if s.hours[i].Measured {
			hours++
		}
	}
	var c columns
	rest := c.read(&r, n, n-hours)
	n, open := 0, 0
	for i := range s.hours {
		if s.hours[i].Measured {
			n, open = s.takeHour(i, &c, &rest, n, open)
		}
	}
	return !r.failed && rest.exhausted()
}

// measuredIn reports whether one of the hour's quarters was measured.
func (s *series) measuredIn(hour int) bool {
	for k := hour * perHour; k < (hour+1)*perHour; k++ {
		if s.quarters[k].Measured {
			return true
		}
	}
	return false
}

// takeHour makes the quarters of an hour from columns that are used up to n and
// open, and returns how far they are then.
func (s *series) takeHour(hour int, c *columns, r *bitReader, n, open int) (int, int) {
	h := &s.hours[hour]
	remains := *h // what the quarters before leave of it
	var last *smartmeter.Summary
	for k := hour * perHour; k < (hour+1)*perHour; k++ {
		q := &s.quarters[k]
		if !q.Measured {
			continue
		}
		q.Min, q.Max = h.Min+int64(c.least[n]), h.Max-int64(c.most[n])
		if last != nil {
			c.take(open, r, last, Quarter, s.register)
			remains.Covered -= last.Covered
			remains.Weighted -= last.Weighted
			if s.register {
				q.Min = last.Last + unzigzag(c.least[n])
			}
			open++
		}
		last, n = q, n+1
	}
	last.Last, last.Covered, last.Weighted = remains.Last, remains.Covered, remains.Weighted
	return n, open
}

// readMask marks what was measured and returns how many that are.
func readMask(r *reader, into []smartmeter.Summary) (n int) {
	mask := r.bytes(uint64(len(into) / 8))
	for i := range mask {
		for b := range 8 {
			if mask[i]>>b&1 != 0 {
				into[i*8+b].Measured = true
				n++
			}
		}
	}
	return n
}

// read reads n of the first two columns, open of the third, and returns the
// bits.
func (c *columns) read(r *reader, n, open int) bitReader {
	r.column(c.least[:n])
	r.column(c.most[:n])
	r.column(c.covered[:open])
	return bitReader{p: r.p}
}

// take is the reverse of put: Min and Max are known.
func (c *columns) take(n int, r *bitReader, s *smartmeter.Summary, width smartmeter.Millis, register bool) {
	s.Covered = width - smartmeter.Millis(c.covered[n])
	most := uint64(s.Max - s.Min)
	s.Last = s.Min + int64(r.take(bits.Len64(most)))
	if !register {
		s.Weighted = s.Min*int64(s.Covered) + int64(r.take(bits.Len64(most*uint64(s.Covered))))
	}
}
