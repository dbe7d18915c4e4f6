package ledger_test

import (
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// jumped is a trace with 899,994 Wh held since the second of two quarters.
func jumped() *script {
	return newScript().runs(5*second, 1000, 61_000, 150).runs(5*second, 1000, 961_000, 150)
}

func decision(kind smartmeter.CorrectionKind, id string, made smartmeter.Instant, from smartmeter.Instant) smartmeter.Correction {
	return smartmeter.Correction{ID: id, Made: made, By: "me", Why: "looked at the meter", Kind: kind, From: from}
}

func foundAt(days []ledger.Day, kind ledger.FindingKind) smartmeter.Instant {
	for _, d := range days {
		for _, f := range d.Findings {
			if f.Kind == kind {
				return f.To.At
			}
		}
	}
	return 0
}

func TestHeldEnergyIsDecidedByPeople(t *testing.T) {
	days, sums := jumped().settled()
	at := foundAt(days, ledger.Jump)
	counted, held := total(sums), heldBy(days)
	accept := decision(smartmeter.CorrectAccept, "a", 1, at)
	discard := decision(smartmeter.CorrectDiscard, "b", 2, at)
	undo := decision(smartmeter.CorrectUndo, "c", 3, 0)
	undo.Target = "b"
	redo := decision(smartmeter.CorrectUndo, "d", 4, 0)
	redo.Target = "c"
	tests := []struct {
		name    string
		journal []smartmeter.Correction
		want    smartmeter.WattHour
		quality string
	}{
		{"not yet", nil, counted, "quarantined"},
		{"accepted", []smartmeter.Correction{accept}, counted + held, "corrected"},
		{"discarded", []smartmeter.Correction{discard}, counted, "corrected"},
		{"the later entry decides", []smartmeter.Correction{discard, accept}, counted, "corrected"},
		{"undone", []smartmeter.Correction{undo, accept, discard}, counted + held, "corrected"},
		{"the undo undone", []smartmeter.Correction{redo, undo, accept, discard}, counted, "corrected"},
		{"another finding", []smartmeter.Correction{decision(smartmeter.CorrectAccept, "x", 1, at+1)}, counted, "quarantined"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			sums := settleAll(days, test.journal)
			if got := total(sums); got != test.want {
				t.Errorf("counted %d Wh, want %d", got, test.want)
			}
			if _, qualities := quarters(sums); qualities[0] != test.quality {
				t.Errorf("the quarter is %s, want %s", qualities[0], test.quality)
			}
		})
	}
}

func TestSetPeriod(t *testing.T) {
	trace := newScript().runs(minute, 12_000, 0, 30)
	first := trace.entries[0].At
	set := func(from, quarters smartmeter.Instant, energy smartmeter.WattHour) []smartmeter.Correction {
		c := decision(smartmeter.CorrectSet, "s", 1, first+from*15*minute)
		c.To, c.Energy = c.From+quarters*15*minute, energy
		return []smartmeter.Correction{c}
	}
	power := newScript()
	for range 15 {
		power.power(30*second, 6000)
	}
	tests := []struct {
		name    string
		trace   *script
		journal []smartmeter.Correction
		want    map[int]smartmeter.WattHour
	}{
		{"as it was", trace, nil, map[int]smartmeter.WattHour{0: 300, 1: 280}},
		{"in proportion to what was counted", trace, set(0, 2, 1001), map[int]smartmeter.WattHour{0: 517, 1: 484}},
		{"a part of it", trace, set(1, 1, 0), map[int]smartmeter.WattHour{0: 300, 1: 0}},
		{"by the power where nothing was counted", power, set(0, 2, 77), map[int]smartmeter.WattHour{0: 77, 1: 0}},
		{"evenly where nothing is known", trace, set(10, 3, 100), map[int]smartmeter.WattHour{0: 300, 1: 280, 10: 33, 11: 33, 12: 34}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			days := foldAll(test.trace.entries)
			got, _ := quarters(settleAll(days, test.journal))
			wantSame(t, "quarters", got, test.want)
		})
	}
	night := decision(smartmeter.CorrectSet, "n", 1, begin.Start()-hour)
	night.To, night.Energy = begin.Start()+hour, 100
	if got := ledger.Widen(ledger.Range{First: begin, Last: begin}, []smartmeter.Correction{night}); got != (ledger.Range{First: begin - 1, Last: begin}) {
		t.Errorf("a day with half a corrected night widens to %v", got)
	}
	before := decision(smartmeter.CorrectSet, "b", 0, night.From-48*hour)
	before.To = night.From
	if got := ledger.Widen(ledger.Range{First: begin, Last: begin}, []smartmeter.Correction{before, night}); got != (ledger.Range{First: begin - 3, Last: begin}) {
		t.Errorf("with two days before that night it widens to %v", got)
	}
}

