package chunk

import "math/bits"

// contexts is how many statistics a column keeps: what follows small residuals
// is coded apart from what follows large ones.
const contexts = 8

// A coder writes one column's values as their differences from a prediction, or
// reads them back. Models call code for both directions, so that what predicts
// for the writer and what predicts for the reader cannot drift apart.
//
// A difference becomes a token and raw bits (see token); the tokens of each
// context are a stream of their own.
type coder struct {
	reading bool
	streams [contexts][]byte
	raw     bitBuffer
	failed  bool // reading only: a stream ended too early

	// restless is a running mean of the differences' size, in sixteenths; it
	// chooses the context.
	restless int64
	// jumped tells that the last difference was far beyond those before it:
	// the signal's past says nothing any more.
	jumped  bool
	started bool

	tokens [contexts][]byte // reading only: what streams are slices of
}

// begin makes c ready to write a column.
func (c *coder) begin() {
	c.started, c.restless = false, 0
	for i := range c.streams {
		c.streams[i] = c.streams[i][:0]
	}
	c.raw.reset(c.raw.bytes[:0])
}

// code writes x, which was predicted to be about the given value, and returns
// it; or reads it, and then the x passed in does not matter.
func (c *coder) code(predicted, x int64) int64 {
	if !c.started {
		c.started, c.jumped = true, true
		return c.first(x)
	}
	context := min(bits.Len64(uint64(c.restless)>>3), contexts-1)
	var u uint64
	if c.reading {
		u = c.get(context)
		x = predicted + unfold(u)
	} else {
		u = fold(x - predicted)
		c.put(context, u)
	}
	c.jumped = u > 64+uint64(c.restless)>>1
	c.restless += (int64(min(u, 1<<20))<<4 - c.restless) >> 2
	return x
}

// first codes a column's first value among the raw bits: nothing predicts it,
// and in a stream it would be the only one of its kind.
func (c *coder) first(x int64) int64 {
	if c.reading {
		low := c.raw.get(32)
		return int64(c.raw.get(32)<<32 | low)
	}
	c.raw.put(uint64(x), 32)
	c.raw.put(uint64(x)>>32, 32)
	return x
}

func (c *coder) put(context int, u uint64) {
	t, n := token(u)
	c.streams[context] = append(c.streams[context], t)
	c.raw.put(u, n)
}

func (c *coder) get(context int) uint64 {
	s := c.streams[context]
	if len(s) == 0 {
		c.failed = true
		return 0
	}
	c.streams[context] = s[1:]
	t := s[0]
	if t < direct {
		return uint64(t)
	}
	n := int(t-direct)>>2 + 2
	return uint64(4|t&3)<<n | c.raw.get(n)
}

// direct is the number of values that are their own token.
const direct = 16

// token splits u into a token and n low bits. Below 16, u is its own token. Above, the
// token is 16 + 4*(b-4) + m, where b is the place of u's highest bit and m the
// two bits below it; what is below those is noise and stays as it is.
func token(u uint64) (t byte, n int) {
	if u < direct {
		return byte(u), 0
	}
	b := bits.Len64(u) - 1
	return byte(direct + 4*(b-4) + int(u>>(b-2)&3)), b - 2
}

// fold maps small differences of either sign to small numbers: 0, -1, 1, -2 to
// 0, 1, 2, 3.
func fold(d int64) uint64 { return uint64(d<<1) ^ uint64(d>>63) }

func unfold(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// bitBuffer is a string of bits, the lowest of each byte first.
type bitBuffer struct {
	bytes []byte
	next  int // reading: the byte to load next
	word  uint64
	held  int // bits in word
	over  bool
}

func (b *bitBuffer) reset(p []byte) { *b = bitBuffer{bytes: p} }

// put appends the n low bits of u, n at most 61.
func (b *bitBuffer) put(u uint64, n int) {
	if n > 32 {
		b.put(u, 32)
		u, n = u>>32, n-32
	}
	b.word |= (u & (1<<n - 1)) << b.held
	for b.held += n; b.held >= 8; b.held -= 8 {
		b.bytes = append(b.bytes, byte(b.word))
		b.word >>= 8
	}
}

// finish appends the last bits, filled up with zeros.
func (b *bitBuffer) finish() []byte {
	if b.held > 0 {
		b.bytes = append(b.bytes, byte(b.word))
		b.word, b.held = 0, 0
	}
	return b.bytes
}

// get returns the next n bits, n at most 61.
func (b *bitBuffer) get(n int) uint64 {
	if n > 32 {
		low := b.get(32)
		return low | b.get(n-32)<<32
	}
	for b.held < n {
		if b.next == len(b.bytes) {
			b.over = true
			return 0
		}
		b.word |= uint64(b.bytes[b.next]) << b.held
		b.next++
		b.held += 8
	}
	u := b.word & (1<<n - 1)
	b.word >>= n
	b.held -= n
	return u
}

// spent reports whether all was read: nothing is left but less than a byte of
// zeros.
func (b *bitBuffer) spent() bool {
	return !b.over && b.next == len(b.bytes) && b.held < 8 && b.word == 0
}
