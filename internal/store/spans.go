package store

import "slices"

// span is a run of sequence numbers, both ends included.
type span struct{ first, last uint32 }

// spans is a set of sequence numbers as runs, sorted and apart. A node that
// loses nothing needs one, however long it runs.
type spans []span

// maxSpans bounds what a node with a strange idea of counting costs.
const maxSpans = 256

// add puts seq into the set and reports whether it was new.
func (s *spans) add(seq uint32) bool {
	// The usual case first: one more than the last.
	if n := len(*s); n > 0 && (*s)[n-1].last+1 == seq && seq != 0 {
		(*s)[n-1].last = seq
		return true
	}
	if s.has(seq) {
		return false
	}
	s.addSpan(span{seq, seq})
	return true
}

// addSpan puts a run into the set. When there are too many, the lowest is
// forgotten: what is in it may then be kept twice, but is never taken for kept
// when it is not.
func (s *spans) addSpan(n span) {
	// from is the first run that touches n or lies behind it, to the first one
	// that lies behind it and does not touch.
	from, _ := slices.BinarySearchFunc(*s, n.first, func(e span, first uint32) int {
		if uint64(e.last)+1 < uint64(first) {
			return -1
		}
		return 1
	})
	to := from
	for to < len(*s) && uint64((*s)[to].first) <= uint64(n.last)+1 {
		n.first, n.last = min(n.first, (*s)[to].first), max(n.last, (*s)[to].last)
		to++
	}
	*s = slices.Replace(*s, from, to, n)
	if len(*s) > maxSpans {
		*s = slices.Delete(*s, 0, 1)
	}
}

// has reports whether seq is in the set.
func (s spans) has(seq uint32) bool {
	_, found := s.around(seq)
	return found
}

// around returns the run that seq is in.
func (s spans) around(seq uint32) (span, bool) {
	i, _ := slices.BinarySearchFunc(s, seq, func(e span, seq uint32) int {
		if e.last < seq {
			return -1
		}
		return 1
	})
	if i < len(s) && s[i].first <= seq {
		return s[i], true
	}
	return span{}, false
}

// complete returns up to where nothing is missing when everything below first
// counts as known: the last number of the run that begins at or below first.
func (s spans) complete(first uint32) uint32 {
	first = max(first, 1)
	if run, ok := s.around(first); ok {
		return run.last
	}
	return first - 1
}
