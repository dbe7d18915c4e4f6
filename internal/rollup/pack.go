package rollup

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	version    = 1
	hoursDay   = 24
	perHour    = 4
	quarters   = hoursDay * perHour
	hourMask   = 1<<hoursDay - 1
	hourBytes  = hoursDay / 8
	quarterLen = quarters / 8
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// AppendDay appends a day of a channel, packed, to dst and returns the extended
// slice. The day is given by its quarter hours as Fold has them with Quarter: of
// one UTC day, oldest first, at least one. Equal days give equal bytes.
//
// # Format
//
//	version   1 byte, 1
//	day       days since 1970-01-01, zigzag uvarint
//	lengths   for each quantity, in the order of their bits, two uvarints: the
//	          bytes of its hours and of its quarters; both 0 if not measured
//	parts     for each quantity its hours, then its quarters
//	checksum  CRC-32C of all before, 4 bytes little-endian
//
// The hours of a quantity begin with a mask of those measured, 3 bytes
// little-endian, bit 0 for the first. Five columns follow, with a number for
// each hour in the mask:
//
//	least     zigzag(Min - Min of the one before; 0 at first)
//	most      Max - Min
//	last      Last - Min
//	covered   an hour in ms - Covered
//	weighted  Weighted - Min * Covered
//
// The quarters begin with a mask of 12 bytes and say what the hours leave open:
//
//	least     Min - Min of the hour
//	most      Max of the hour - Max
//	last      Last - Min
//	covered   a quarter in ms - Covered
//	weighted  Weighted - Min * Covered
//
// Of the last measured quarter of each hour, the last three are left out, for
// its Last is the hour's, and the hour's sums less those of the other quarters
// are its own. All differences are modulo 2^64.
//
// A register differs: it begins where it was left. Its least is zigzag(Min -
// Last of the one before), in hours and quarters; for the first quarter of an
// hour the difference is from Min of the hour. Its last is Max - Last, and
// it has no column weighted.
func AppendDay(dst []byte, day []smartmeter.Bucket) []byte {
	begin := len(dst)
	dst = append(dst, version)
	dst = binary.AppendUvarint(dst, zigzag(int64(Midnight(day[0].At))/int64(Day)))
	var parts []byte
	for i := range smartmeter.QuantityCount {
		s := split(day, i)
		from := len(parts)
		parts = s.appendHours(parts)
		middle := len(parts)
		parts = s.appendQuarters(parts)
		dst = binary.AppendUvarint(dst, uint64(middle-from))
		dst = binary.AppendUvarint(dst, uint64(len(parts)-middle))
	}
	dst = append(dst, parts...)
	return binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[begin:], castagnoli))
}

// series is one quantity over a day. What was not measured is zero.
type series struct {
	register bool
	hours    [hoursDay]smartmeter.Summary
	quarters [quarters]smartmeter.Summary
}

func split(day []smartmeter.Bucket, i int) *series {
	s := &series{register: i == register}
	for n := range day {
		quarter := sinceMidnight(day[n].At) / smartmeter.Instant(Quarter)
		s.quarters[quarter] = day[n].Of[i]
		s.hours[quarter/perHour].Join(&day[n].Of[i])
	}
	return s
}

// columns are the five figures of a series of summaries.
type columns struct{ least, most, last, covered, weighted [quarters]uint64 }

func (s *series) appendHours(dst []byte) []byte {
	var c columns
	var mask uint32
	n, left := 0, int64(0)
	for i := range s.hours {
		h := &s.hours[i]
		if !h.Measured {
			continue
		}
		mask |= 1 << i
		c.put(n, h, Hour, s.register)
		c.least[n], c.most[n] = zigzag(h.Min-left), uint64(h.Max-h.Min)
		left = s.leaves(h)
		n++
	}
	if mask == 0 {
		return dst
	}
	dst = append(dst, byte(mask), byte(mask>>8), byte(mask>>16))
	return c.append(dst, n, n, s.register)
}

// leaves returns what the Min of the next summary is told from.
func (s *series) leaves(b *smartmeter.Summary) int64 {
	if s.register {
		return b.Last
	}
	return b.Min
}

func (s *series) appendQuarters(dst []byte) []byte {
	var c columns
	var mask [quarterLen]byte
	n, open := 0, 0 // open counts those that are not the last of an hour
	for i := range s.hours {
		h := &s.hours[i]
		left := h.Min
		for k := i * perHour; k < (i+1)*perHour; k++ {
			q := &s.quarters[k]
			if !q.Measured {
				continue
			}
			mask[k/8] |= 1 << (k % 8)
			c.put(open, q, Quarter, s.register)
			c.least[n], c.most[n] = uint64(q.Min-h.Min), uint64(h.Max-q.Max)
			if s.register {
				c.least[n], left = zigzag(q.Min-left), q.Last
			}
			n, open = n+1, open+1
		}
		if h.Measured {
			open--
		}
	}
	if n == 0 {
		return dst
	}
	return c.append(append(dst, mask[:]...), n, open, s.register)
}

// put takes the figures of a summary that hours and quarters tell alike.
func (c *columns) put(n int, s *smartmeter.Summary, width smartmeter.Millis, register bool) {
	c.last[n] = uint64(s.Last - s.Min)
	if register {
		c.last[n] = uint64(s.Max - s.Last)
	}
	c.covered[n] = uint64(width - s.Covered)
	c.weighted[n] = uint64(s.Weighted - s.Min*int64(s.Covered))
}

// append writes n of the first two columns and open of the others.
func (c *columns) append(dst []byte, n, open int, register bool) []byte {
	dst = appendColumn(dst, c.least[:n])
	dst = appendColumn(dst, c.most[:n])
	dst = appendColumn(dst, c.last[:open])
	dst = appendColumn(dst, c.covered[:open])
	if register {
		return dst
	}
	return appendColumn(dst, c.weighted[:open])
}
