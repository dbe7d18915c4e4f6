package hub_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// settled returns what the hub keeps, or fails the test.
func (h *energyHouse) settled() hub.Settings {
	h.t.Helper()
	s, err := h.Settings(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

func (h *energyHouse) moves(zone string) {
	h.t.Helper()
	if _, err := h.ChangeSettings(h.t.Context(), hub.SettingsChange{Zone: &zone}); err != nil {
		h.t.Fatal(err)
	}
}

func TestSettingsAreKept(t *testing.T) {
	h := newEnergyHouse(t)
	if d := cmp.Diff(hub.Settings{}, h.settled()); d != "" {
		t.Errorf("before anybody said anything: %s", d)
	}
	first, second := hub.PriceFrom{From: "2026-01-01", PerKWh: "0.3199"}, hub.PriceFrom{From: "2026-07-01", PerKWh: "0.28"}
	h.moves("Europe/Berlin")
	for _, prices := range [][]hub.PriceFrom{{first}, {first, second}, {}} {
		h.sets("EUR", prices...)
		if d := cmp.Diff(hub.Settings{Zone: "Europe/Berlin", Currency: "EUR", Prices: prices}, h.settled()); d != "" {
			t.Errorf("kept (-want +got):\n%s", d)
		}
	}
	h.sets("EUR", first)
	h.moves("") // the prices stay
	if d := cmp.Diff(hub.Settings{Currency: "EUR", Prices: []hub.PriceFrom{first}}, h.settled()); d != "" {
		t.Errorf("after the zone was taken back (-want +got):\n%s", d)
	}
}

func TestSettingsRefuseAsAWhole(t *testing.T) {
	h := newEnergyHouse(t)
	first, second := hub.PriceFrom{From: "2026-01-01", PerKWh: "0.3199"}, hub.PriceFrom{From: "2026-07-01", PerKWh: "0.28"}
	h.moves("Asia/Kolkata")
	h.sets("EUR", first)
	before := h.settled()
	euro, wrong, mars, local := "EUR", "euro", "Mars/Base", "Local"
	for field, change := range map[string]hub.SettingsChange{
		"currency":          {Currency: &wrong},
		"prices[0].from":    {Prices: []hub.PriceFrom{{From: "today", PerKWh: "1"}}},
		"prices[1].per_kwh": {Currency: &euro, Prices: []hub.PriceFrom{first, {From: "2026-07-01", PerKWh: "0,28"}}},
		"prices[1].from":    {Prices: []hub.PriceFrom{second, first}},
		"zone":              {Zone: &mars, Prices: []hub.PriceFrom{second}},
		"zone ":             {Zone: &local},
	} {
		_, err := h.ChangeSettings(t.Context(), change)
		if known, ok := errors.AsType[*smartmeter.Error](err); !ok || known.Code != smartmeter.Invalid || known.Field != field[:len(known.Field)] {
			t.Errorf("want a complaint about %s, got %v", field, err)
		}
	}
	if d := cmp.Diff(before, h.settled()); d != "" {
		t.Errorf("something of that was kept (-before +after):\n%s", d)
	}
}

func TestDamagedSettingsAreSetAnew(t *testing.T) {
	h := newEnergyHouse(t)
	h.sets("EUR", hub.PriceFrom{From: "2026-01-01", PerKWh: "0.3199"})
	if err := os.WriteFile(filepath.Join(h.dir, "settings.json"), []byte(`{"currency`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Settings(t.Context()); smartmeter.CodeOf(err) != smartmeter.Unavailable {
		t.Errorf("of a damaged file: %v", err)
	}
	if _, err := h.Zone(t.Context()); smartmeter.CodeOf(err) != smartmeter.Unavailable {
		t.Errorf("the zone of a damaged file: %v", err)
	}
	at := smartmeter.InstantOf(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC))
	if a, err := h.Energy(t.Context(), hub.EnergyQuery{From: at, To: at + day, Zone: time.UTC}); err != nil || a.HouseCosts != nil {
		t.Errorf("energy with damaged settings: %v, %v; want it without its cost", a.HouseCosts, err)
	}
	h.sets("EUR", hub.PriceFrom{From: "2026-07-01", PerKWh: "0.28"})
	if s := h.settled(); len(s.Prices) != 1 {
		t.Errorf("set anew: %v", s)
	}
}

// The site's zone is whose midnights days and prices begin at, and another zone
// composes the same energy anew.
func TestZoneOfTheSite(t *testing.T) {
	h := newEnergyHouse(t)
	if zone, err := h.Zone(t.Context()); err != nil || zone != time.Local {
		t.Errorf("before anybody said so: %v, %v; want the machine's", zone, err)
	}
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	h.uses("fridge", begin, begin.AddDate(0, 0, 4), 0, steady(1000)) // 100 W
	h.sets("EUR", hub.PriceFrom{From: "2026-06-03", PerKWh: "1"})
	for name, more := range map[string]int64{"UTC": 0, "Asia/Kathmandu": 575, "America/New_York": -400} {
		h.moves(name)
		z, err := h.Zone(t.Context())
		if err != nil || z.String() != name {
			t.Fatalf("zone %v, %v; want %s", z, err, name)
		}
		// June the 2nd and 3rd of Greenwich: the price holds for a day, more east of
		// there and less west of there.
		q := hub.EnergyQuery{From: smartmeter.InstantOf(begin.AddDate(0, 0, 1)), To: smartmeter.InstantOf(begin.AddDate(0, 0, 3)), Step: ledger.StepQuarter, Zone: z}
		a, err := h.Energy(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		priced := int64(0)
		fridge := a.Devices[slices.IndexFunc(a.Devices, func(d hub.DeviceEnergy) bool { return d.Device.ID == "fridge" })]
		for i, c := range fridge.Costs {
			if c.Round(2) != "" {
				priced += int64(fridge.Buckets[i].Energy)
			}
		}
		if priced != 2400+more {
			t.Errorf("in %s %d Wh have a price, want %d", name, priced, 2400+more)
		}
	}
}
