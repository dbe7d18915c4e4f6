package chunk

import (
	"encoding/binary"
	"math/bits"
)

// entropy reads blocks of finite state entropy coding, as RFC 8878 has them for
// Huffman weights (sections 4.1.1 and 4.2.1.2). Most of a day is in such blocks:
// this reader does what a general one does in a third of the time, because it
// knows how many tokens there are, and that accuracies are small.
type entropy struct {
	table  [1 << maxAccuracy]transition
	counts [256]int16 // of the table's entries, for each token; -1 counts as one at its end
	next   [256]uint16
	bits   bitBuffer
	padded []byte
}

const (
	minAccuracy = 5
	maxAccuracy = 12 // of what was ever written
)

// transition is what a state means: from the lowest bits on the token, 8 bits,
// how many bits to read for the next state, 8, a mask for these, 16, and what to
// add to them, 16.
type transition uint64

func newTransition(t transition, n, base int) transition {
	return t | transition(n)<<8 | (1<<n-1)<<16 | transition(base)<<32
}

func (t transition) token() byte { return byte(t) }

// decode fills tokens from a block, and reports whether the block has just as
// many.
func (e *entropy) decode(tokens, block []byte) bool {
	accuracy, ok := e.readCounts(block)
	if !ok {
		return false
	}
	e.build(accuracy)
	return e.follow(tokens, accuracy, block[min((e.bits.next+7)/8, len(block)):])
}

// readCounts reads how many of the table's entries each token has, and leaves
// the bits where these numbers end.
func (e *entropy) readCounts(block []byte) (accuracy int, ok bool) {
	const most = 512 // bytes that 256 counts can take
	e.bits.load(block[:min(len(block), most)])
	if accuracy = int(e.bits.get(4)) + minAccuracy; accuracy > maxAccuracy {
		return 0, false
	}
	clear(e.counts[:])
	t := 0
	for left := 1 << accuracy; left > 0; t++ {
		if t >= len(e.counts) {
			return 0, false
		}
		count := e.readCount(left + 1)
		e.counts[t] = int16(count)
		if left -= max(count, -count); left < 0 {
			return 0, false
		}
		for more := 3; count == 0 && more == 3; t += more {
			more = int(e.bits.get(2)) // so many tokens have none, either
		}
	}
	return accuracy, true
}

// readCount reads a number from -1 to most - 1. Small ones take a bit less where
// the bits would have numbers to spare.
func (e *entropy) readCount(most int) int {
	n := bits.Len(uint(most))
	half, spare := 1<<(n-1), 1<<n-1-most
	x := int(e.bits.peek(e.bits.next, n))
	switch e.bits.next += n; {
	case x&(half-1) < spare:
		e.bits.next--
		x &= half - 1
	case x >= half:
		x -= spare
	}
	return x - 1
}

// build lays out the table.
func (e *entropy) build(accuracy int) {
	size := 1 << accuracy
	table, free := e.table[:size], size
	for t, count := range e.counts {
		if count < 0 {
			free--
			table[free] = transition(t)
			e.next[t] = 1
		}
	}
	at, step := 0, size/2+size/8+3
	for t, count := range e.counts {
		if count > 0 {
			e.next[t] = uint16(count)
		}
		for range count {
			table[at] = transition(t)
			for at = (at + step) & (size - 1); at >= free && free > 0; {
				at = (at + step) & (size - 1)
			}
		}
	}
	for i, t := range table {
		next := int(e.next[t.token()])
		e.next[t.token()]++
		n := accuracy + 1 - bits.Len(uint(next))
		table[i] = newTransition(t, n, next<<n-size)
	}
}

// follow reads the states, backwards: two of them take turns. The last of each
// has no next.
func (e *entropy) follow(tokens []byte, accuracy int, p []byte) bool {
	if len(p) == 0 || p[len(p)-1] == 0 || len(tokens) < 2 {
		return false
	}
	e.padded = append(append(e.padded[:0], 0, 0, 0, 0, 0, 0, 0, 0), p...)
	end := 8*len(p) + bits.Len8(p[len(p)-1]) - 9 // so many bits are left, below the final 1
	one := uint(e.word(end) >> (64 - accuracy))
	two := uint(e.word(end-accuracy) >> (64 - accuracy))
	end -= 2 * accuracy
	for ; len(tokens) >= 6 && end >= 0; tokens = tokens[4:] {
		word, four := e.word(end), (*[4]byte)(tokens)
		one, end, word, four[0] = e.step(one, end, word)
		two, end, word, four[1] = e.step(two, end, word)
		one, end, word, four[2] = e.step(one, end, word)
		two, end, _, four[3] = e.step(two, end, word)
	}
	for ; len(tokens) > 2 && end >= 0; tokens = tokens[1:] {
		one, end, _, tokens[0] = e.step(one, end, e.word(end))
		one, two = two, one
	}
	tokens[0] = e.table[one%uint(len(e.table))].token()
	tokens[1] = e.table[two%uint(len(e.table))].token()
	return end == 0
}

// word returns at least 56 of the bits below end, the next one highest. There
// are no bits below 0.
func (e *entropy) word(end int) uint64 {
	last := uint(max(end, 0)+7) / 8
	return binary.LittleEndian.Uint64(e.padded[last:]) << (-uint(end) % 8)
}

// step gives a state's token, and the next state.
func (e *entropy) step(state uint, end int, word uint64) (uint, int, uint64, byte) {
	t := e.table[state%uint(len(e.table))]
	n := int(t >> 8 & 0xf)
	word = bits.RotateLeft64(word, n)
	return uint(t>>32) + uint(word)&uint(t>>16&0xffff), end - n, word, t.token()
}
