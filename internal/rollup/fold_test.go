package rollup

import (
	"errors"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"pgregory.net/rapid"
)

const day = smartmeter.Instant(Day)

// drawDay draws the readings of a UTC day: spells of even sampling, with gaps
// between them and quantities missing here and there.
func drawDay(t *rapid.T, unixDay int64) []smartmeter.Reading {
	midnight := smartmeter.Instant(unixDay) * day
	at := midnight + smartmeter.Instant(rapid.Int64Range(0, int64(Day)-1).Draw(t, "first"))
	var readings []smartmeter.Reading
	for range rapid.IntRange(0, 4).Draw(t, "spells") {
		spacing := smartmeter.Instant(rapid.Int64Range(0, 20*60_000).Draw(t, "spacing"))
		for range rapid.IntRange(1, 40).Draw(t, "samples") {
			if at >= midnight+day {
				return readings
			}
			readings = append(readings, drawReading(t, at))
			at += spacing
		}
		at += smartmeter.Instant(rapid.Int64Range(0, int64(Day)/4).Draw(t, "gap"))
	}
	return readings
}

func drawReading(t *rapid.T, at smartmeter.Instant) smartmeter.Reading {
	r := smartmeter.Reading{At: at}
	r.Has = smartmeter.Quantities(rapid.IntRange(0, int(smartmeter.AllQuantities)).Draw(t, "has"))
	r.Voltage = smartmeter.Decivolt(rapid.Int32().Draw(t, "voltage"))
	r.Current = smartmeter.Milliamp(rapid.Int32Range(-5, 100_000).Draw(t, "current"))
	r.Power = smartmeter.Deciwatt(rapid.Int32Range(-260_000, 260_000).Draw(t, "power"))
	r.Energy = smartmeter.WattHour(rapid.Int64().Draw(t, "energy"))
	r.Frequency = smartmeter.Decihertz(rapid.Int32Range(498, 502).Draw(t, "frequency"))
	r.PowerFactor = smartmeter.Hundredth(rapid.Int32Range(0, 100).Draw(t, "factor"))
	return r
}

type fatal interface{ Fatal(args ...any) }

// fold is Fold without bounds and without errors.
func fold(t fatal, readings []smartmeter.Reading, want smartmeter.Quantities, width smartmeter.Millis) []smartmeter.Bucket {
	return foldRange(t, readings, want, -1<<62, 1<<62, width)
}

func foldRange(t fatal, readings []smartmeter.Reading, want smartmeter.Quantities, from, to smartmeter.Instant, width smartmeter.Millis) (buckets []smartmeter.Bucket) {
	for b, err := range Fold(of(readings), want, from, to, width) {
		if err != nil {
			t.Fatal(err)
		}
		buckets = append(buckets, b)
	}
	return buckets
}

