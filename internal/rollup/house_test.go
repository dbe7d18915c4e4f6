package rollup

import (
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
)

// houseDay returns a whole UTC day of each meter of the simulated house,
// sampled every 5 s, as nodes keep time: on a grid of their own, with
// the odd hiccup. The first is the main meter's.
var houseDay = sync.OnceValue(func() [][]smartmeter.Reading {
	start := time.Date(2026, time.November, 15, 0, 0, 0, 0, time.UTC)
	house, err := sim.New(sim.Config{
		Seed:    1,
		Start:   start,
		Connect: func(sim.Peer) (sim.Link, error) { return nowhere{}, nil },
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		panic(err)
	}
	random := rand.New(rand.NewPCG(1, 0))
	var days [][]smartmeter.Reading
	for midnight, readings := range house.History(1) {
		if midnight.Equal(start) {
			continue // today has not begun
		}
		var node smartmeter.NodeID
		var grid smartmeter.Instant
		for r := range readings {
			if r.Node != node {
				node, grid = r.Node, smartmeter.Instant(random.IntN(4000))
				days = append(days, nil)
			}
			r.At += grid
			if random.IntN(20) == 0 {
				r.At += smartmeter.Instant(random.IntN(900))
			}
			days[len(days)-1] = append(days[len(days)-1], r)
		}
	}
	return days
})

// nowhere is the link of a node whose messages nobody hears.
type nowhere struct{}

func (nowhere) Publish(string, []byte, uint8, bool) bool { return true }
func (nowhere) Close() error                             { return nil }

func TestDaysOfTheHouseAreSmall(t *testing.T) {
	const target = 3000
	var total int
	for _, readings := range houseDay() {
		packed := AppendDay(nil, fold(t, readings, smartmeter.AllQuantities, Quarter))
		t.Logf("%s: %d readings, %d bytes", readings[0].Node, len(readings), len(packed))
		total += len(packed)
	}
	if mean := total / len(houseDay()); mean > target {
		t.Errorf("a day takes %d bytes in the mean, want at most %d", mean, target)
	}
}

func BenchmarkFoldDay(b *testing.B) {
	readings := houseDay()[0]
	for _, width := range []smartmeter.Millis{60_000, Quarter, Hour} {
		b.Run(time.Duration(width*1e6).String(), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				fold(b, readings, smartmeter.AllQuantities, width)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(readings)), "ns/reading")
		})
	}
}

func BenchmarkPackDay(b *testing.B) {
	quarters := fold(b, houseDay()[0], smartmeter.AllQuantities, Quarter)
	var packed []byte
	b.ReportAllocs()
	for b.Loop() {
		packed = AppendDay(packed[:0], quarters)
	}
	b.ReportMetric(float64(len(packed)), "bytes/day")
}

// A year is the main meter's day, 365 times.
func BenchmarkUnpackYear(b *testing.B) {
	packed := AppendDay(nil, fold(b, houseDay()[0], smartmeter.AllQuantities, Quarter))
	for _, width := range []smartmeter.Millis{Hour, Quarter} {
		for name, want := range map[string]smartmeter.Quantities{"all": smartmeter.AllQuantities, "power": smartmeter.Power} {
			b.Run(time.Duration(width*1e6).String()+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				var day []smartmeter.Bucket
				for b.Loop() {
					for range 365 {
						var err error
						if day, err = AppendBuckets(day[:0], packed, want, width); err != nil {
							b.Fatal(err)
						}
					}
				}
			})
		}
	}
}
