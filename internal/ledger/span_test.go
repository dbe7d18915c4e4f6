package ledger_test

import (
	"slices"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// quarters returns the energies of the quarters about which something is known,
// by their number since the script's first hour, and the qualities.
func quarters(sums []ledger.Sums) (map[int]smartmeter.WattHour, map[int]string) {
	energies, qualities := map[int]smartmeter.WattHour{}, map[int]string{}
	first := newScript().now
	for _, s := range sums {
		for i, q := range s.Quarters {
			if n := int((s.Day.Start() + smartmeter.Instant(i)*15*minute - first) / (15 * minute)); q.Quality != 0 {
				energies[n], qualities[n] = q.Energy, q.Quality.String()
			}
		}
	}
	return energies, qualities
}

func TestEnergyAtTheEdges(t *testing.T) {
	tests := []struct {
		name  string
		trace *script
		want  map[int]smartmeter.WattHour
		gaps  []int // the quarters that are interpolated
	}{
		{
			name:  "a short span over an edge is floored there",
			trace: newScript().reads(minute, 10_000, 0, 16).waits(13*minute-40*second).reads(2*minute, 10_000, 240, 273),
			// 33 Wh in 2 minutes, of which the first 30 s have 8.33 by the power; after
			// 40 s it is 8.33 and a ninth of the other 24.67.
			want: map[int]smartmeter.WattHour{0: 240 + 11, 1: 22},
		},
		{
			name:  "without power the register goes evenly",
			trace: newScript().reads(30*minute, -1, 1000, 1201, 1400, 1400),
			want:  map[int]smartmeter.WattHour{0: 100, 1: 101, 2: 99, 3: 100, 4: 0, 5: 0},
			gaps:  []int{0, 1, 2, 3, 4, 5},
		},
		{
			name: "a gap of the register follows the power",
			trace: func() *script {
				s := newScript().reads(30*second, 0, 1000, 1000, 1000)
				// half an hour of nothing, or the other way, and half an hour at 1 kW
				s.powers(30*second, 0, 30).powers(30*second, -20_000, 30).powers(30*second, 10_000, 60)
				return s.reads(30*second, 10_000, 1520, 1528, 1537, 1545)
			}(),
			// The samples have 500 Wh from 31.5 to 61.5 minutes, the register 520.
			want: map[int]smartmeter.WattHour{0: 0, 1: 0, 2: 234, 3: 260, 4: 26 + 25},
			gaps: []int{0, 1, 2, 3, 4},
		},
		{
			name: "what the samples leave goes to the time without them",
			trace: newScript().runs(10*second, 36_000, 0, 90).waits(15*minute).
				runs(10*second, 36_000, 1800, 90),
			// 910 Wh from 890 to 1800 s; the last sample stands for 30 Wh of them, and
			// 880 are left for as many seconds.
			want: map[int]smartmeter.WattHour{0: 890 + 10, 1: 20 + 880, 2: 890},
			gaps: []int{0, 1},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, sums := test.trace.settled()
			got, qualities := quarters(sums)
			wantSame(t, "quarters", got, test.want)
			var gaps []int
			for q, quality := range qualities {
				if quality == "interpolated" {
					gaps = append(gaps, q)
				}
			}
			slices.Sort(gaps)
			wantSame(t, "interpolated quarters", gaps, test.gaps)
		})
	}
}

func TestQualityOfEveryInterval(t *testing.T) {
	_, sums := newScript().
		runs(minute, 6000, 1000, 15). // 8:00
		waits(45*minute).
		runs(minute, 6000, 1600, 30). // 9:00
		waits(6*minute).
		runs(minute, 6000, 0, 24). // 9:36, after a reset
		waits(30*minute).
		runs(minute, 6000, 900_000, 30). // 10:30, after a jump
		settled()
	_, got := quarters(sums)
	wantSame(t, "qualities", got, map[int]string{
		0: "interpolated", 1: "interpolated", 2: "interpolated", 3: "interpolated", // the register bridges 8:14 to 9:00
		4: "measured", 5: "reset-boundary", 6: "reset-boundary", // between 9:29 and 9:36
		7: "quarantined", 8: "quarantined", 9: "quarantined", // between 9:59 and 10:30
		10: "measured", 11: "measured",
	})
}