func TestDeclaredCounters(t *testing.T) {
	declare := func(kind smartmeter.CorrectionKind, at smartmeter.Instant, start smartmeter.WattHour, known bool) []smartmeter.Correction {
		c := decision(kind, "d", 1, at)
		c.Energy, c.EnergyKnown = start, known
		return []smartmeter.Correction{c}
	}
	// A used module comes at a quarter past eight, and shows more than the old.
	trace := newScript().runs(5*second, 6000, 1000, 180).runs(5*second, 6000, 500_003, 180)
	at := trace.entries[180].At
	reset := newScript().runs(5*second, 6000, 1000, 180).waits(10*hour).runs(5*second, 6000, 700, 180)
	tests := []struct {
		name    string
		trace   *script
		journal []smartmeter.Correction
		counted smartmeter.WattHour
		held    smartmeter.WattHour
	}{
		{"nobody said anything", trace, nil, 149 + 149, 500_003 - 1149},
		{"replaced", trace, declare(smartmeter.CorrectReplace, at-1, 0, false), 149 + 149, 0},
		{"replaced, and what it showed", trace, declare(smartmeter.CorrectReplace, at-1, 500_000, true), 149 + 149 + 3, 0},
		{"replaced, a little late", trace, declare(smartmeter.CorrectReplace, at+2*second, 500_000, true), 149 + 149 + 3, 0},
		{"a reset in a gap", reset, nil, 149 + 149, 700},
		{"that somebody saw, and set to what was left", reset, declare(smartmeter.CorrectReplace, reset.entries[180].At-hour, 650, true), 149 + 149 + 50, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			days := foldAll(append(ledger.Declarations(test.journal), test.trace.entries...))
			if got := total(settleAll(days, test.journal)); got != test.counted {
				t.Errorf("counted %d Wh, want %d", got, test.counted)
			}
			if got := heldBy(days); got != test.held {
				t.Errorf("held %d Wh, want %d", got, test.held)
			}
		})
	}
}

