package hub_test

import (
	"encoding/json"
	"flag"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

var (
	energyLives = flag.Int("hub.lives", 3, "for how many households TestNotOneWattHourIsLost keeps the books")
	energySeed  = flag.Uint64("hub.energyseed", 0, "what they do by chance; 0 draws a seed")
)

// A hub with its store keeps the books of a household for days with a change of
// the clock: its meters are reset, come around, jump, lie, fall silent and have
// their clocks set; their readings come late, twice and in any order; days are
// sealed, hub and index are lost in between. Every figure is that of an oracle
// that adds up in integers, all steps of all zones make one sum, children and
// the rest make the parent, no restart changes an answer, and an undo of all that
// people decided leaves the answers as they were, to the byte.
func TestNotOneWattHourIsLost(t *testing.T) {
	seed := *energySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-hub.lives=%d -hub.energyseed=%d", *energyLives, seed)
	for n := range *energyLives {
		l := &energyLife{newEnergyHouse(t), rand.New(rand.NewPCG(seed, uint64(n))), make(map[smartmeter.DeviceID]*oracleMeter)}
		l.live()
		l.compare()
		l.decideAndUndo()
		if t.Failed() {
			t.Fatalf("household %d", n)
		}
	}
}

type energyLife struct {
	*energyHouse
	chance *rand.Rand
	meters map[smartmeter.DeviceID]*oracleMeter
}

var (
	lifeBegins = time.Date(2026, 10, 22, 22, 0, 0, 0, time.UTC)
	lifeEnds   = lifeBegins.AddDate(0, 0, 5)
)

// live lets the hub hear of all that the meters said, in some order, and survive
// what happens to hubs meanwhile.
func (l *energyLife) live() {
	l.t.Helper()
	var said []smartmeter.Reading
	for _, id := range []smartmeter.DeviceID{"main", "fridge", "boiler", "shed"} {
		m := newOracleMeter(l.chance, smartmeter.NodeID(id), smartmeter.InstantOf(lifeBegins), smartmeter.InstantOf(lifeEnds))
		l.meters[id] = m
		said = append(said, m.readings...)
	}
	for range len(said) / 10 {
		said = append(said, said[l.chance.IntN(len(said))]) // twice
	}
	if l.chance.IntN(2) == 0 {
		l.chance.Shuffle(len(said), func(i, k int) { said[i], said[k] = said[k], said[i] })
	}
	for parts := 6; parts > 0; parts-- {
		part := said[:len(said)/parts]
		said = said[len(part):]
		if err := l.Import(l.t.Context(), slices.Values(part)); err != nil {
			l.t.Fatal(err)
		}
		switch l.chance.IntN(3) {
		case 0:
			l.restarts()
		case 1:
			l.seals()
		}
	}
}

func (l *energyLife) seals() {
	l.t.Helper()
	until := lifeBegins.Add(time.Duration(l.chance.Int64N(int64(6 * 24 * time.Hour))))
	if err := l.store.Seal(l.t.Context(), until); err != nil {
		l.t.Fatal(err)
	}
}

// restarts ends hub and store and begins them anew, which changes no answer; the
// index may be lost in between.
func (l *energyLife) restarts() {
	l.t.Helper()
	before := l.answers()
	if err := l.store.Close(); err != nil {
		l.t.Fatal(err)
	}
	if l.chance.IntN(2) == 0 {
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if err := os.Remove(filepath.Join(l.dir, "smartmeter.db"+suffix)); err != nil && !os.IsNotExist(err) {
				l.t.Fatal(err)
			}
		}
	}
	l.opens()
	if diff := cmp.Diff(before, l.answers()); diff != "" {
		l.t.Errorf("a restart changed an answer (-before +after):\n%.2000s", diff)
	}
}

