package ledger_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
)

type nowhere struct{ sim.Link }

// houseDays returns two days of the meters of the simulated house.
func houseDays(t *testing.T) map[smartmeter.NodeID][]smartmeter.Reading {
	t.Helper()
	house, err := sim.New(sim.Config{
		Seed:    1,
		Start:   time.Date(2026, time.November, 15, 0, 0, 0, 0, time.UTC),
		Connect: func(sim.Peer) (sim.Link, error) { return nowhere{}, nil },
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	meters := map[smartmeter.NodeID][]smartmeter.Reading{}
	for _, readings := range house.History(2) {
		for r := range readings {
			meters[r.Node] = append(meters[r.Node], r)
		}
	}
	return meters
}

// Kettles, ovens, compressors and washing machines are no reason to hold
// anything back, however their meters are read.
func TestHonestMetersAreBelieved(t *testing.T) {
	tests := []struct {
		name string
		read func(i int, e *ledger.Entry) bool
	}{
		{"all of it", func(int, *ledger.Entry) bool { return true }},
		{"every sixth reading", func(i int, _ *ledger.Entry) bool { return i%6 == 0 }},
		{"with holes of 25 minutes", func(i int, _ *ledger.Entry) bool { return i%1000 < 700 }},
		{"registers in steps of 10 Wh, once a minute", func(i int, e *ledger.Entry) bool {
			e.HasRegister = i%12 == 0
			e.Register = e.Register / 10 * 10
			return true
		}},
		{"registers alone, every quarter of an hour", func(i int, e *ledger.Entry) bool {
			e.HasPower = false
			return i%180 == 0
		}},
	}
	meters := houseDays(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for node, readings := range meters {
				var entries []ledger.Entry
				var least, most smartmeter.WattHour = 1 << 40, 0
				for i := range readings {
					e, _ := ledger.EntryOf(&readings[i])
					if !test.read(i, &e) {
						continue
					}
					entries = append(entries, e)
					if e.HasRegister {
						least, most = min(least, e.Register), max(most, e.Register)
					}
				}
				days := foldAll(entries)
				waiting := days[len(days)-1].After
				got := total(settleAll(days, nil))
				if waiting.Waiting {
					got += waiting.Open.High - waiting.Base.Last.Register
				}
				if want := most - least; got != want {
					t.Errorf("%s: counted %d Wh, the register %d", node, got, want)
				}
				if found := len(ledger.Epochs(days)); found != 1 || heldBy(days) != 0 {
					t.Errorf("%s: %d epochs, %d Wh held", node, found, heldBy(days))
				}
			}
		})
	}
}
