package rollup

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"pgregory.net/rapid"
)

func TestPackedDaysComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := drawDay(t, 20_000)
		for _, want := range []smartmeter.Quantities{smartmeter.AllQuantities, smartmeter.Power, smartmeter.Energy | smartmeter.Voltage} {
			all := fold(t, readings, smartmeter.AllQuantities, Quarter)
			if len(all) == 0 {
				continue
			}
			packed := AppendDay([]byte("before"), all)[len("before"):]
			for _, width := range []smartmeter.Millis{Quarter, Hour} {
				got, err := AppendBuckets(nil, packed, want, width)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(fold(t, readings, want, width), got); diff != "" {
					t.Fatalf("quantities %b, step %d ms (-folded +unpacked):\n%s", want, width, diff)
				}
			}
		}
	})
}

// What has been packed once is read for ever: this is version 1, worked out by
// hand from the description.
func TestFormatStays(t *testing.T) {
	readings := []smartmeter.Reading{
		at(2*day, smartmeter.Power|smartmeter.Energy, 10),        // 10 for a minute,
		at(2*day+60_000, smartmeter.Power|smartmeter.Energy, 12), // 12 for as long
	}
	const (
		version   = "01"
		day       = "04" // 2
		lengths   = "0000" + "0000" + "0c10" + "0a10" + "0000" + "0000"
		hour0     = "010000"                   // the mask
		values    = "14" + "02"                // 10, and 2 more at most
		missing   = "c0b3d401"                 // 3,480,000 ms of the hour
		last      = "02"                       // 2 more than 10
		weighed   = "025307"                   // the same 2 in 2 bits, and 2*60,000 in 18 bits
		quarter0  = "010000000000000000000000" // the mask
		asTheHour = "0000" + "0000"            // least and most; the rest is what is left of the hour
		power     = hour0 + values + missing + weighed + quarter0 + asTheHour
		energy    = hour0 + values + missing + last + quarter0 + asTheHour
		checksum  = "7cfa6886"
		want      = version + day + lengths + power + energy + checksum
	)
	packed := AppendDay(nil, fold(t, readings, smartmeter.AllQuantities, Quarter))
	if got := hex.EncodeToString(packed); got != want {
		t.Errorf("packed\n%s, want\n%s", got, want)
	}
}

func TestDamageIsAnError(t *testing.T) {
	packed := AppendDay(nil, fold(t, houseDay()[0], smartmeter.AllQuantities, Quarter))
	check := func(what string, i int, damaged []byte) {
		t.Helper()
		before := []smartmeter.Bucket{{At: 1}}
		got, err := AppendBuckets(before, damaged, smartmeter.AllQuantities, Quarter)
		if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnknownVersion) || !slices.Equal(got, before) {
			t.Errorf("%s at %d: %d buckets, error %v", what, i, len(got), err)
		}
	}
	for i := range packed {
		check("cut", i, packed[:i])
		for bit := range 8 {
			damaged := slices.Clone(packed)
			damaged[i] ^= 1 << bit
			check("flipped", i, damaged)
		}
	}
	check("longer", len(packed), append(slices.Clone(packed), 0))
}

func TestALaterVersionIsNamed(t *testing.T) {
	if _, err := AppendBuckets(nil, []byte{2, 0, 0, 0, 0, 0}, smartmeter.AllQuantities, Hour); !errors.Is(err, ErrUnknownVersion) {
		t.Errorf("error %v, want %v", err, ErrUnknownVersion)
	}
}

// Even with a right checksum bytes from anywhere are buckets or an error, and
// hours and quarters that are both readable agree on which hours there are.
func FuzzUnpack(f *testing.F) {
	body := func(p []byte) []byte { return p[:len(p)-crc32.Size] }
	f.Add(body(AppendDay(nil, fold(f, houseDay()[0], smartmeter.AllQuantities, Quarter))))
	f.Add(body(AppendDay(nil, fold(f, powers(day, 1, day+5000, 300), smartmeter.AllQuantities, Quarter))))
	f.Add([]byte{version})
	f.Fuzz(func(t *testing.T, p []byte) {
		p = binary.LittleEndian.AppendUint32(slices.Clip(p), crc32.Checksum(p, castagnoli))
		hours, err := AppendBuckets(nil, p, smartmeter.AllQuantities, Hour)
		if len(hours) > hoursDay || err != nil && len(hours) > 0 {
			t.Fatalf("%d hours, error %v", len(hours), err)
		}
		byQuarter, err := AppendBuckets(nil, p, smartmeter.AllQuantities, Quarter)
		if len(byQuarter) > quarters || err != nil && len(byQuarter) > 0 {
			t.Fatalf("%d quarters, error %v", len(byQuarter), err)
		}
		if err == nil && len(Compose(nil, byQuarter, Hour)) != len(hours) {
			t.Errorf("%d quarters do not make up %d hours", len(byQuarter), len(hours))
		}
	})
}

func TestBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w bitWriter
		var values []uint64
		widths := rapid.SliceOf(rapid.IntRange(0, 64)).Draw(t, "widths")
		for _, width := range widths {
			v := rapid.Uint64().Draw(t, "value") & (1<<width - 1)
			w.put(v, width)
			values = append(values, v)
		}
		r := bitReader{p: w.appendTo(nil)}
		for i, width := range widths {
			if got := r.take(width); got != values[i] {
				t.Fatalf("number %d of %d bits is %x, want %x", i, width, got, values[i])
			}
		}
		if !r.exhausted() {
			t.Fatalf("read up to bit %d of %d bytes", r.pos, len(r.p))
		}
	})
}
