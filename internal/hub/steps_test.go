package hub

import (
	"errors"
	"iter"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

func powers(watts map[smartmeter.Instant]smartmeter.Deciwatt, order ...smartmeter.Instant) iter.Seq2[smartmeter.Reading, error] {
	return func(yield func(smartmeter.Reading, error) bool) {
		for _, at := range order {
			r := smartmeter.Reading{At: at}
			r.Has, r.Power = smartmeter.Power, watts[at]
			if !yield(r, nil) {
				return
			}
		}
	}
}

const (
	power  = 2 // the bit of smartmeter.Power
	minute = smartmeter.Instant(60_000)
)

func TestFoldWeighsByTime(t *testing.T) {
	// 100 for 20 s, 400 for 40 s, into the next minute 50.
	got, err := fold(powers(map[smartmeter.Instant]smartmeter.Deciwatt{
		60_000: 100, 80_000: 400, 120_000: 50,
	}, 60_000, 80_000, 120_000), 180_000, 60_000)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	first, second := got[0], got[1]
	if p := first.Of[power]; first.At != minute || first.Covered() != 60_000 || p.Min != 100 || p.Max != 400 || p.Last != 400 || p.Mean != 300 {
		t.Errorf("first minute: at %d, covered %d, %+v", first.At, first.Covered(), p)
	}
	if p := second.Of[power]; second.At != 2*minute || second.Covered() != 40_000 || p.Mean != 50 {
		t.Errorf("second minute: at %d, covered %d, %+v; the last reading stands as long as the one before", second.At, second.Covered(), p)
	}
	if first.Of[0].Measured {
		t.Error("a voltage that nobody measured")
	}
}

func TestFoldLeavesGapsOpen(t *testing.T) {
	const hour = 60 * minute
	got, err := fold(powers(map[smartmeter.Instant]smartmeter.Deciwatt{
		hour: 100, hour + 5000: 100, 3 * hour: 300,
	}, hour, hour+5000, 3*hour), 5*hour, 60_000)
	if err != nil || len(got) != 2 {
		t.Fatalf("%d buckets, %v", len(got), err)
	}
	covered := smartmeter.Millis(0)
	for _, b := range got {
		if b.At >= hour+minute && b.At < 3*hour {
			t.Errorf("a bucket in the gap: %+v", b)
		}
		if b.At < 3*hour {
			covered += b.Covered()
		}
	}
	if covered != 5000+standsFor*5000 {
		t.Errorf("covered %d ms before the gap, want 20000", covered)
	}
}

func TestFoldPassesErrorsOn(t *testing.T) {
	broken := errors.New("broken")
	_, err := fold(func(yield func(smartmeter.Reading, error) bool) { yield(smartmeter.Reading{}, broken) }, 0, 60_000)
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// Whatever the steps, the weighted means add up to the integral of the power.
func TestStepsAgree(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	watts := make(map[smartmeter.Instant]smartmeter.Deciwatt)
	var order []smartmeter.Instant
	for at := smartmeter.Instant(0); at < 600*minute; at += smartmeter.Instant(1 + random.IntN(20_000)) {
		watts[at] = smartmeter.Deciwatt(random.IntN(20_000))
		order = append(order, at)
	}
	integral := func(width smartmeter.Millis) (sum float64, covered smartmeter.Millis) {
		buckets, err := fold(powers(watts, order...), 600*minute, width)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range buckets {
			p := b.Of[power]
			if p.Mean < float64(p.Min)-1e-6 || p.Mean > float64(p.Max)+1e-6 || b.Covered() > width {
				t.Errorf("bucket %+v", b)
			}
			sum += p.Mean * float64(b.Covered())
			covered += b.Covered()
		}
		return sum, covered
	}
	want, wantCovered := integral(60_000)
	for _, width := range []smartmeter.Millis{900_000, 3_600_000} {
		got, covered := integral(width)
		if math.Abs(got-want) > want*1e-9 || covered != wantCovered {
			t.Errorf("step %d ms: %v over %d ms, want %v over %d", width, got, covered, want, wantCovered)
		}
	}
}

// The fielded sketch sends its register apart, between the powers.
func TestFoldTakesQuantitiesApart(t *testing.T) {
	got, err := fold(func(yield func(smartmeter.Reading, error) bool) {
		for at := smartmeter.Instant(0); at < 10*minute; at += 5000 {
			r := smartmeter.Reading{At: at}
			r.Has, r.Power = smartmeter.Power, 0
			if at%minute < 20_000 {
				r.Power = 30_000
			}
			register := smartmeter.Reading{At: at + 50}
			register.Has, register.Energy = smartmeter.Energy, smartmeter.WattHour(at)
			if !yield(r, nil) || at%minute == 0 && !yield(register, nil) {
				return
			}
		}
	}, 10*minute, 60_000)
	if err != nil || len(got) != 10 {
		t.Fatalf("%d buckets, %v", len(got), err)
	}
	for _, b := range got {
		if p := b.Of[power]; p.Mean != 10_000 || p.Covered != 60_000 {
			t.Errorf("at %d: mean %v dW over %d ms, want 10000 over 60000", b.At, p.Mean, p.Covered)
		}
	}
}

func TestFoldEndsWithItsRange(t *testing.T) {
	got, err := fold(powers(map[smartmeter.Instant]smartmeter.Deciwatt{50_000: 1, 59_000: 1}, 50_000, 59_000), 60_000, 60_000)
	if err != nil || len(got) != 1 || got[0].Covered() != 10_000 {
		t.Errorf("%+v, %v", got, err)
	}
}
