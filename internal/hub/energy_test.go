package hub_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"pgregory.net/rapid"
)

// energyHouse is a hub with two years of history to fill: main measures fridge
// and boiler, too, and shed hangs on nothing.
type energyHouse struct {
	*lab
}

var houseRooms = map[smartmeter.DeviceID]smartmeter.Device{
	"main":   {Name: "Main", Kind: smartmeter.Generic},
	"fridge": {Name: "Fridge", Kind: smartmeter.Generic, Room: "Kitchen", Parent: "main"},
	"boiler": {Name: "Boiler", Kind: smartmeter.Generic, Room: "Bath", Parent: "main"},
	"shed":   {Name: "Shed", Kind: smartmeter.Generic, Room: "Garden"},
}

func newEnergyHouse(t *testing.T) *energyHouse {
	t.Helper()
	h := &energyHouse{&lab{t: t, dir: t.TempDir()}}
	h.opens()
	t.Cleanup(func() { h.store.Close() })
	for _, node := range []string{"main", "fridge", "boiler", "shed", "spare"} {
		h.introduce(node)
	}
	return h
}

// uses imports readings of a meter that began at start Wh, every five minutes.
func (h *energyHouse) uses(node smartmeter.NodeID, from, to time.Time, start int64, power func(smartmeter.Instant) smartmeter.Deciwatt) {
	h.t.Helper()
	const every = 5 * minute
	var readings []smartmeter.Reading
	register := start * 36_000_000 // in Deciwatt x ms
	for at := smartmeter.InstantOf(from); at < smartmeter.InstantOf(to); at += every {
		r := smartmeter.Reading{Node: node, At: at}
		r.Has, r.Power, r.Energy = smartmeter.Power|smartmeter.Energy, power(at), smartmeter.WattHour(register/36_000_000)
		readings = append(readings, r)
		register += int64(power(at)) * int64(every)
	}
	if err := h.Import(h.t.Context(), slices.Values(readings)); err != nil {
		h.t.Fatal(err)
	}
}

func steady(power smartmeter.Deciwatt) func(smartmeter.Instant) smartmeter.Deciwatt {
	return func(smartmeter.Instant) smartmeter.Deciwatt { return power }
}

// changing is a load of its own every quarter of an hour.
func changing(seed, most int64) func(smartmeter.Instant) smartmeter.Deciwatt {
	return func(at smartmeter.Instant) smartmeter.Deciwatt {
		return smartmeter.Deciwatt((int64(at/(15*minute))*7919 + seed*104_729) % most)
	}
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func total(buckets []smartmeter.EnergyBucket) (sum smartmeter.WattHour) {
	for _, b := range buckets {
		sum += b.Energy
	}
	return sum
}

// Over both changes of the clock, in several zones: all steps give one sum,
// children and rest make the parent, and rooms and the rest make the house.
func TestEnergyAddsUp(t *testing.T) {
	h := newEnergyHouse(t)
	berlin := zone(t, "Europe/Berlin")
	for _, begin := range []time.Time{time.Date(2026, 3, 26, 0, 0, 0, 0, berlin), time.Date(2026, 10, 22, 0, 0, 0, 0, berlin)} {
		end, start := begin.AddDate(0, 0, 6), begin.Unix()/10_000
		h.uses("fridge", begin, end, start, changing(1, 2000))
		h.uses("boiler", begin, end, start, changing(2, 20_000))
		h.uses("shed", begin, end, start, changing(3, 500))
		h.uses("main", begin, end, start, func(at smartmeter.Instant) smartmeter.Deciwatt {
			return changing(1, 2000)(at) + changing(2, 20_000)(at) + 300
		})
	}
	if err := h.store.Seal(t.Context(), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err) // some days are sealed, others are not
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"Europe/Berlin", "UTC", "Asia/Kathmandu", "Australia/Lord_Howe", "America/New_York"}).Draw(t, "zone")
		z := zone(h.t, name)
		begin := rapid.SampledFrom([]time.Time{time.Date(2026, 3, 26, 0, 0, 0, 0, z), time.Date(2026, 10, 22, 0, 0, 0, 0, z)}).Draw(t, "begin")
		from := begin.AddDate(0, 0, rapid.IntRange(0, 4).Draw(t, "first"))
		to := from.AddDate(0, 0, rapid.IntRange(1, 5).Draw(t, "days"))
		var whole hub.EnergyAnswer
		for step := ledger.StepWhole; step <= ledger.StepMonth; step++ {
			a, err := h.Energy(t.Context(), hub.EnergyQuery{From: smartmeter.InstantOf(from), To: smartmeter.InstantOf(to), Step: step, Zone: z})
			if err != nil {
				t.Fatal(err)
			}
			if step == ledger.StepWhole {
				whole = a
			}
			for i, d := range a.Devices {
				if got, want := total(d.Buckets), total(whole.Devices[i].Buckets); got != want {
					t.Errorf("%s in steps of kind %d: %d Wh, want %d", d.Device.ID, step, got, want)
				}
			}
			checkTree(t, a)
		}
	})
}

