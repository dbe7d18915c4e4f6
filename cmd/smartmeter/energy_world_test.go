package main

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// energyWorld is a hub with two times five weeks of history.
type energyWorld struct {
	t      *testing.T
	chance *rand.Rand
	hub    *system
	page   *pageCode
	zones  []*time.Location
	zone   *time.Location // of the site
	meters map[smartmeter.NodeID]*energyMeter
	// edges are what meters without faults showed at quarter hours, in Wh.
	edges map[smartmeter.NodeID]map[smartmeter.Instant]int64
}

// house is the name by which the world's tests ask for the whole house.
const house = ""

var energyHousehold = map[smartmeter.DeviceID]smartmeter.Device{
	"main":   {Name: "Main meter", Kind: smartmeter.Generic},
	"fridge": {Name: "Fridge", Kind: smartmeter.Compressor, Room: "Kitchen", Parent: "main"},
	"boiler": {Name: "Boiler", Kind: smartmeter.Heater, Room: "Bath", Parent: "main"},
	"shed":   {Name: "Shed, old", Kind: smartmeter.Generic, Room: "Garden"},
	"plug":   {Name: "=Plug", Kind: smartmeter.Generic, Room: "Garden", Parent: "shed"},
}

func newEnergyWorld(t *testing.T, chance *rand.Rand) *energyWorld {
	t.Helper()
	w := &energyWorld{t: t, chance: chance, edges: make(map[smartmeter.NodeID]map[smartmeter.Instant]int64)}
	for _, name := range []string{"Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		w.zones = append(w.zones, zone)
	}
	w.hub = runEnergyHub(t)
	for _, begin := range w.begins() {
		w.live(begin)
	}
	w.meet()
	return w
}

// runEnergyHub runs a hub that knows the household, until the test ends.
func runEnergyHub(t *testing.T) *system {
	t.Helper()
	doors, err := addresses{http: "127.0.0.1:0", mqtt: "127.0.0.1:0"}.open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s, err := newSystem(ctx, systemConfig{
		dataDir: t.TempDir(), syncEvery: time.Second, doors: doors, clock: clockTrusted,
		describe: func(id smartmeter.DeviceID) (smartmeter.Device, bool) { d, ok := energyHousehold[id]; return d, ok },
		log:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// fiveWeeks is how long each part of the history is.
const fiveWeeks = 35 * 24 * time.Hour

// begins returns when the parts of the history begin: some weeks before the
// clocks change in Berlin, where the one day of Lord Howe is near, too.
func (w *energyWorld) begins() []time.Time {
	return []time.Time{
		time.Date(2025, 3, 16, 0, 0, 0, 0, w.zones[0]),
		time.Date(2025, 9, 28, 0, 0, 0, 0, w.zones[0]),
	}
}

// live lets the household live for five weeks, and its meters be as they are.
func (w *energyWorld) live(begin time.Time) {
	meters := make(map[smartmeter.NodeID]*energyMeter)
	for _, id := range slices.Sorted(maps.Keys(energyHousehold)) {
		meters[smartmeter.NodeID(id)] = &energyMeter{register: w.chance.Int64N(9_000_000) * wattHourInDeciwattMillis}
	}
	for at := begin; at.Before(begin.Add(fiveWeeks)); at = at.Add(5 * time.Minute) {
		fridge, boiler, plug := w.chance.Int64N(1200), w.chance.Int64N(4)*5000, w.chance.Int64N(300)
		for id, power := range map[smartmeter.NodeID]int64{
			"main": fridge + boiler + 800, "fridge": fridge, "boiler": boiler, "shed": plug + 50, "plug": plug,
		} {
			meters[id].measures(smartmeter.InstantOf(at), power)
		}
		if w.chance.IntN(2000) == 0 {
			meters["boiler"].register = 0 // somebody has reset it
		}
		if w.chance.IntN(2000) == 0 {
			meters["shed"].silent = smartmeter.InstantOf(at.Add(time.Duration(w.chance.IntN(40)) * time.Hour))
		}
		if w.chance.IntN(2000) == 0 {
			meters["plug"].glitch()
		}
	}
	for id, m := range meters {
		for i := range m.readings {
			m.readings[i].Node = id
		}
		if err := w.hub.hub.Import(w.t.Context(), slices.Values(m.readings)); err != nil {
			w.t.Fatal(err)
		}
		if id == "main" || id == "fridge" {
			w.remember(id, m.readings)
		}
	}
	w.meters = meters
}

// remember keeps what a meter without faults showed at the quarter hours, where
// it was read at each.
func (w *energyWorld) remember(id smartmeter.NodeID, readings []smartmeter.Reading) {
	if w.edges[id] == nil {
		w.edges[id] = make(map[smartmeter.Instant]int64)
	}
	for _, r := range readings {
		w.edges[id][r.At] = int64(r.Energy)
	}
}

// meet lets the hub hear the nodes: they are its devices from then on.
func (w *energyWorld) meet() {
	client := connect(w.t, w.hub.cfg.doors.mqtt.Addr().String(), "the nodes")
	defer client.Disconnect(100)
	for id, m := range w.meters {
		wh := m.register/wattHourInDeciwattMillis + 1
		wait(w.t, client.Publish(fmt.Sprintf("dev/%s/pzem/metrics", id), 1, false, fmt.Sprintf(
			`{"voltage":230.1,"current":0.456,"power":98.7,"frequency":50,"pf":0.94,"energy_wh":%d}`, wh)))
		eventually(w.t, "the hub hears "+string(id), func() error {
			d, err := w.hub.hub.Device(smartmeter.DeviceID(id))
			if err == nil && (d.Latest == nil || d.Latest.Energy != smartmeter.WattHour(wh)) {
				err = fmt.Errorf("latest is %+v", d.Latest)
			}
			return err
		})
	}
}

// energyMeter is a meter with its faults.
type energyMeter struct {
	register int64              // in 0.1 W x ms
	silent   smartmeter.Instant // until then nobody hears it
	readings []smartmeter.Reading
}

const wattHourInDeciwattMillis = 36_000_000

// measures reads the register, and lets power run through it until the next
// time, in 0.1 W.
func (m *energyMeter) measures(at smartmeter.Instant, power int64) {
	r := smartmeter.Reading{At: at}
	r.Has, r.Power, r.Energy = smartmeter.Power|smartmeter.Energy, smartmeter.Deciwatt(power), smartmeter.WattHour(m.register/wattHourInDeciwattMillis)
	if at >= m.silent {
		m.readings = append(m.readings, r)
	}
	m.register += power * (5 * time.Minute).Milliseconds()
}

// glitch spoils the last reading: the register seems to jump by hundreds of kWh.
func (m *energyMeter) glitch() {
	if n := len(m.readings); n > 0 {
		m.readings[n-1].Energy += 200_000
	}
}
