package chunk

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// A joiner is a coder the other way round: it makes differences of tokens and
// raw bits.
type joiner struct {
	entropy entropy
	joined  []byte // all tokens
	starts  [contexts]int
	ends    [contexts]int // of each context's tokens
	raw     bitBuffer
}

// open fills diffs with the differences of the column p, and reports whether it
// comes out even.
func (j *joiner) open(p []byte, diffs []int64) bool {
	r := reader{p: p}
	j.raw.load(r.bytes(r.length(len(p))))
	j.takeTokens(&r, len(diffs))
	if r.failed || len(r.p) > 0 {
		return false
	}
	if len(diffs) == 0 {
		return len(j.joined) == 0 && len(j.raw.bytes) == rawSlack
	}
	if len(j.joined) != len(diffs)-1 || len(j.raw.bytes) < rawSlack+8 {
		return false
	}
	diffs[0] = int64(j.raw.get(64))
	if j.ends[0] == len(j.joined) && onlyZeros(j.joined) { // as in most columns that say what a reading is
		clear(diffs[1:])
	} else if !j.join(diffs[1:]) {
		return false
	}
	return j.raw.spent()
}

// takeTokens takes the tokens of all contexts, at most so many.
func (j *joiner) takeTokens(r *reader, most int) {
	used := r.byte()
	j.joined = slices.Grow(j.joined[:0], most)
	for i := range contexts {
		j.starts[i] = len(j.joined)
		if used>>i&1 != 0 {
			j.joined = r.stream(j.joined, r.length(most-len(j.joined)), &j.entropy)
		}
		j.ends[i] = len(j.joined)
	}
}

func onlyZeros(tokens []byte) bool { return bytes.Count(tokens, []byte{0}) == len(tokens) }

// join takes the tokens block by block.
func (j *joiner) join(diffs []int64) bool {
	sum, next := uint64(0), j.starts
	for len(diffs) >= block {
		c := contextAfter(sum)
		at := next[c]
		next[c] += block
		if next[c] > j.ends[c] || next[c] > len(j.joined) {
			return false
		}
		some, all := (*[block]int64)(diffs), binary.LittleEndian.Uint64(j.joined[at:])
		if sum = all * everyByte >> 56; all&manyDirect == 0 {
			joinDirect(some, all)
		} else {
			sum = j.joinAny(some[:], all)
		}
		diffs = diffs[block:]
	}
	c := contextAfter(sum)
	if len(diffs) > j.ends[c]-next[c] {
		return false
	}
	last := uint64(0)
	for i, t := range j.joined[next[c]:][:len(diffs)] {
		last |= uint64(t) << (8 * i)
	}
	j.joinAny(diffs, last)
	return true
}

const (
	everyByte  = 0x0101_0101_0101_0101
	manyDirect = everyByte * (0xff &^ (direct - 1)) // bits that tokens below direct do not have
)

// joinDirect turns tokens, one to a byte, into differences. None has raw bits.
func joinDirect(diffs *[block]int64, tokens uint64) {
	for i := range diffs {
		diffs[i] = unfold(tokens >> (8 * i) & 0xff)
	}
}

// joinAny turns tokens, one to a byte, into differences and returns their sum,
// folded.
func (j *joiner) joinAny(diffs []int64, tokens uint64) (sum uint64) {
	at := j.raw.next
	for i := range diffs {
		m := &meanings[byte(tokens>>(8*i))]
		u := m.least
		if m.bits <= wordBits {
			u += j.raw.word(at) & m.mask
		} else {
			u += j.raw.peek(at, m.bits)
		}
		at += m.bits
		diffs[i] = unfold(u)
		sum += min(u, maxInSum)
	}
	j.raw.next = at
	return sum
}

// meanings is token the other way round: the least u of each token, and the
// number of bits to add.
var meanings = func() (m [256]struct {
	least, mask uint64
	bits        int
},
) {
	for t := range uint64(len(m)) {
		if t < direct {
			m[t].least = t
			continue
		}
		m[t].bits = int(t-direct)/4 + 2
		m[t].mask = 1<<m[t].bits - 1
		m[t].least = (4 | t&3) << m[t].bits
	}
	return m
}()