// of yields readings as a store does.
func of(readings []smartmeter.Reading) iter.Seq2[smartmeter.Reading, error] {
	return func(yield func(smartmeter.Reading, error) bool) {
		for _, r := range readings {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Folding in wide steps and composing finer ones is the same, to the last digit.
func TestSumsCompose(t *testing.T) {
	const minute = smartmeter.Millis(60_000)
	rapid.Check(t, func(t *rapid.T) {
		readings := append(drawDay(t, 20_000), drawDay(t, 20_001)...)
		for _, w := range []struct{ finer, width smartmeter.Millis }{
			{minute, Quarter}, {minute, Hour}, {minute, Day}, {Quarter, Hour}, {Quarter, Day}, {Hour, Day},
		} {
			finer := fold(t, readings, smartmeter.AllQuantities, w.finer)
			want := fold(t, readings, smartmeter.AllQuantities, w.width)
			if diff := cmp.Diff(want, Compose(nil, finer, w.width)); diff != "" {
				t.Fatalf("%d ms from %d ms (-folded +composed):\n%s", w.width, w.finer, diff)
			}
		}
	})
}

// at returns a reading of some quantities, all of them of the same value.
func at(millis smartmeter.Instant, has smartmeter.Quantities, v int32) smartmeter.Reading {
	return smartmeter.Reading{At: millis, Measurement: smartmeter.Measurement{
		Has: has, Voltage: smartmeter.Decivolt(v), Current: smartmeter.Milliamp(v), Power: smartmeter.Deciwatt(v),
		Energy: smartmeter.WattHour(v), Frequency: smartmeter.Decihertz(v), PowerFactor: smartmeter.Hundredth(v),
	}}
}

// powers returns readings of power alone, given as pairs of time and value.
func powers(pairs ...smartmeter.Instant) (readings []smartmeter.Reading) {
	for i := 0; i < len(pairs); i += 2 {
		readings = append(readings, at(pairs[i], smartmeter.Power, int32(pairs[i+1])))
	}
	return readings
}

// step is a bucket with nothing but power in it.
func step(at smartmeter.Instant, power smartmeter.Summary) smartmeter.Bucket {
	b := smartmeter.Bucket{At: at}
	b.Of[2] = power
	b.Of[2].Measured = true
	return b
}

func TestFold(t *testing.T) {
	const (
		second = 1000
		minute = 60 * second
		hour   = 60 * minute
	)
	for _, tt := range []struct {
		name     string
		readings []smartmeter.Reading
		from, to smartmeter.Instant
		want     []smartmeter.Bucket
	}{
		{
			name:     "a value is weighed by the time that it stands",
			readings: powers(minute, 100, minute+20*second, 400, 2*minute, 50),
			to:       day,
			want: []smartmeter.Bucket{
				step(minute, smartmeter.Summary{Min: 100, Max: 400, Last: 400, Weighted: 100*20_000 + 400*40_000, Covered: 60_000}),
				step(2*minute, smartmeter.Summary{Min: 50, Max: 50, Last: 50, Weighted: 50 * 40_000, Covered: 40_000}),
			},
		},
		{
			name:     "it stands three times as long as the one before it, at most",
			readings: powers(hour, 1, hour+5*second, 2, 3*hour, 3),
			to:       day,
			want: []smartmeter.Bucket{
				step(hour, smartmeter.Summary{Min: 1, Max: 2, Last: 2, Weighted: 5_000 + 2*15_000, Covered: 20_000}),
				step(3*hour, smartmeter.Summary{Min: 3, Max: 3, Last: 3, Weighted: 3 * 15_000, Covered: 15_000}),
			},
		},
		{
			name:     "the first one stands three minutes, at most",
			readings: powers(hour, 7, 2*hour, 8),
			to:       2*hour + minute,
			want: []smartmeter.Bucket{
				step(hour, smartmeter.Summary{Min: 7, Max: 7, Last: 7, Weighted: 7 * 60_000, Covered: 60_000}),
				step(hour+minute, smartmeter.Summary{Min: 7, Max: 7, Last: 7, Weighted: 7 * 60_000, Covered: 60_000}),
				step(hour+2*minute, smartmeter.Summary{Min: 7, Max: 7, Last: 7, Weighted: 7 * 60_000, Covered: 60_000}),
				step(2*hour, smartmeter.Summary{Min: 8, Max: 8, Last: 8, Weighted: 8 * 60_000, Covered: 60_000}),
			},
		},
		{
			name:     "nothing stands across midnight, or is carried over it",
			readings: powers(day-20*second, 1, day-10*second, 2, day+30*second, 3, day+50*second, 4),
			to:       2 * day,
			want: []smartmeter.Bucket{
				step(day-minute, smartmeter.Summary{Min: 1, Max: 2, Last: 2, Weighted: 30_000, Covered: 20_000}),
				step(day, smartmeter.Summary{Min: 3, Max: 4, Last: 4, Weighted: 3*20_000 + 4*10_000, Covered: 30_000}),
				step(day+minute, smartmeter.Summary{Min: 4, Max: 4, Last: 4, Weighted: 4 * 10_000, Covered: 10_000}),
			},
		},
		{
			name:     "the only one of a day is there, but for no time",
			readings: powers(hour, 5),
			to:       day,
			want:     []smartmeter.Bucket{step(hour, smartmeter.Summary{Min: 5, Max: 5, Last: 5})},
		},
		{
			name:     "of two at the same instant the later one stands",
			readings: powers(0, 5, 0, 3, second, 3),
			to:       2 * second,
			want:     []smartmeter.Bucket{step(0, smartmeter.Summary{Min: 3, Max: 5, Last: 3, Weighted: 6_000, Covered: 2_000})},
		},
		{
			name:     "readings are clipped to the range",
			readings: powers(0, 1, 50*second, 2, 59*second, 3, minute, 4),
			from:     50 * second,
			to:       minute,
			want:     []smartmeter.Bucket{step(0, smartmeter.Summary{Min: 2, Max: 3, Last: 3, Weighted: 2*9_000 + 3*1_000, Covered: 10_000})},
		},
		{
			name:     "before 1970, too",
			readings: powers(-minute, 1, -30*second, 1),
			from:     -day,
			to:       day,
			want:     []smartmeter.Bucket{step(-minute, smartmeter.Summary{Min: 1, Max: 1, Last: 1, Weighted: 60_000, Covered: 60_000})},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := foldRange(t, tt.readings, smartmeter.AllQuantities, tt.from, tt.to, minute)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestARegisterIsNotWeighed(t *testing.T) {
	got := fold(t, []smartmeter.Reading{at(0, smartmeter.Energy, 40), at(1000, smartmeter.Energy, 41)}, smartmeter.AllQuantities, Hour)
	want := smartmeter.Summary{Measured: true, Min: 40, Max: 41, Last: 41, Covered: 2000}
	if len(got) != 1 || got[0].Of[register] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// It is the same whether quantities come together or each on its own, and a
// quantity is the same whatever else is asked for.
func TestQuantitiesGoTheirOwnWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		together := drawDay(t, 20_000)
		var apart []smartmeter.Reading
		for _, r := range together {
			for i := range smartmeter.QuantityCount {
				single := r
				single.Has &= 1 << i
				apart = append(apart, single)
			}
		}
		want := fold(t, together, smartmeter.AllQuantities, Quarter)
		if diff := cmp.Diff(want, fold(t, apart, smartmeter.AllQuantities, Quarter)); diff != "" {
			t.Fatalf("(-together +apart):\n%s", diff)
		}
		power := map[smartmeter.Instant]smartmeter.Summary{}
		for _, b := range fold(t, together, smartmeter.Power, Quarter) {
			power[b.At] = b.Of[2]
		}
		for _, b := range want {
			if b.Of[2] != power[b.At] {
				t.Fatalf("at %d power is %+v, and alone %+v", b.At, b.Of[2], power[b.At])
			}
		}
	})
}

// Days depend on nothing but their own readings.
func TestDaysStandAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, second := drawDay(t, 20_000), drawDay(t, 20_001)
		want := append(fold(t, first, smartmeter.AllQuantities, Quarter), fold(t, second, smartmeter.AllQuantities, Quarter)...)
		got := fold(t, append(first, second...), smartmeter.AllQuantities, Quarter)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-each on its own +together):\n%s", diff)
		}
	})
}

