package rollup

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	version  = 1
	hoursDay = 24
	perHour  = 4
	quarters = hoursDay * perHour
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
// little-endian, bit 0 for the first. Three columns follow, with a number for
// each hour in the mask:
//
//	least     zigzag(Min - Min of the one before; 0 at first)
//	most      Max - Min
//	covered   an hour in ms - Covered
//
// and then a string of bits, the lowest first, the last byte filled up with
// zeros. It has for each hour two numbers, each in as many bits as the largest
// takes that could be there:
//
//	last      Last - Min, at most Max - Min
//	weighted  Weighted - Min * Covered, at most (Max - Min) * Covered
//
// The quarters begin with a mask of 12 bytes and have the same figures but for
//
//	least     Min - Min of the hour
//	most      Max of the hour - Max
//	covered   a quarter in ms - Covered
//
// Of the last measured quarter of each hour, covered, last and weighted are left
// out, for its Last is the hour's, and what the other quarters leave of the
// hour's sums is its own. All differences are modulo 2^64.
//
// A register differs: it begins where it was left. Its least is zigzag(Min -
// Last of the one before; 0 at first) in hours, and so in quarters, but for the
// first of an hour, which is Min - Min of the hour. It has no weighted.
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

// columns are the figures of several summaries.
type columns struct {
	least, most, covered [quarters]uint64
	bits                 bitWriter // last and weighted
}

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
		c.least[n], c.most[n] = zigzag(h.Min-left), uint64(h.Max-h.Min)
		c.put(n, h, Hour, s.register)
		left = s.leaves(h)
		n++
	}
	if mask == 0 {
		return dst
	}
	dst = append(dst, byte(mask), byte(mask>>8), byte(mask>>16))
	return c.append(dst, n, n)
}

// leaves returns what the Min of the next hour is told from.
func (s *series) leaves(hour *smartmeter.Summary) int64 {
	if s.register {
		return hour.Last
	}
	return hour.Min
}

func (s *series) appendQuarters(dst []byte) []byte {
	var c columns
	var mask [quarters / 8]byte
	n, open := 0, 0 // open counts those that are not the last of an hour
	for i := range s.hours {
		h := &s.hours[i]
		var last *smartmeter.Summary
		for k := i * perHour; k < (i+1)*perHour; k++ {
			q := &s.quarters[k]
			if !q.Measured {
				continue
			}
			mask[k/8] |= 1 << (k % 8)
			c.least[n], c.most[n] = uint64(q.Min-h.Min), uint64(h.Max-q.Max)
			if last != nil {
				if s.register {
					c.least[n] = zigzag(q.Min - last.Last)
				}
				c.put(open, last, Quarter, s.register)
				open++
			}
			last, n = q, n+1
		}
	}
	if n == 0 {
		return dst
	}
	return c.append(append(dst, mask[:]...), n, open)
}

// put takes the figures of a summary that hours and quarters tell alike.
func (c *columns) put(n int, s *smartmeter.Summary, width smartmeter.Millis, register bool) {
	c.covered[n] = uint64(width - s.Covered)
	most := uint64(s.Max - s.Min)
	c.bits.put(uint64(s.Last-s.Min), bits.Len64(most))
	if !register {
		c.bits.put(uint64(s.Weighted-s.Min*int64(s.Covered)), bits.Len64(most*uint64(s.Covered)))
	}
}

// append writes n of the first two columns, open of the third, and the bits.
func (c *columns) append(dst []byte, n, open int) []byte {
	dst = appendColumn(dst, c.least[:n])
	dst = appendColumn(dst, c.most[:n])
	dst = appendColumn(dst, c.covered[:open])
	return c.bits.appendTo(dst)
}
