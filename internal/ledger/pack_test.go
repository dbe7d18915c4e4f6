package ledger_test

import (
	"encoding/hex"
	"errors"
	"slices"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// What was written once must be read for ever.
func TestPackedFormIsPinned(t *testing.T) {
	s := ledger.Sums{Day: begin}
	for i := range 40 {
		s.Quarters[i+8] = ledger.Quarter{Energy: smartmeter.WattHour(i * 10), Quality: smartmeter.EnergyMeasured}
	}
	s.Quarters[20].Quality = smartmeter.EnergyQuarantined | smartmeter.EnergyInterpolated
	const want = "01" + "0008" + "010c" + "1201" + "011b" + "0030" +
		"000a141e28323c46505a646e7882018c019601a001aa01b401be01c801d201dc01e601f001fa018402" +
		"8e029802a202ac02b602c002ca02d402de02e802f202fc028603"
	packed := s.Append(nil)
	if got := hex.EncodeToString(packed); got != want {
		t.Errorf("packed\n%s, want\n%s", got, want)
	}
	var got ledger.Sums
	if err := got.Decode(begin, packed); err != nil {
		t.Fatal(err)
	}
	wantSame(t, "sums", got, s)
}

func TestSizesOfADay(t *testing.T) {
	days, sums := household(3).settled()
	day, sum := len(days[1].Append(nil)), len(sums[1].Append(nil))
	t.Logf("a day takes %d bytes, its sums %d", day, sum)
	if day > 1000 || sum > 200 {
		t.Errorf("a day takes %d bytes and its sums %d, want at most 1000 and 200", day, sum)
	}
}

// household is some days of a meter read every 5 s, at loads that change.
func household(days int) *script {
	s := newScript()
	var used int64
	for end := s.now + smartmeter.Instant(days)*24*hour; s.now < end; {
		power := 600 + int64(s.now/(10*minute))*7919%12_000
		used += power * 5000
		s.reads(5*second, smartmeter.Deciwatt(power), 438_816+smartmeter.WattHour(used/unit))
	}
	return s
}

func TestDamageIsFound(t *testing.T) {
	days, sums := jumped().settled()
	day, sum := days[0].Append(nil), sums[0].Append(nil)
	for n := range day {
		if err := new(ledger.Day).Decode(begin, day[:n]); !errors.Is(err, ledger.ErrDamaged) {
			t.Fatalf("the first %d bytes of a day: %v", n, err)
		}
	}
	for n := range sum {
		if err := new(ledger.Sums).Decode(begin, sum[:n]); !errors.Is(err, ledger.ErrDamaged) {
			t.Fatalf("the first %d bytes of sums: %v", n, err)
		}
	}
	for _, packed := range [][]byte{append(slices.Clone(day), 0), {2}} {
		if err := new(ledger.Day).Decode(begin, packed); !errors.Is(err, ledger.ErrDamaged) {
			t.Errorf("more, or another version: %v", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	days, sums := jumped().settled()
	f.Add(days[0].Append(nil))
	f.Add(sums[0].Append(nil))
	f.Fuzz(func(t *testing.T, packed []byte) {
		var d ledger.Day
		if d.Decode(begin, packed) == nil {
			again := d.Append(nil)
			var same ledger.Day
			if err := same.Decode(begin, again); err != nil {
				t.Fatalf("a day that was read is written as %v", err)
			}
			wantSame(t, "day", same, d)
			ledger.Settle([]ledger.Day{d}, nil, ledger.Range{First: begin - 1, Last: begin})
		}
		var s ledger.Sums
		if s.Decode(begin, packed) == nil {
			var same ledger.Sums
			if err := same.Decode(begin, s.Append(nil)); err != nil {
				t.Fatalf("sums that were read are written as %v", err)
			}
			wantSame(t, "sums", same, s)
		}
	})
}
