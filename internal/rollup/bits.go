package rollup

import "encoding/binary"

// bitWriter collects numbers of known width, the lowest bit first.
type bitWriter struct {
	p     []byte
	last  uint64 // the bits that are not in p yet
	count int    // how many they are
}

// put writes v, which has no more than width bits.
func (w *bitWriter) put(v uint64, width int) {
	w.last |= v << w.count
	if w.count+width < 64 {
		w.count += width
		return
	}
	w.p = binary.LittleEndian.AppendUint64(w.p, w.last)
	w.last = v >> (64 - w.count)
	w.count += width - 64
}

// appendTo appends what was written, filled up with zeros to a whole byte.
func (w *bitWriter) appendTo(dst []byte) []byte {
	dst = append(dst, w.p...)
	for rest := w.last; w.count > 0; w.count -= 8 {
		dst = append(dst, byte(rest))
		rest >>= 8
	}
	return dst
}

// bitReader takes apart what a bitWriter has written.
type bitReader struct {
	p   []byte
	pos int // in bits; behind the end after too much was taken
}

// take returns the next number, of up to 64 bits; zeros follow the end.
func (r *bitReader) take(width int) uint64 {
	if width > 56 {
		low := r.take(32)
		return low | r.take(width-32)<<32
	}
	var word uint64
	switch i := r.pos / 8; {
	case i+8 <= len(r.p):
		word = binary.LittleEndian.Uint64(r.p[i:])
	case i < len(r.p):
		var tail [8]byte
		copy(tail[:], r.p[i:])
		word = binary.LittleEndian.Uint64(tail[:])
	}
	word >>= r.pos % 8
	r.pos += width
	return word & (1<<width - 1)
}

// exhausted reports whether all was taken, and no more.
func (r *bitReader) exhausted() bool { return (r.pos+7)/8 == len(r.p) }
