package store

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"pgregory.net/rapid"
)

// anyReading draws a reading without a node, absent quantities 0.
func anyReading(t *rapid.T) smartmeter.Reading {
	r := smartmeter.Reading{
		At:     smartmeter.Instant(rapid.Int64Range(0, 1<<50).Draw(t, "at")),
		Timing: smartmeter.Timing(rapid.IntRange(0, 1).Draw(t, "timing")),
		Boot:   smartmeter.BootID(rapid.Uint32().Draw(t, "boot")),
		Seq:    rapid.Uint32().Draw(t, "seq"),
	}
	r.Has = smartmeter.Quantities(rapid.IntRange(0, 63).Draw(t, "has"))
	for q, v := range map[smartmeter.Quantities]func(int64){
		smartmeter.Voltage:     func(v int64) { r.Voltage = smartmeter.Decivolt(v) },
		smartmeter.Current:     func(v int64) { r.Current = smartmeter.Milliamp(v) },
		smartmeter.Power:       func(v int64) { r.Power = smartmeter.Deciwatt(v) },
		smartmeter.Energy:      func(v int64) { r.Energy = smartmeter.WattHour(v) },
		smartmeter.Frequency:   func(v int64) { r.Frequency = smartmeter.Decihertz(v) },
		smartmeter.PowerFactor: func(v int64) { r.PowerFactor = smartmeter.Hundredth(v) },
	} {
		if r.Has.Has(q) {
			v(int64(rapid.Int32().Draw(t, "value")))
		}
	}
	return r
}

func TestRecordsOfReadingsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type group struct {
			Number   uint32
			Readings []smartmeter.Reading
		}
		var want, got []group
		at := smartmeter.Instant(rapid.Int64Range(0, 1<<50).Draw(t, "at"))
		record := beginRecord(nil, at)
		for range rapid.IntRange(0, 4).Draw(t, "groups") {
			g := group{rapid.Uint32().Draw(t, "number"), rapid.SliceOfN(rapid.Custom(anyReading), 1, 5).Draw(t, "readings")}
			want = append(want, g)
			record = appendGroup(record, at, g.Number, g.Readings)
		}
		err := decodeGroups(record, func(number uint32, readings []smartmeter.Reading) error {
			got = append(got, group{number, append([]smartmeter.Reading(nil), readings...)})
			return nil
		})
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, d)
		}
		if n := len(record); n > 0 { // a part of it is an error, or whole groups
			cut := rapid.IntRange(0, n-1).Draw(t, "cut")
			whole := 0
			err := decodeGroups(record[:cut], func(uint32, []smartmeter.Reading) error { whole++; return nil })
			if err == nil && whole >= len(want) {
				t.Fatalf("%d of %d bytes give all groups", cut, n)
			}
		}
	})
}

func FuzzDecodeGroups(f *testing.F) {
	f.Add(appendGroup(beginRecord(nil, 7), 7, 3, []smartmeter.Reading{{At: 1, Boot: 2, Seq: 3}, {At: 4, Boot: 2, Seq: 4}}))
	f.Add([]byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, p []byte) {
		n := 0
		_ = decodeGroups(p, func(_ uint32, readings []smartmeter.Reading) error { n += len(readings); return nil })
		if n >= max(len(p), 1) {
			t.Errorf("%d readings of %d bytes", n, len(p))
		}
	})
}

// Two readings of a node that works as usual fit in the room the log has for
// a hundred nodes in one block.
func TestUsualReadingsAreSmall(t *testing.T) {
	r := smartmeter.Reading{At: 1_790_000_000_000, Boot: 0xdeadbeef, Seq: 123_456, Measurement: smartmeter.Measurement{
		Has: smartmeter.AllQuantities, Voltage: 2301, Current: 6521, Power: 15004, Energy: 1_234_567, Frequency: 500, PowerFactor: 99,
	}}
	next := r
	next.At += 5003
	next.Seq++
	next.Voltage -= 3
	next.Current += 40
	next.Power -= 70
	next.Energy += 2
	if n := len(appendGroup(nil, r.At-9000, 77, []smartmeter.Reading{r, next})); n > 40 {
		t.Errorf("%d bytes, want at most 40", n)
	}
}
