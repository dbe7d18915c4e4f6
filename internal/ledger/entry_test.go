package ledger_test

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

func TestEntryOf(t *testing.T) {
	reading := func(has smartmeter.Quantities, power smartmeter.Deciwatt, energy smartmeter.WattHour) smartmeter.Reading {
		return smartmeter.Reading{
			At: 5, Boot: 6, Seq: 7,
			Measurement: smartmeter.Measurement{Has: has, Power: power, Energy: energy},
		}
	}
	const both = smartmeter.Power | smartmeter.Energy
	tests := []struct {
		name string
		of   smartmeter.Reading
		want ledger.Entry
		says bool
	}{
		{"both", reading(both, 10, 20), ledger.Entry{HasPower: true, Power: 10, HasRegister: true, Register: 20}, true},
		{"power alone", reading(smartmeter.Power, 10, 20), ledger.Entry{HasPower: true, Power: 10}, true},
		{"register alone", reading(smartmeter.Energy, 10, 20), ledger.Entry{HasRegister: true, Register: 20}, true},
		{"zero is something", reading(both, 0, 0), ledger.Entry{HasPower: true, HasRegister: true}, true},
		{"garbled power", reading(both, smartmeter.MaxPower+1, 20), ledger.Entry{HasRegister: true, Register: 20}, true},
		{"garbled register", reading(both, 10, smartmeter.MaxEnergy), ledger.Entry{HasPower: true, Power: 10}, true},
		{"neither", reading(smartmeter.Voltage, 0, 0), ledger.Entry{}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.want.At, test.want.Kind, test.want.Boot, test.want.Seq = 5, ledger.Sampled, 6, 7
			got, says := ledger.EntryOf(&test.of)
			wantSame(t, "entry", got, test.want)
			if says != test.says {
				t.Errorf("says something: %t, want %t", says, test.says)
			}
		})
	}
}

func TestEntriesHaveOneOrder(t *testing.T) {
	inOrder := []ledger.Entry{
		{At: 1, Kind: ledger.Sampled, Boot: 9, Seq: 9},
		{At: 2, Kind: ledger.Declared, Boot: 9},
		{At: 2, Kind: ledger.Announced, Boot: 8},
		{At: 2, Kind: ledger.Sampled, Boot: 1, Seq: 7, HasRegister: true, Register: 9},
		{At: 2, Kind: ledger.Sampled, Boot: 1, Seq: 8, HasRegister: true, Register: 8},
		{At: 2, Kind: ledger.Sampled, Boot: 2, Seq: 1, HasPower: true, Power: 5},
		{At: 2, Kind: ledger.Sampled, Boot: 2, Seq: 1, HasPower: true, Power: 6},
		{At: 2, Kind: ledger.Sampled, Boot: 2, Seq: 1, HasRegister: true, Register: 1, HasPower: true, Power: 2},
		{At: 2, Kind: ledger.Sampled, Boot: 2, Seq: 1, HasRegister: true, Register: 2, HasPower: true, Power: 1},
	}
	for i, a := range inOrder {
		for j, b := range inOrder {
			if got := a.Compare(b); got != cmp.Compare(i, j) {
				t.Errorf("entries %d and %d compare as %d", i, j, got)
			}
		}
	}
}

func TestFolderRefusesWhatIsLate(t *testing.T) {
	entries := newScript().reads(second, 10, 1, 2).entries
	f := ledger.NewFolder(ledger.State{}, begin)
	for _, step := range []struct {
		name  string
		entry ledger.Entry
		taken bool
	}{
		{"the second", entries[1], true},
		{"the second again", entries[1], true},
		{"the first", entries[0], false},
		{"one of tomorrow", ledger.Entry{At: (begin + 1).Start(), Kind: ledger.Sampled}, false},
	} {
		if got := f.Add(step.entry); got != step.taken {
			t.Errorf("%s: taken %t, want %t", step.name, got, step.taken)
		}
	}
}

func TestUpdateStopsWhereNothingChanges(t *testing.T) {
	w := household(6)
	_, of := byDay(w.entries)
	days := foldAll(w.entries)
	tests := []struct {
		name string
		late ledger.Entry
		want int // days that are made anew
	}{
		{"a reading at noon", ledger.Entry{At: begin.Start() + 36*hour, Kind: ledger.Sampled, HasPower: true, Power: 100}, 1},
		{"a higher register at midnight", ledger.Entry{At: (begin + 2).Start() - 1, Kind: ledger.Sampled, HasRegister: true, Register: days[2].Spans[0].To.Register}, 2},
		{"a new counter at noon", ledger.Entry{At: begin.Start() + 36*hour, Kind: ledger.Declared}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			said := maps.Clone(of)
			n := ledger.DayOf(test.late.At)
			said[n] = append(slices.Clone(said[n]), test.late)
			asked := 0
			got, err := ledger.Update(days, n, func(n ledger.DayNumber) ([]ledger.Entry, error) {
				asked++
				return said[n], nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if asked != test.want {
				t.Errorf("%d days were made anew, want %d", asked, test.want)
			}
			wantSame(t, "days", got, foldAll(append(slices.Clone(w.entries), test.late)))
		})
	}
}

func TestUpdateTellsWhatFailed(t *testing.T) {
	damaged := errors.New("a chunk is damaged")
	if _, err := ledger.Update(nil, begin, func(ledger.DayNumber) ([]ledger.Entry, error) { return nil, damaged }); !errors.Is(err, damaged) {
		t.Errorf("got %v", err)
	}
}

func TestEpochs(t *testing.T) {
	days, _ := newScript().
		runs(5*second, 6000, 9_999_900, 120).reads(5*second, 6000, 5_000_000). // rolls over; a glitch
		runs(5*second, 6000, 0, 120).
		runs(5*second, 6000, 700_000, 120).
		settled()
	var kinds []string
	for _, e := range ledger.Epochs(days) {
		kinds = append(kinds, e.Kind.String())
	}
	wantSame(t, "epochs", kinds, []string{"first", "rollover"})
}

func TestQualities(t *testing.T) {
	for want, q := range map[string]smartmeter.EnergyQuality{
		"absent":         0,
		"measured":       smartmeter.EnergyMeasured,
		"interpolated":   smartmeter.EnergyMeasured | smartmeter.EnergyInterpolated,
		"reset-boundary": smartmeter.EnergyMeasured | smartmeter.EnergyResetBoundary,
		"corrected":      smartmeter.EnergyCorrected | smartmeter.EnergyResetBoundary,
		"quarantined":    smartmeter.EnergyQuarantined | smartmeter.EnergyCorrected,
	} {
		if got := q.String(); got != want {
			t.Errorf("%b is %s, want %s", q, got, want)
		}
	}
}
