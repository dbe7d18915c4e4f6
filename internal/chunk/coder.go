package chunk

import (
	"bytes"
	"math/bits"
	"slices"
)

// A coder takes down one column's values as their differences from predictions,
// or gives them back. Models call code for both directions, so that what
// predicts for the writer and what predicts for the reader cannot drift apart.
//
// A difference becomes a token and raw bits, see token. Tokens are dealt out to
// contexts, by how large the differences just before were: noise of one size
// follows noise of that size, and each context has its own statistics.
type coder struct {
	reading bool
	diffs   []int64 // reading: room for all readings, 0 beyond count
	next    int     // reading: the difference to give next
	count   int     // reading: how many differences there are
	still   bool    // reading: all but the first are 0

	tokens [contexts][]byte // reading: parts of joined
	joined []byte           // reading: all tokens
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

// begin makes c ready to write a column.
func (c *coder) begin() { c.diffs = c.diffs[:0] }

// code writes x, which was predicted to be about the given value, and returns
// it; or reads it, and then the x passed in does not matter.
func (c *coder) code(predicted, x int64) int64 {
	if c.reading {
		x = predicted + c.diffs[c.next]
		c.next++
		return x
	}
	c.diffs = append(c.diffs, x-predicted)
	return x
}

// repeat reads a column that stays as it begins.
func (c *coder) repeat(col []int64) {
	for i := range col {
		col[i] = c.diffs[0]
	}
	c.next = len(col)
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

// join turns tokens and raw bits into differences, of at most n values, and
// reports whether it came out even.
func (c *coder) join(n int) bool {
	c.next, c.count, c.still = 0, len(c.joined), false
	if len(c.raw.bytes) > 8 { // the first difference is there
		c.count++
	}
	if c.count > n || c.count > 0 && len(c.raw.bytes) < 16 {
		return false
	}
	c.diffs = slices.Grow(c.diffs[:0], n)[:n]
	clear(c.diffs)
	if c.count == 0 {
		return true
	}
	c.diffs[0] = int64(c.raw.get(64))
	if c.still = onlyZeros(c.tokens[0]) && len(c.tokens[0]) == len(c.joined); c.still {
		return c.raw.spent()
	}
	return c.joinBlocks(c.diffs[1:c.count]) && c.raw.spent()
}

func (c *coder) joinBlocks(diffs []int64) bool {
	sum := uint64(0)
	for len(diffs) > 0 {
		n := min(block, len(diffs))
		from := &c.tokens[contextAfter(sum)]
		if len(*from) < n {
			return false
		}
		sum = c.joinBlock(diffs[:n], (*from)[:n])
		diffs, *from = diffs[n:], (*from)[n:]
	}
	return true
}

// joinBlock turns as many tokens as there are differences into these, and
// returns their sum, folded.
func (c *coder) joinBlock(diffs []int64, tokens []byte) (sum uint64) {
	at := c.raw.next
	for i := range diffs {
		m := meanings[tokens[i]]
		u := m.least
		if m.bits <= wordBits {
			u += c.raw.word(at) & (1<<(m.bits&63) - 1)
		} else {
			u += c.raw.peek(at, m.bits)
		}
		at += m.bits
		diffs[i] = unfold(u)
		sum += min(u, maxInSum)
	}
	c.raw.next = at
	return sum
}

func onlyZeros(tokens []byte) bool { return bytes.Count(tokens, []byte{0}) == len(tokens) }

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

// meanings is token the other way round: the least u of each token, and the
// number of bits to add.
var meanings = func() (m [256]struct {
	least uint64
	bits  int
},
) {
	for t := range uint64(len(m)) {
		if t < direct {
			m[t].least = t
			continue
		}
		m[t].bits = int(t-direct)/4 + 2
		m[t].least = (4 | t&3) << m[t].bits
	}
	return m
}()

// fold maps small differences of either sign to small numbers: 0, -1, 1, -2 to
// 0, 1, 2, 3.
func fold(d int64) uint64 { return uint64(d<<1) ^ uint64(d>>63) }

func unfold(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
