package store

import (
	"testing"

	"pgregory.net/rapid"
)

// The runs say what a plain set of numbers says.
func TestSpansAreASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s spans
		set := make(map[uint32]bool)
		for range rapid.IntRange(0, 120).Draw(t, "steps") {
			seq := rapid.Uint32Range(0, 60).Draw(t, "seq")
			last := seq + rapid.Uint32Range(0, 4).Draw(t, "more")
			if seq == last {
				if s.add(seq) == set[seq] {
					t.Fatalf("add(%d) with %v in the set", seq, set[seq])
				}
			} else {
				s.addSpan(span{seq, last})
			}
			for n := seq; n <= last; n++ {
				set[n] = true
			}
		}
		for i := 1; i < len(s); i++ {
			if s[i-1].last+1 >= s[i].first {
				t.Fatalf("runs touch: %v", s)
			}
		}
		for seq := range uint32(70) {
			if s.has(seq) != set[seq] {
				t.Fatalf("has(%d) = %v: %v", seq, s.has(seq), s)
			}
		}
		first := rapid.Uint32Range(0, 70).Draw(t, "first")
		want := max(first, 1) - 1
		for set[want+1] {
			want++
		}
		if got := s.complete(first); got != want {
			t.Fatalf("complete(%d) = %d, want %d: %v", first, got, want, s)
		}
	})
}

func TestSpansAtTheEndOfTheNumbers(t *testing.T) {
	const last = 1<<32 - 1
	var s spans
	for _, seq := range []uint32{last, last - 1, 0} {
		if !s.add(seq) || s.add(seq) {
			t.Errorf("%d is new once", seq)
		}
	}
	if len(s) != 2 || s.complete(last-1) != last {
		t.Errorf("got %v", s)
	}
}

// A node that counts strangely costs no more than so much, and nothing that is
// forgotten is taken for kept.
func TestSpansAreBounded(t *testing.T) {
	var s spans
	for seq := uint32(1); seq < 4000; seq += 2 {
		s.add(seq)
	}
	if len(s) != maxSpans || s.has(1) || !s.has(3999) {
		t.Errorf("%d runs, from %v to %v", len(s), s[0], s[len(s)-1])
	}
}
