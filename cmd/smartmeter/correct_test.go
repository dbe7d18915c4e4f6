package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// A person at a terminal decides about a jump, says how much was used in a night,
// that a meter was reset and replaced, and binds a device to another node; and
// when all of that is taken back, every figure is what it was.
func TestCorrectFromTheCommandLine(t *testing.T) {
	w := &energyWorld{t: t, hub: runEnergyHub(t)}
	begin := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	w.meters = map[smartmeter.NodeID]*energyMeter{"boiler": {}, "plug": {}}
	for at := begin; at.Before(begin.AddDate(0, 0, 2)); at = at.Add(5 * time.Minute) {
		for _, m := range w.meters {
			m.measures(smartmeter.InstantOf(at), 1000)
		}
		if at.Equal(begin.Add(30 * time.Hour)) {
			w.meters["boiler"].register += 200_000 * wattHourInDeciwattMillis
		}
	}
	for id, m := range w.meters {
		for i := range m.readings {
			m.readings[i].Node = id
		}
		if err := w.hub.hub.Import(t.Context(), slices.Values(m.readings)); err != nil {
			t.Fatal(err)
		}
	}
	w.meet()
	figures := func() string {
		return w.run("energy", "--from", "2025-05-30", "--to", "2025-06-04", "--step", "15m", "--tz", "UTC", "--csv")
	}
	before := figures()
	var undo []string
	correct := func(args ...string) {
		t.Helper()
		was := figures()
		said := w.run(append(append([]string{"correct"}, args...), "--by", "Ada", "--why", "a test")...)
		undo = append(undo, regexp.MustCompile(`undo (\w+)`).FindStringSubmatch(said)[1])
		if figures() == was {
			t.Errorf("correct %v changed nothing", args)
		}
	}
	if found := w.run("correct", "findings", "boiler", "--tz", "UTC"); !regexp.MustCompile(`(?m)^2025-06-02T06:05:00Z +jump +200\.\d{3}  waits `).MatchString(found) {
		t.Errorf("findings:\n%s", found)
	}
	correct("accept", "boiler")
	correct("discard", "boiler", "--at", "2025-06-02T06:05:00Z")
	correct("set", "boiler", "1.5", "--from", "2025-06-01T22:00", "--to", "2025-06-02", "--tz", "UTC")
	correct("reset", "boiler", "--at", "2025-06-01T12:02:00Z")
	correct("replace", "boiler", "--at", "2025-06-01T18:02:00Z", "--kwh", "1")
	correct("bind", "boiler", "--node", "plug", "--at", "2025-06-02T12:00:00Z")
	list := w.run("correct", "list")
	for _, id := range slices.Backward(undo) {
		w.run("correct", "undo", id, "--by", "Ada", "--why", "it was only a test")
	}
	if after := figures(); after != before {
		t.Errorf("after all is undone:\n%s\nbefore:\n%s", after, before)
	}
	if n, m := strings.Count(list, "in force"), strings.Count(w.run("correct", "list"), "undone"); n != len(undo) || m != len(undo) {
		t.Errorf("%d entries in force and later %d undone, want %d of each:\n%s", n, m, len(undo), fmt.Sprint(w.run("correct", "list")))
	}
}
