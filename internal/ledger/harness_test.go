package ledger_test

import (
	"slices"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// byDay sorts entries into days and leaves their order within one.
func byDay(entries []ledger.Entry) (days []ledger.DayNumber, of map[ledger.DayNumber][]ledger.Entry) {
	of = map[ledger.DayNumber][]ledger.Entry{}
	for _, e := range entries {
		n := ledger.DayOf(e.At)
		if of[n] == nil {
			days = append(days, n)
		}
		of[n] = append(of[n], e)
	}
	slices.Sort(days)
	return days, of
}

// foldAll makes a channel's days from scratch.
func foldAll(entries []ledger.Entry) []ledger.Day {
	var folded []ledger.Day
	var state ledger.State
	days, of := byDay(entries)
	for _, n := range days {
		d := ledger.Fold(state, n, of[n])
		state = d.After
		folded = append(folded, d)
	}
	return folded
}

func wholeOf(days []ledger.Day) ledger.Range {
	return ledger.Range{First: days[0].Begins(), Last: days[len(days)-1].Number}
}

func settleAll(days []ledger.Day, journal []smartmeter.Correction) []ledger.Sums {
	return ledger.Settle(days, journal, ledger.Widen(wholeOf(days), journal))
}

func total(sums []ledger.Sums) (energy smartmeter.WattHour) {
	for _, s := range sums {
		for _, q := range s.Quarters {
			energy += q.Energy
		}
	}
	return energy
}

func wantSame(t interface {
	Helper()
	Errorf(string, ...any)
}, what string, got, want any,
) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
