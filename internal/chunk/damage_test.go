package chunk

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

// mixedDay is a day with a bit of everything: noise, legacy readings, a reboot,
// gaps and missing quantities.
func mixedDay(tb testing.TB) (Header, []smartmeter.Reading) {
	tb.Helper()
	readings := newHousehold(3).day(testDay)[:240]
	for i := range readings {
		r := &readings[i]
		switch {
		case i < 60: // before the node was updated
			r.Boot, r.Seq, r.Timing = 0, 0, smartmeter.ByArrival
			r.Has = smartmeter.Voltage | smartmeter.Current | smartmeter.Power
			if i%12 == 0 {
				r.Has |= smartmeter.Energy
			}
		case i > 150: // after an outage, with another boot and a new register
			r.At += 3_600_000
			r.Boot, r.Seq, r.Energy = 0xb007, uint32(i-150), r.Energy/100
		}
		r.Measurement = measured(r.Measurement)
	}
	readings = append(readings[:100], readings[110:]...)
	return Header{Site: ID{1, 2}, Channel: ID{3, 4}, Day: testDay, Version: 2}, readings
}

func mixedChunk(tb testing.TB) []byte {
	tb.Helper()
	var e Encoder
	p, err := e.Encode(nil, Header{Day: testDay}, secondOf(mixedDay(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func secondOf(_ Header, readings []smartmeter.Reading) []smartmeter.Reading { return readings }

// reseal makes the checksum of a damaged chunk right, as bad faith would.
func reseal(p []byte) []byte {
	if len(p) >= headerSize {
		binary.LittleEndian.PutUint32(p[offBody:], uint32(len(p)-headerSize))
		binary.LittleEndian.PutUint32(p[offCRC:], checksum(p))
	}
	return p
}

func TestEveryFlippedBitIsFound(t *testing.T) {
	p := mixedChunk(t)
	var d Decoder
	for i := range p {
		for bit := range 8 {
			p[i] ^= 1 << bit
			if _, readings, err := d.Decode(p, nil); !errors.Is(err, ErrCorrupt) || len(readings) > 0 {
				t.Fatalf("byte %d, bit %d: %d readings and error %v, want none and ErrCorrupt", i, bit, len(readings), err)
			}
			p[i] ^= 1 << bit
		}
	}
}

func TestEveryCutIsFound(t *testing.T) {
	p := mixedChunk(t)
	var d Decoder
	for n := range p {
		if _, readings, err := d.Decode(p[:n], nil); !errors.Is(err, ErrCorrupt) || len(readings) > 0 {
			t.Fatalf("cut to %d bytes: %d readings and error %v, want none and ErrCorrupt", n, len(readings), err)
		}
	}
	if _, _, err := d.Decode(append(p, 0), nil); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with a byte too many: error %v, want ErrCorrupt", err)
	}
}

// TestBadFaithIsBounded damages a chunk and makes its checksum right. What then
// still decodes is in order, within limits, and given away by the hash.
func TestBadFaithIsBounded(t *testing.T) {
	const seed, rounds = 1, 3000
	r := rand.New(rand.NewPCG(seed, 0))
	good := mixedChunk(t)
	var d Decoder
	var into []smartmeter.Reading
	decoded := 0
	for round := range rounds {
		p := append([]byte(nil), good...)
		for range 1 + r.IntN(3) {
			p[headerSize+r.IntN(len(p)-headerSize)] = byte(r.Uint32())
		}
		if r.IntN(4) == 0 {
			p = p[:headerSize+r.IntN(len(p)-headerSize)]
		}
		same := string(p) == string(good)
		h, readings, err := d.Decode(reseal(p), into)
		into = readings
		if err != nil {
			if !errors.Is(err, ErrCorrupt) || len(readings) > 0 {
				t.Fatalf("seed %d, round %d: %d readings and error %v", seed, round, len(readings), err)
			}
			continue
		}
		decoded++
		if !same && h.Hash == Hash(readings) {
			// Another way to write the same readings is no harm.
			if want := secondOf(mixedDay(t)); Hash(want) != Hash(readings) {
				t.Fatalf("seed %d, round %d: other readings with the hash of these", seed, round)
			}
		}
		if err := checkReadings(h.Day, readings); err != nil || len(readings) != h.Count {
			t.Fatalf("seed %d, round %d: %d of %d readings, %v", seed, round, len(readings), h.Count, err)
		}
	}
	if decoded == 0 {
		t.Errorf("seed %d: nothing decoded; the campaign tests less than it says", seed)
	}
}

// TestLongChunkInBadFaith is the same of a chunk whose columns are unpacked at
// the same time: where one is damaged, those made of it must come to an end.
func TestLongChunkInBadFaith(t *testing.T) {
	const seed, rounds = 2, 150
	r := rand.New(rand.NewPCG(seed, 0))
	readings := newHousehold(seed).day(testDay)[:worthSharing]
	for i := range readings {
		if i%50 == 0 {
			readings[i].Has &^= smartmeter.Current
			readings[i].Current = 0
		}
	}
	var sizes [columns]int
	var e Encoder
	good := pack(t, &e, testDay, readings, &sizes)
	var d Decoder
	refused := 0
	for round := range rounds {
		p := append([]byte(nil), good...)
		p[headerSize+r.IntN(len(p)-headerSize)] ^= 1 << r.IntN(8)
		h, got, err := d.Decode(reseal(p), nil)
		if err != nil {
			if refused++; !errors.Is(err, ErrCorrupt) || len(got) > 0 {
				t.Fatalf("seed %d, round %d: %d readings and error %v", seed, round, len(got), err)
			}
			continue
		}
		if err := checkReadings(h.Day, got); err != nil || h.Hash == Hash(got) && h.Hash != Hash(readings) {
			t.Fatalf("seed %d, round %d: %v, and the hash does not give it away", seed, round, err)
		}
	}
	if refused == 0 {
		t.Errorf("seed %d: nothing was refused; the campaign tests less than it says", seed)
	}
	if _, got, err := d.Decode(good, nil); err != nil || Hash(got) != Hash(readings) {
		t.Errorf("the chunk as it was, after all these: %d readings, %v", len(got), err)
	}
}

func TestMemoryIsBoundedByCount(t *testing.T) {
	p := mixedChunk(t)
	for _, count := range []uint32{1, 229, 231, 10_000, MaxReadings, MaxReadings + 1, 1 << 31} {
		binary.LittleEndian.PutUint32(p[offCount:], count)
		var d Decoder
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := d.Decode(reseal(p), nil)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("count %d: error %v, want ErrCorrupt", count, err)
		}
		bound := uint64(1<<20 + 300*min(count, MaxReadings))
		if got := after.TotalAlloc - before.TotalAlloc; got > bound {
			t.Errorf("count %d: allocated %d bytes, want at most %d", count, got, bound)
		}
	}
}

func TestHeaderDisagreesWithReadings(t *testing.T) {
	for name, off := range map[string]int{
		"quantities": offQuantities, "count": offCount, "first": offFirst, "last": offLast, "day": offDay,
	} {
		t.Run(name, func(t *testing.T) {
			p := mixedChunk(t)
			p[off] ^= 1
			var d Decoder
			if _, _, err := d.Decode(reseal(p), nil); !errors.Is(err, ErrCorrupt) {
				t.Errorf("error %v, want ErrCorrupt", err)
			}
		})
	}
}

func TestUnknownCodec(t *testing.T) {
	for name, off := range map[string]int{"codec": offCodec, "revision": offRevision, "schema": offSchema} {
		t.Run(name, func(t *testing.T) {
			p := mixedChunk(t)
			p[off] = 77
			reseal(p)
			var d Decoder
			if _, _, err := d.Decode(p, nil); !errors.Is(err, ErrUnknownCodec) {
				t.Errorf("error %v, want ErrUnknownCodec", err)
			}
			if h, err := ReadHeader(p); err != nil || h.Count != 230 {
				t.Errorf("the header of a codec to come: %d readings, %v; want 230", h.Count, err)
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(mixedChunk(f))
	f.Add(append([]byte(nil), mixedChunk(f)[:headerSize]...))
	f.Fuzz(func(t *testing.T, p []byte) {
		var d Decoder
		h, readings, err := d.Decode(reseal(append([]byte(nil), p...)), nil)
		if err != nil {
			if len(readings) > 0 || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnknownCodec) {
				t.Fatalf("%d readings and error %v", len(readings), err)
			}
			return
		}
		if err := checkReadings(h.Day, readings); err != nil || len(readings) != h.Count {
			t.Fatalf("%d of %d readings, %v", len(readings), h.Count, err)
		}
		if len(readings) > 1000 {
			return // a single value may be repeated for a whole chunk; keep the fuzzer fast
		}
		var e Encoder
		if _, err := e.Encode(nil, h, readings); err != nil {
			t.Fatalf("what decoded does not encode: %v", err)
		}
	})
}