func (h *energyHouse) opens() {
	h.t.Helper()
	var err error
	h.store, err = store.Open(h.t.Context(), store.Config{
		Dir: h.dir, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	h.bus = &fakeBus{handlers: make(map[string]func(smartmeter.Message))}
	h.Hub, err = hub.New(h.t.Context(), hub.Config{
		Bus: h.bus, Store: h.store, Logger: slog.New(slog.DiscardHandler),
		Describe: func(id smartmeter.DeviceID) (smartmeter.Device, bool) { d, ok := houseRooms[id]; return d, ok },
	})
	if err != nil {
		h.t.Fatal(err)
	}
	if err := h.Start(); err != nil {
		h.t.Fatal(err)
	}
}

// lifeQuery asks for all of the life, and a day around it.
func lifeQuery(step ledger.Step, zone *time.Location) hub.EnergyQuery {
	return hub.EnergyQuery{
		From: smartmeter.InstantOf(lifeBegins) - day, To: smartmeter.InstantOf(lifeEnds) + 5*day, Step: step, Zone: zone,
	}
}

// answers returns everything that people may ask, as bytes.
func (l *energyLife) answers() (all []string) {
	l.t.Helper()
	for _, step := range []ledger.Step{ledger.StepQuarter, ledger.StepDay, ledger.StepMonth} {
		a, err := l.Energy(l.t.Context(), lifeQuery(step, zone(l.t, "Europe/Berlin")))
		if err != nil {
			l.t.Fatal(err)
		}
		text, err := json.Marshal(a)
		if err != nil {
			l.t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// compare holds the hub to the oracle.
func (l *energyLife) compare() {
	l.t.Helper()
	for _, name := range []string{"Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu"} {
		for step := ledger.StepWhole; step <= ledger.StepMonth; step++ {
			a, err := l.Energy(l.t.Context(), lifeQuery(step, zone(l.t, name)))
			if err != nil {
				l.t.Fatal(err)
			}
			for _, d := range a.Devices {
				if m := l.meters[d.Device.ID]; m != nil && int64(total(d.Buckets)) != m.counted {
					l.t.Errorf("%s used %d Wh in steps of kind %d in %s, the hub says %d", d.Device.ID, m.counted, step, name, total(d.Buckets))
				}
			}
			checkTree(l.t, a)
		}
	}
	for id, m := range l.meters {
		held := int64(0)
		for _, f := range l.found(id) {
			held += int64(f.Held)
		}
		if held != m.held {
			l.t.Errorf("of %s %d Wh wait for a decision, want %d", id, held, m.held)
		}
	}
}

func (l *energyLife) found(id smartmeter.DeviceID) []hub.Finding {
	l.t.Helper()
	found, err := l.Findings(l.t.Context(), id, lifeQuery(0, nil).From, lifeQuery(0, nil).To)
	if err != nil {
		l.t.Fatal(err)
	}
	return found
}

// decideAndUndo lets people decide all kinds of things, and take them all back.
func (l *energyLife) decideAndUndo() {
	l.t.Helper()
	before := l.answers()
	var made []smartmeter.Correction
	for id, m := range l.meters {
		accepted := int64(0)
		for _, f := range l.found(id) {
			if f.Held > 0 {
				accepted += int64(f.Held)
				made = append(made, l.decides(smartmeter.Correction{Kind: smartmeter.CorrectAccept, Device: id, From: f.To.At}))
			}
		}
		if got := l.uses(id, lifeQuery(0, time.UTC)); got != m.counted+accepted {
			l.t.Errorf("%s used %d Wh and %d were accepted, the hub says %d", id, m.counted, accepted, got)
		}
	}
	for range 4 {
		made = append(made, l.decidesSomething())
	}
	l.restarts()
	l.chance.Shuffle(len(made), func(i, k int) { made[i], made[k] = made[k], made[i] })
	for _, c := range made {
		l.decides(smartmeter.Correction{Kind: smartmeter.CorrectUndo, Target: c.ID})
	}
	if diff := cmp.Diff(before, l.answers()); diff != "" {
		l.t.Errorf("an undo left something behind (-before +after):\n%.2000s", diff)
	}
	l.restarts()
}

func (l *energyLife) decides(c smartmeter.Correction) smartmeter.Correction {
	l.t.Helper()
	c.By, c.Why = "Ada", "a test"
	made, err := l.Correct(l.t.Context(), c)
	if err != nil {
		l.t.Fatalf("%+v: %v", c, err)
	}
	return made
}

// decidesSomething sets a period, which then has used just that, or declares a
// reset, another module or another node.
func (l *energyLife) decidesSomething() smartmeter.Correction {
	l.t.Helper()
	at := smartmeter.InstantOf(lifeBegins) + smartmeter.Instant(l.chance.IntN(400))*15*minute
	c := smartmeter.Correction{Device: []smartmeter.DeviceID{"main", "fridge", "boiler", "shed"}[l.chance.IntN(4)], From: at}
	switch l.chance.IntN(4) {
	case 0:
		c.Kind = smartmeter.CorrectReset
	case 1:
		c.Kind, c.Energy, c.EnergyKnown = smartmeter.CorrectReplace, 1234, true
	case 2:
		c.Kind, c.Node = smartmeter.CorrectBind, "spare"
	default:
		c.Kind, c.To = smartmeter.CorrectSet, at+smartmeter.Instant(1+l.chance.IntN(96))*15*minute
		c.Energy, c.EnergyKnown = smartmeter.WattHour(l.chance.IntN(5000)), true
		for _, b := range l.bound(c.Device) {
			if b < c.To {
				c.Kind, c.To, c.Energy, c.EnergyKnown = smartmeter.CorrectReset, 0, 0, false // by two meters: set apart
			}
		}
	}
	made := l.decides(c)
	if c.Kind == smartmeter.CorrectSet {
		q := hub.EnergyQuery{From: c.From, To: c.To, Zone: time.UTC}
		if got := l.uses(c.Device, q); got != int64(c.Energy) {
			l.t.Errorf("%s was said to have used %d Wh, the hub says %d", c.Device, c.Energy, got)
		}
	}
	return made
}

// bound returns since when other nodes measure a device.
func (l *energyLife) bound(id smartmeter.DeviceID) (since []smartmeter.Instant) {
	l.t.Helper()
	journal, err := l.Corrections(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	for _, c := range ledger.Effective(journal) {
		if c.Kind == smartmeter.CorrectBind && c.Device == id {
			since = append(since, c.From)
		}
	}
	return since
}

// uses is what a device used by the hub's answer.
func (l *energyLife) uses(id smartmeter.DeviceID, q hub.EnergyQuery) int64 {
	l.t.Helper()
	q.Devices = []smartmeter.DeviceID{id}
	a, err := l.Energy(l.t.Context(), q)
	if err != nil {
		l.t.Fatal(err)
	}
	return int64(total(a.Devices[0].Buckets))
}
