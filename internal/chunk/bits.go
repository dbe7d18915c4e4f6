package chunk

import "encoding/binary"

// bitBuffer is a string of bits, the lowest of each byte first.
type bitBuffer struct {
	bytes []byte // reading: and rawSlack more, so that words can be loaded
	next  int    // reading: the bit to read next
	rest  uint64 // writing: what does not make a byte yet
	held  int    // writing: bits in rest
}

func (b *bitBuffer) clear() { *b = bitBuffer{bytes: b.bytes[:0]} }

// put appends the n low bits of u, n at most 64.
func (b *bitBuffer) put(u uint64, n int) {
	if n > 32 {
		b.put(u, 32)
		u, n = u>>32, n-32
	}
	b.rest |= (u & (1<<n - 1)) << b.held
	for b.held += n; b.held >= 8; b.held -= 8 {
		b.bytes = append(b.bytes, byte(b.rest))
		b.rest >>= 8
	}
}

// finish appends the last bits, filled up with zeros, and returns all.
func (b *bitBuffer) finish() []byte {
	if b.held > 0 {
		b.bytes = append(b.bytes, byte(b.rest))
		b.rest, b.held = 0, 0
	}
	return b.bytes
}

const rawSlack = 8

// load makes b ready to read p.
func (b *bitBuffer) load(p []byte) {
	b.clear()
	b.bytes = append(append(b.bytes, p...), make([]byte, rawSlack)...)
}

// get returns the next n bits, n at most 64. Beyond the end it gives anything,
// and spent is false.
func (b *bitBuffer) get(n int) uint64 {
	at := b.next
	b.next += n
	return b.peek(at, n)
}

// peek returns n bits at a place.
func (b *bitBuffer) peek(at, n int) uint64 {
	if n > wordBits {
		return b.word(at)&(1<<32-1) | b.peek(at+32, n-32)<<32
	}
	return b.word(at) & (1<<n - 1)
}

// wordBits is how many of the bits that word returns are always valid.
const wordBits = 56

// word returns the bits at a place, the next one lowest.
func (b *bitBuffer) word(at int) uint64 {
	i := min(at>>3, len(b.bytes)-rawSlack)
	return binary.LittleEndian.Uint64(b.bytes[i:]) >> (at & 7)
}

// spent reports whether all was read: nothing is left but less than a byte of
// zeros.
func (b *bitBuffer) spent() bool {
	left := (len(b.bytes)-rawSlack)*8 - b.next
	return left >= 0 && left < 8 && b.get(left) == 0
}
