package main

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// The demo's house has been lived in before anyone looks, and a house that is
// kept goes on where it was left, without being told its past again.
func TestDemoHasAHistory(t *testing.T) {
	data := t.TempDir()
	demo := startReady(t, "demo", "--history", "1", "--data", data, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
	year, month, day := time.Now().Date()
	noon := time.Date(year, month, day-1, 12, 0, 0, 0, time.Local)
	url := fmt.Sprintf("/api/v1/devices/sim-main/readings?from=%s&to=%s",
		noon.UTC().Format(time.RFC3339), noon.Add(time.Hour).UTC().Format(time.RFC3339))
	var yesterday apiReadings
	eventually(t, "yesterday is told", func() error {
		if status := demo.call("GET", url, "", &yesterday); status != 200 {
			return fmt.Errorf("%s: %d", url, status)
		}
		if len(yesterday.T) != 720 {
			return fmt.Errorf("%d readings of an hour", len(yesterday.T))
		}
		return nil
	})
	registers := func(p *process) (all []int64) {
		for _, id := range []string{"sim-main", "sim-fridge", "sim-boiler"} {
			d, found := p.device(id)
			if !found {
				t.Fatalf("there is no %s", id)
			}
			value, err := number(d.Latest["energy_wh"])
			if err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			all = append(all, value)
		}
		return all
	}
	last, err := number(yesterday.Energy[719])
	if now := registers(demo)[0]; err != nil || now < last || now > last+60_000 {
		t.Errorf("the main meter shows %d Wh now, %d yesterday at one, %v", now, last, err)
	}
	left := registers(demo)
	if err := demo.stop(); err != nil {
		t.Errorf("demo: %v", err)
	}
	demo = startReady(t, "demo", "--history", "1", "--data", data, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
	for i, found := range registers(demo) {
		if found < left[i] || found > left[i]+20 {
			t.Errorf("a register was left at %d Wh and found at %d", left[i], found)
		}
	}
}

// number reads an integer that the API wrote.
func number(v any) (int64, error) {
	n, ok := v.(interface{ Int64() (int64, error) })
	if !ok {
		return 0, errors.New("there is no number")
	}
	return n.Int64()
}
