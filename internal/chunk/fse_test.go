package chunk

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/fse"
)

// TestEntropyAgreesWithTheLibrary packs tokens of many distributions with the
// library that writes them, and reads them with our reader.
func TestEntropyAgreesWithTheLibrary(t *testing.T) {
	const seed, rounds = 5, 2000
	r := rand.New(rand.NewPCG(seed, 0))
	var e entropy
	packed := 0
	for round := range rounds {
		tokens := make([]byte, 2+r.IntN(3000))
		kinds, bias := 2+r.IntN(255), 1+r.IntN(6)
		for i := range tokens {
			t := kinds
			for range bias {
				t = r.IntN(max(t, 1))
			}
			tokens[i] = byte(t)
		}
		block, err := fse.Compress(tokens, &fse.Scratch{TableLog: uint8(5 + r.IntN(8))})
		if err != nil {
			continue // they are kept in another way
		}
		packed++
		got := make([]byte, len(tokens))
		if !e.decode(got, block) || !bytes.Equal(tokens, got) {
			t.Fatalf("seed %d, round %d: %d tokens of %d kinds come back differently", seed, round, len(tokens), kinds)
		}
	}
	if packed < rounds/2 {
		t.Errorf("seed %d: %d of %d rounds were packed; the test tests less than it says", seed, packed, rounds)
	}
}

// TestDamagedEntropyIsBounded has the reader take anything: it may refuse it or
// make something of it, and must do so soon.
func TestDamagedEntropyIsBounded(t *testing.T) {
	const seed, rounds = 6, 20_000
	r := rand.New(rand.NewPCG(seed, 0))
	tokens := bytes.Repeat([]byte{0, 0, 1, 0, 3, 2, 0, 1, 9}, 40)
	good, err := fse.Compress(tokens, &fse.Scratch{})
	if err != nil {
		t.Fatal(err)
	}
	var e entropy
	got, same := make([]byte, len(tokens)), 0
	for range rounds {
		block := bytes.Clone(good)[:1+r.IntN(len(good))]
		for range r.IntN(4) {
			block[r.IntN(len(block))] ^= 1 << r.IntN(8)
		}
		if e.decode(got, block) && bytes.Equal(got, tokens) {
			same++
		}
	}
	if same == 0 || same == rounds {
		t.Errorf("seed %d: %d of %d blocks were whole", seed, same, rounds)
	}
	if e.decode(got, nil) {
		t.Error("an empty block has tokens")
	}
}
