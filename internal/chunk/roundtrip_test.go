package chunk

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
)

// kept returns what a chunk gives back of the readings.
func kept(readings []smartmeter.Reading, want smartmeter.Quantities) []smartmeter.Reading {
	out := make([]smartmeter.Reading, len(readings))
	for i, r := range readings {
		r.Node, r.Channel = "", 0
		r.Has &= want
		r.Measurement = measured(r.Measurement)
		out[i] = r
	}
	return out
}

func TestReadingsComeBack(t *testing.T) {
	midnight := testDay.Midnight()
	full := smartmeter.Measurement{
		Has: smartmeter.AllQuantities, Voltage: 2301, Current: 4348, Power: 9983,
		Energy: 123_456, Frequency: 500, PowerFactor: 99,
	}
	extreme := smartmeter.Measurement{
		Has: smartmeter.AllQuantities, Voltage: math.MinInt32, Current: math.MaxInt32, Power: math.MinInt32,
		Energy: math.MinInt64, Frequency: math.MaxInt32, PowerFactor: math.MinInt32,
	}
	opposite := smartmeter.Measurement{
		Has: smartmeter.AllQuantities, Voltage: math.MaxInt32, Current: math.MinInt32, Power: math.MaxInt32,
		Energy: math.MaxInt64, Frequency: math.MinInt32, PowerFactor: math.MaxInt32,
	}
	tests := map[string][]smartmeter.Reading{
		"none":      {},
		"one":       {{At: midnight, Boot: 1, Seq: 1, Measurement: full}},
		"the edges": {{At: midnight, Measurement: full}, {At: midnight + dayMillis - 1, Measurement: full}},
		"nothing measured": {
			{At: midnight + 1, Timing: smartmeter.ByArrival},
			{At: midnight + 2, Timing: smartmeter.ByArrival},
		},
		"legacy, twice the same": {
			{At: midnight + 5000, Timing: smartmeter.ByArrival, Measurement: full},
			{At: midnight + 5000, Timing: smartmeter.ByArrival, Measurement: full},
		},
		"a sequence at its end": {
			{At: midnight, Boot: math.MaxUint32, Seq: math.MaxUint32, Measurement: full},
			{At: midnight + 1, Boot: 0, Seq: 0, Measurement: full},
			{At: midnight + 2, Boot: math.MaxUint32, Seq: 1, Measurement: full},
		},
		"extremes": {
			{At: midnight, Boot: 1, Seq: 1, Measurement: extreme},
			{At: midnight + 1, Boot: 1, Seq: 2, Measurement: opposite},
			{At: midnight + 86_399_999, Boot: 1, Seq: 3, Measurement: extreme},
		},
		"an unknown timing": {
			{At: midnight, Timing: 255, Measurement: smartmeter.Measurement{Has: smartmeter.Power, Power: 1}},
		},
	}
	for name, readings := range tests {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			var d Decoder
			p, err := e.Encode(nil, Header{Day: testDay}, readings)
			if err != nil {
				t.Fatal(err)
			}
			_, got, err := d.Decode(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(kept(readings, smartmeter.AllQuantities), got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// hostile draws days that no meter has: any field may be anything, and yet there
// are runs in it that models hold on to.
func hostile(t *rapid.T, d Day) []smartmeter.Reading {
	n := rapid.IntRange(0, 300).Draw(t, "readings")
	step := rapid.SampledFrom([]int64{0, 1, 1000, 5000, 60_000, 250_000}).Draw(t, "step")
	number := func(name string, around int64) int64 {
		switch rapid.IntRange(0, 9).Draw(t, name+" kind") {
		case 0:
			return rapid.Int64().Draw(t, name)
		case 1:
			return 0
		default:
			return around + rapid.Int64Range(-20, 20).Draw(t, name)
		}
	}
	at, boot, seq := int64(0), uint32(0), uint32(0)
	var readings []smartmeter.Reading
	for range n {
		at += step + max(0, rapid.Int64Range(-30, 3).Draw(t, "late"))
		switch rapid.IntRange(0, 20).Draw(t, "event") {
		case 0:
			boot, seq = rapid.Uint32().Draw(t, "boot"), 0
		case 1:
			seq += rapid.Uint32().Draw(t, "gap")
			at += rapid.Int64Range(0, 20_000_000).Draw(t, "away")
		case 2:
			boot, seq = 0, 0
		}
		if boot != 0 {
			seq++
		}
		readings = append(readings, smartmeter.Reading{
			Node: "n", Channel: 3,
			At:     d.Midnight() + smartmeter.Instant(at%dayMillis),
			Timing: smartmeter.Timing(rapid.IntRange(0, 20).Draw(t, "timing") / 20),
			Boot:   smartmeter.BootID(boot), Seq: seq,
			Measurement: smartmeter.Measurement{
				Has:         smartmeter.AllQuantities &^ (smartmeter.Quantities(rapid.Uint8().Draw(t, "lacks")) & smartmeter.Quantities(rapid.Uint8().Draw(t, "lacks, too"))),
				Voltage:     smartmeter.Decivolt(number("voltage", 2300)),
				Current:     smartmeter.Milliamp(number("current", 4000)),
				Power:       smartmeter.Deciwatt(number("power", 9000)),
				Energy:      smartmeter.WattHour(number("energy", at/3600)),
				Frequency:   smartmeter.Decihertz(number("frequency", 500)),
				PowerFactor: smartmeter.Hundredth(number("power factor", 98)),
			},
		})
	}
	slices.SortStableFunc(readings, func(a, b smartmeter.Reading) int { return compare(&a, &b) })
	return readings
}

func TestAnythingComesBack(t *testing.T) {
	var e Encoder // used again, as the store does
	var d Decoder
	rapid.Check(t, func(rt *rapid.T) {
		h := Header{
			Site: ID{1}, Channel: ID{15: 2}, Version: rapid.Uint32().Draw(rt, "version"),
			Day: Day(rapid.Int32().Draw(rt, "day")),
		}
		readings := hostile(rt, h.Day)
		before := []byte("before")
		p, err := e.Encode(before, h, readings)
		if err != nil {
			rt.Fatal(err)
		}
		if !bytes.HasPrefix(p, before) {
			rt.Fatal("Encode does not append")
		}
		p = p[len(before):]

		want := h
		want.describe(readings)
		got, back, err := d.Decode(p, nil)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			rt.Error(diff)
		}
		if diff := cmp.Diff(kept(readings, smartmeter.AllQuantities), back, cmpopts.EquateEmpty()); diff != "" {
			rt.Error(diff)
		}
		if got.Hash != Hash(back) {
			rt.Error("what comes back has another hash")
		}

		if diff := cmp.Diff(kept(readings, smartmeter.AllQuantities), readByTheBook(p), cmpopts.EquateEmpty()); diff != "" {
			rt.Error("by the book:", diff)
		}

		var fresh Encoder
		again, err := fresh.Encode(nil, h, back)
		if err != nil || !bytes.Equal(p, again) {
			rt.Errorf("equal readings gave other bytes (%v)", err)
		}

		some := smartmeter.Quantities(rapid.Uint8().Draw(rt, "quantities"))
		_, part, err := d.DecodeOnly(p, some, back)
		if err != nil {
			rt.Fatal(err)
		}
		if diff := cmp.Diff(kept(readings, some), part, cmpopts.EquateEmpty()); diff != "" {
			rt.Error(diff)
		}
	})
}

func TestDecoderForgetsTheChunkBefore(t *testing.T) {
	var e Encoder
	var d Decoder
	var sizes [columns]int
	full := newHousehold(7).day(testDay)[:100]
	bare := kept(full[:50], smartmeter.Power)
	if _, _, err := d.Decode(pack(t, &e, testDay, full, &sizes), nil); err != nil {
		t.Fatal(err)
	}
	_, got, err := d.Decode(pack(t, &e, testDay, bare, &sizes), slices.Clone(full))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bare, got, cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestReadGivesPartsOfADay(t *testing.T) {
	_, readings := mixedDay(t)
	for i := range readings {
		readings[i].Node, readings[i].Channel = "n", 2
	}
	var d Decoder
	if _, err := d.Unpack(mixedChunk(t), smartmeter.AllQuantities); err != nil {
		t.Fatal(err)
	}
	at := func(i int) smartmeter.Instant { return readings[i].At }
	for name, tt := range map[string]struct {
		from, to   smartmeter.Instant
		first, end int
	}{
		"all":            {at(0), at(229) + 1, 0, 230},
		"a part":         {at(17), at(200), 17, 200},
		"between two":    {at(17) + 1, at(18), 18, 18},
		"the day before": {at(0) - dayMillis, at(0), 0, 0},
		"the day after":  {at(229) + 1, at(229) + dayMillis, 230, 230},
		"backwards":      {at(9), at(3), 9, 9},
	} {
		t.Run(name, func(t *testing.T) {
			first, end := d.Between(tt.from, tt.to)
			if first != tt.first || end != tt.end {
				t.Fatalf("readings %d to %d, want %d to %d", first, end, tt.first, tt.end)
			}
			got := make([]smartmeter.Reading, end-first)
			d.Read(got, first, "n", 2)
			if diff := cmp.Diff(readings[first:end], got, cmpopts.EquateEmpty()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEncodeRefuses(t *testing.T) {
	midnight := testDay.Midnight()
	tests := map[string]struct {
		readings []smartmeter.Reading
		say      string
	}{
		"the day before": {[]smartmeter.Reading{{At: midnight - 1}}, "give each day its own chunk"},
		"the day after":  {[]smartmeter.Reading{{At: midnight + dayMillis}}, "give each day its own chunk"},
		"a day as many days away as an int32 has": {
			[]smartmeter.Reading{{At: midnight + dayMillis<<32}}, "give each day its own chunk",
		},
		"an unknown time": {[]smartmeter.Reading{{}}, "is of 1970-01-01"},
		"disorder":        {[]smartmeter.Reading{{At: midnight + 1}, {At: midnight}}, "sort them"},
		"disorder of sequence": {
			[]smartmeter.Reading{{At: midnight, Boot: 1, Seq: 2}, {At: midnight, Boot: 1, Seq: 1}}, "sort them",
		},
		"an unknown quantity": {
			[]smartmeter.Reading{{At: midnight, Measurement: smartmeter.Measurement{Has: 64}}}, "no column",
		},
		"too many": {slices.Repeat([]smartmeter.Reading{{At: midnight}}, MaxReadings+1), "too many"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var e Encoder
			_, err := e.Encode(nil, Header{Day: testDay}, tt.readings)
			if err == nil || !strings.Contains(err.Error(), tt.say) {
				t.Errorf("error %v, want one that says %q", err, tt.say)
			}
		})
	}
}

func TestFullChunkComesBack(t *testing.T) {
	readings := make([]smartmeter.Reading, MaxReadings)
	for i := range readings {
		readings[i] = smartmeter.Reading{
			At: testDay.Midnight() + smartmeter.Instant(i*400), Boot: 1, Seq: uint32(i),
			Measurement: smartmeter.Measurement{Has: smartmeter.Power, Power: smartmeter.Deciwatt(i % 7)},
		}
	}
	var e Encoder
	var d Decoder
	p, err := e.Encode(nil, Header{Day: testDay}, readings)
	if err != nil {
		t.Fatal(err)
	}
	_, got, err := d.Decode(p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(readings, got) {
		t.Error("a full chunk comes back differently")
	}
}

func TestDay(t *testing.T) {
	tests := []struct {
		at   smartmeter.Instant
		date string
	}{
		{0, "1970-01-01"},
		{-1, "1969-12-31"},
		{-dayMillis, "1969-12-31"},
		{-dayMillis - 1, "1969-12-30"},
		{1_728_000_000_000 - 1, "2024-10-03"},
		{1_728_000_000_000, "2024-10-04"},
	}
	for _, tt := range tests {
		if got := DayOf(tt.at).String(); got != tt.date {
			t.Errorf("DayOf(%d) = %s, want %s", tt.at, got, tt.date)
		}
	}
}
