package chunk

import (
	"math/bits"
	"slices"
)

// differences are a column's values, each less its prediction. Models call code
// for both directions, so that what predicts for the writer and what predicts
// for the reader cannot drift apart.
//
// A reader's differences lie at the end of the very column that they become:
// there are never more of them left than values.
type differences struct {
	reading bool
	of      []int64
}

// code writes x, which was predicted to be about the given value, as difference
// i, and returns it; or reads it, and then the x passed in does not matter.
func (d differences) code(i int, predicted, x int64) int64 {
	if d.reading {
		return predicted + d.of[i]
	}
	d.of[i] = x - predicted
	return x
}

// A coder turns one column's differences into tokens and raw bits, see token.
// Tokens are dealt out to contexts, by how large the differences just before
// were: noise of one size follows noise of that size, and each context has its
// own statistics.
type coder struct {
	diffs  []int64
	tokens [contexts][]byte
	raw    bitBuffer
}

const (
	contexts = 8
	block    = 8 // so many differences share a context
)

// contextAfter returns the context of the block after one with the given sum of
// folded differences, each counted as maxInSum at most.
func contextAfter(sum uint64) int { return min(bits.Len64(sum), contexts-1) }

const maxInSum = 1 << 16

// begin makes c ready to take the differences of n values.
func (c *coder) begin(n int) differences {
	c.diffs = slices.Grow(c.diffs[:0], n)[:n]
	return differences{of: c.diffs}
}

// split turns the differences into tokens and raw bits. The first difference is
// put into the raw bits as a whole: nothing predicts it, and among the tokens it
// would be the only one of its kind.
func (c *coder) split() {
	c.raw.clear()
	for i := range c.tokens {
		c.tokens[i] = c.tokens[i][:0]
	}
	if len(c.diffs) == 0 {
		return
	}
	c.raw.put(uint64(c.diffs[0]), 64)
	sum := uint64(0)
	for some := range slices.Chunk(c.diffs[1:], block) {
		to := &c.tokens[contextAfter(sum)]
		sum = 0
		for _, d := range some {
			u := fold(d)
			t, n := token(u)
			*to = append(*to, t)
			c.raw.put(u, n)
			sum += min(u, maxInSum)
		}
	}
}

// direct is how many numbers are their own token.
const direct = 16

// token splits u into a token and its n low bits. Below 16, u is its own token
// and n is 0. Above, the token is 16 + 4*(b-4) + m, where b is the place of u's
// highest bit and m are the two bits below it; the n = b-2 bits below those are
// noise.
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