// One may look at a day before it is over; it goes on as if nobody had.
func TestFolderGoesOnAfterALook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := drawDay(t, 20_000)
		f := NewFolder(smartmeter.AllQuantities, Quarter)
		for i := range readings {
			f.Add(&readings[i])
			now := f.AppendBuckets(nil, 1<<62)
			if diff := cmp.Diff(fold(t, readings[:i+1], smartmeter.AllQuantities, Quarter), now); diff != "" {
				t.Fatalf("after %d readings (-folded +looked at):\n%s", i+1, diff)
			}
		}
	})
}

func TestFoldEndsWithAnError(t *testing.T) {
	broken := errors.New("broken")
	for name, tt := range map[string]struct {
		readings iter.Seq2[smartmeter.Reading, error]
		want     error
	}{
		"of the readings":     {func(yield func(smartmeter.Reading, error) bool) { yield(smartmeter.Reading{}, broken) }, broken},
		"when time goes back": {of(powers(5000, 1, 4999, 1, 6000, 1)), errOrder},
	} {
		t.Run(name, func(t *testing.T) {
			var errs []error
			for _, err := range Fold(tt.readings, smartmeter.AllQuantities, 0, day, Hour) {
				errs = append(errs, err)
			}
			if len(errs) != 1 || !errors.Is(errs[0], tt.want) {
				t.Errorf("yielded %v, want only %v", errs, tt.want)
			}
		})
	}
}

// Whoever has enough stops, after any bucket.
func TestFoldStops(t *testing.T) {
	readings := powers(0, 1, 20*60_000, 1, day, 1, day+20*60_000, 1)
	for enough := 1; enough <= 4; enough++ {
		n := 0
		for range Fold(of(readings), smartmeter.AllQuantities, 0, 2*day, Quarter) {
			if n++; n == enough {
				break
			}
		}
		if n != enough {
			t.Errorf("%d buckets, want %d", n, enough)
		}
	}
}