// checkTree holds an answer's sums to each other, bucket by bucket.
func checkTree(t interface {
	Helper()
	Errorf(string, ...any)
}, a hub.EnergyAnswer,
) {
	t.Helper()
	of := make(map[smartmeter.DeviceID]hub.DeviceEnergy)
	for _, d := range a.Devices {
		of[d.Device.ID] = d
	}
	for i := range a.House {
		main, rest := of["main"].Buckets[i].Energy, of["main"].Unmetered[i].Energy
		if sum := of["fridge"].Buckets[i].Energy + of["boiler"].Buckets[i].Energy + rest; sum != main {
			t.Errorf("bucket %d: children and rest %d Wh, parent %d", i, sum, main)
		}
		if house := main + of["shed"].Buckets[i].Energy; a.House[i].Energy != house {
			t.Errorf("bucket %d: the house %d Wh, want %d", i, a.House[i].Energy, house)
		}
		rooms := rest
		for _, r := range a.Rooms {
			rooms += r.Buckets[i].Energy
		}
		if rooms != a.House[i].Energy {
			t.Errorf("bucket %d: rooms and rest %d Wh, the house %d", i, rooms, a.House[i].Energy)
		}
	}
}

func TestEnergyOfAKnownDay(t *testing.T) {
	h := newEnergyHouse(t)
	berlin := zone(t, "Europe/Berlin")
	begin := time.Date(2026, 10, 24, 0, 0, 0, 0, berlin)
	h.uses("fridge", begin, begin.AddDate(0, 0, 3), 100, steady(1000)) // 100 W
	q := hub.EnergyQuery{
		Devices: []smartmeter.DeviceID{"fridge"}, From: smartmeter.InstantOf(begin), To: smartmeter.InstantOf(begin.AddDate(0, 0, 3)),
		Step: ledger.StepDay, Zone: berlin,
	}
	a, err := h.Energy(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range a.Devices[0].Buckets {
		got = append(got, fmt.Sprintf("%d h %d Wh %v", (b.To-b.From)/hour, b.Energy, b.Quality))
	}
	// The last reading is five minutes before the end, which is 8 Wh.
	if d := cmp.Diff([]string{"24 h 2400 Wh measured", "25 h 2500 Wh measured", "24 h 2391 Wh measured"}, got); d != "" {
		t.Errorf("days (-want +got):\n%s", d)
	}
	if a.House != nil || a.Devices[0].Unmetered != nil {
		t.Error("one device was asked for, and the house was told")
	}
}

func TestReplacedModuleKeepsTheHistory(t *testing.T) {
	h := newEnergyHouse(t)
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	h.uses("fridge", begin, begin.Add(24*time.Hour), 5000, steady(1000))
	h.uses("spare", begin.Add(24*time.Hour), begin.Add(48*time.Hour), 7, steady(1000))
	sum := func() smartmeter.WattHour {
		a, err := h.Energy(t.Context(), hub.EnergyQuery{
			Devices: []smartmeter.DeviceID{"fridge"}, From: smartmeter.InstantOf(begin), To: smartmeter.InstantOf(begin.AddDate(0, 0, 2)), Zone: time.UTC,
		})
		if err != nil {
			t.Fatal(err)
		}
		return total(a.Devices[0].Buckets)
	}
	before := sum()
	bind, err := h.Correct(t.Context(), smartmeter.Correction{
		Kind: smartmeter.CorrectBind, Device: "fridge", Node: "spare", From: smartmeter.InstantOf(begin.Add(24 * time.Hour)), By: "Ada", Why: "new module",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := sum(); before < 2380 || got < before+2380 {
		t.Errorf("%d Wh before, %d with the other module, want 2.4 kWh more", before, got)
	}
	if _, err := h.Correct(t.Context(), smartmeter.Correction{Kind: smartmeter.CorrectUndo, Target: bind.ID, By: "Ada", Why: "wrong one"}); err != nil {
		t.Fatal(err)
	}
	if got := sum(); got != before {
		t.Errorf("%d Wh after the undo, want %d", got, before)
	}
}

func TestHeldEnergyWaitsForAPerson(t *testing.T) {
	h := newEnergyHouse(t)
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	h.uses("fridge", begin, begin.Add(10*time.Hour), 0, steady(1000))
	h.uses("fridge", begin.Add(10*time.Hour), begin.Add(20*time.Hour), 216_000, steady(1000))
	ask := hub.EnergyQuery{From: smartmeter.InstantOf(begin), To: smartmeter.InstantOf(begin.AddDate(0, 0, 1)), Zone: time.UTC, Devices: []smartmeter.DeviceID{"fridge"}}
	answer := func() smartmeter.EnergyBucket {
		a, err := h.Energy(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		return a.Devices[0].Buckets[0]
	}
	before := answer()
	found, err := h.Findings(t.Context(), "fridge", ask.From, ask.To)
	if err != nil || len(found) != 2 || found[1].Kind != ledger.Jump || found[1].Decision != "" {
		t.Fatalf("findings %v, %v; want the first counter and a jump", found, err)
	}
	decide := smartmeter.Correction{Kind: smartmeter.CorrectAccept, Device: "fridge", From: found[1].To.At, By: "Ada", Why: "the kiln was on"}
	made, err := h.Correct(t.Context(), decide)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := answer().Energy, before.Energy+found[1].Held; got != want {
		t.Errorf("%d Wh when the jump is accepted, want %d", got, want)
	}
	if found, err := h.Findings(t.Context(), "fridge", ask.From, ask.To); err != nil || found[1].Decision != smartmeter.CorrectAccept {
		t.Errorf("findings %v, %v; want the decision", found, err)
	}
	if _, err := h.Correct(t.Context(), smartmeter.Correction{Kind: smartmeter.CorrectUndo, Target: made.ID, By: "Ada", Why: "no kiln"}); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(before, answer()); d != "" {
		t.Errorf("after the undo (-before +after):\n%s", d)
	}
}

func TestEnergyRefuses(t *testing.T) {
	h := newEnergyHouse(t)
	at := smartmeter.InstantOf(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	for name, q := range map[string]hub.EnergyQuery{
		"query.from": {From: 1, To: at},
		"query.to":   {From: at, To: at},
		"query.step": {From: at - 4000*day, To: at, Step: ledger.StepQuarter},
		"device":     {From: at - day, To: at, Devices: []smartmeter.DeviceID{"nobody"}},
	} {
		q.Zone = time.UTC
		_, err := h.Energy(t.Context(), q)
		if e, ok := err.(*smartmeter.Error); !ok || e.Field != name {
			t.Errorf("want a complaint about %s, got %v", name, err)
		}
	}
	for _, tt := range []struct {
		name, field string
		c           smartmeter.Correction
	}{
		{"nobody held energy there", "from", smartmeter.Correction{Kind: smartmeter.CorrectAccept, Device: "fridge", From: at}},
		{"no such device", "device", smartmeter.Correction{Kind: smartmeter.CorrectReset, Device: "nobody", From: at}},
		{"no time", "from", smartmeter.Correction{Kind: smartmeter.CorrectReset, Device: "fridge"}},
		{"no such entry", "target", smartmeter.Correction{Kind: smartmeter.CorrectUndo, Target: "x"}},
		{"no such node", "node", smartmeter.Correction{Kind: smartmeter.CorrectBind, Device: "fridge", Node: "x", From: at}},
		{"half a quarter hour", "to", smartmeter.Correction{Kind: smartmeter.CorrectSet, Device: "fridge", From: at, To: at + minute}},
	} {
		tt.c.By, tt.c.Why = "Ada", "a test"
		_, err := h.Correct(t.Context(), tt.c)
		if e, ok := err.(*smartmeter.Error); !ok || e.Field != tt.field {
			t.Errorf("%s: want a complaint about %s, got %v", tt.name, tt.field, err)
		}
	}
	if journal, err := h.Corrections(t.Context()); err != nil || len(journal) > 0 {
		t.Errorf("the journal has %v, %v", journal, err)
	}
}