func TestBindings(t *testing.T) {
	fridge := ledger.Binding{Device: "fridge", Node: "A"}
	heater := ledger.Binding{Device: "heater", Node: "B"}
	bind := func(id string, made smartmeter.Instant, device smartmeter.DeviceID, node smartmeter.NodeID, from smartmeter.Instant) smartmeter.Correction {
		c := decision(smartmeter.CorrectBind, id, made, from)
		c.Device, c.Node = device, node
		return c
	}
	undo := decision(smartmeter.CorrectUndo, "u", 9, 0)
	undo.Target = "1"
	forever := ledger.Forever
	tests := []struct {
		name    string
		journal []smartmeter.Correction
		want    map[smartmeter.NodeID]map[smartmeter.DeviceID][2]smartmeter.Instant
	}{
		{"as it began", nil, map[smartmeter.NodeID]map[smartmeter.DeviceID][2]smartmeter.Instant{
			"A": {"fridge": {-1, forever}}, "B": {"heater": {-1, forever}},
		}},
		{"the fridge moves to a new module", []smartmeter.Correction{bind("1", 1, "fridge", "C", 100)}, map[smartmeter.NodeID]map[smartmeter.DeviceID][2]smartmeter.Instant{
			"A": {"fridge": {-1, 100}}, "B": {"heater": {-1, forever}}, "C": {"fridge": {100, forever}},
		}},
		{"the two change places", []smartmeter.Correction{bind("1", 1, "fridge", "B", 100), bind("2", 2, "heater", "A", 100)}, map[smartmeter.NodeID]map[smartmeter.DeviceID][2]smartmeter.Instant{
			"A": {"fridge": {-1, 100}, "heater": {100, forever}}, "B": {"heater": {-1, 100}, "fridge": {100, forever}},
		}},
		{"entered in the other order", []smartmeter.Correction{bind("2", 2, "fridge", "C", 100), bind("1", 1, "fridge", "D", 200)}, map[smartmeter.NodeID]map[smartmeter.DeviceID][2]smartmeter.Instant{
			"A": {"fridge": {-1, 100}}, "B": {"heater": {-1, forever}}, "C": {"fridge": {100, 200}}, "D": {"fridge": {200, forever}},
		}},
		{"undone", []smartmeter.Correction{undo, bind("1", 1, "fridge", "C", 100)}, map[smartmeter.NodeID]map[smartmeter.DeviceID][2]smartmeter.Instant{
			"A": {"fridge": {-1, forever}}, "B": {"heater": {-1, forever}},
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := map[smartmeter.NodeID]map[smartmeter.DeviceID][2]smartmeter.Instant{}
			for _, b := range ledger.Bindings([]ledger.Binding{fridge, heater}, test.journal) {
				if got[b.Node] == nil {
					got[b.Node] = map[smartmeter.DeviceID][2]smartmeter.Instant{}
				}
				got[b.Node][b.Device] = [2]smartmeter.Instant{max(b.From, -1), b.To}
			}
			wantSame(t, "bindings", got, test.want)
		})
	}
}

func TestCheck(t *testing.T) {
	good := decision(smartmeter.CorrectSet, "new", 5, begin.Start())
	good.To = good.From + hour
	journal := []smartmeter.Correction{decision(smartmeter.CorrectReset, "old", 5, 1)}
	if err := ledger.Check(journal, good); err != nil {
		t.Fatalf("a good one: %v", err)
	}
	tests := []struct {
		name, field string
		spoil       func(*smartmeter.Correction)
	}{
		{"no id", "id", func(c *smartmeter.Correction) { c.ID = "" }},
		{"an id again", "id", func(c *smartmeter.Correction) { c.ID = "old" }},
		{"no reason", "why", func(c *smartmeter.Correction) { c.Why = "" }},
		{"less than nothing", "energy", func(c *smartmeter.Correction) { c.Energy = -1 }},
		{"between quarters", "to", func(c *smartmeter.Correction) { c.To++ }},
		{"backwards", "to", func(c *smartmeter.Correction) { c.To = c.From - hour }},
		{"a lifetime", "to", func(c *smartmeter.Correction) { c.To = c.From + 401*24*hour }},
		{"no time", "from", func(c *smartmeter.Correction) { c.Kind, c.From = smartmeter.CorrectAccept, 0 }},
		{"no device", "device", func(c *smartmeter.Correction) { c.Kind = smartmeter.CorrectBind }},
		{"no such kind", "kind", func(c *smartmeter.Correction) { c.Kind = "guess" }},
		{"undo of nothing", "target", func(c *smartmeter.Correction) { c.Kind, c.Target = smartmeter.CorrectUndo, "none" }},
		{"undo of what came later", "target", func(c *smartmeter.Correction) { c.Kind, c.Target, c.Made = smartmeter.CorrectUndo, "old", 4 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := good
			test.spoil(&c)
			var got string
			if err, ok := ledger.Check(journal, c).(*smartmeter.Error); ok {
				got = err.Field
			}
			if got != test.field {
				t.Errorf("the field is %q, want %q", got, test.field)
			}
		})
	}
}

func TestJournalOfAChannel(t *testing.T) {
	mine, other := decision(smartmeter.CorrectReset, "1", 1, 1), decision(smartmeter.CorrectReset, "2", 2, 1)
	mine.Node, other.Node = "A", "A"
	other.Channel = 1
	undo := decision(smartmeter.CorrectUndo, "3", 3, 0)
	got := ledger.OfChannel([]smartmeter.Correction{mine, other, undo}, "A", 0)
	wantSame(t, "journal", got, []smartmeter.Correction{mine, undo})
}
