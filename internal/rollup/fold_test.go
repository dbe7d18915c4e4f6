package rollup

import (
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
