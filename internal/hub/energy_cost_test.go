package hub_test

import (
	"math/big"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/tariff"
	"pgregory.net/rapid"
)

// costs are rounded costs, "" where not known.
func costs(all []tariff.Cost) (rounded []string) {
	for _, c := range all {
		rounded = append(rounded, c.Round(3))
	}
	return rounded
}

func (h *energyHouse) sets(currency string, prices ...hub.PriceFrom) {
	h.t.Helper()
	if _, err := h.ChangeSettings(h.t.Context(), hub.SettingsChange{Currency: &currency, Prices: append([]hub.PriceFrom{}, prices...)}); err != nil {
		h.t.Fatal(err)
	}
}

func TestCostOfKnownDays(t *testing.T) {
	h := newEnergyHouse(t)
	begin := time.Date(2026, 6, 1, 0, 0, 0, 0, time.Local)
	h.uses("fridge", begin, begin.AddDate(0, 0, 5), 0, steady(1000)) // 100 W
	day := func(n int) smartmeter.Instant { return smartmeter.InstantOf(begin.AddDate(0, 0, n)) }
	ask := func(step ledger.Step, zone *time.Location) hub.EnergyAnswer {
		t.Helper()
		a, err := h.Energy(t.Context(), hub.EnergyQuery{From: day(0), To: day(4), Step: step, Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	fridge := func(a hub.EnergyAnswer) []string {
		return costs(a.Devices[slices.IndexFunc(a.Devices, func(d hub.DeviceEnergy) bool { return d.Device.ID == "fridge" })].Costs)
	}
	if a := ask(ledger.StepDay, time.Local); fridge(a) != nil || a.HouseCosts != nil || a.Tariff.Currency != "" {
		t.Errorf("without a price: %+v", a)
	}
	h.sets("EUR", hub.PriceFrom{From: "2026-06-02", PerKWh: "0.25"}, hub.PriceFrom{From: "2026-06-04", PerKWh: "0.5001"})
	a := ask(ledger.StepDay, time.Local)
	if d := cmp.Diff([]string{"", "0.600", "0.600", "1.200"}, fridge(a)); d != "" || a.Tariff.Currency != "EUR" {
		t.Errorf("by day in %s (-want +got):\n%s", a.Tariff.Currency, d)
	}
	// A day of another zone has two prices, and the first one none before the
	// site's midnight.
	off := time.FixedZone("elsewhere", zoneOffset(begin)-6*3600)
	a = ask(ledger.StepDay, off)
	if d := cmp.Diff([]string{"", "", "0.600", "0.750", "0.900"}, fridge(a)); d != "" {
		t.Errorf("in another zone (-want +got):\n%s", d)
	}
	if whole := ask(ledger.StepWhole, time.Local); whole.Devices[0].Costs[0].Known() {
		t.Error("a time without a price has a cost")
	}
}

func zoneOffset(t time.Time) int {
	_, offset := t.Zone()
	return offset
}

// Whatever the prices, steps and zones: the cost of each is that of its quarter
// hours, each at the price of its instant; parent, children and rest, rooms and
// house make each other, exactly.
func TestCostsAddUp(t *testing.T) {
	h := newEnergyHouse(t)
	begin := time.Date(2026, 10, 20, 0, 0, 0, 0, time.UTC)
	end := begin.AddDate(0, 0, 10)
	h.uses("fridge", begin, end, 5, changing(1, 2000))
	h.uses("boiler", begin, end, 7, changing(2, 20_000))
	h.uses("shed", begin, end, 9, changing(3, 500))
	h.uses("main", begin, end, 11, func(at smartmeter.Instant) smartmeter.Deciwatt {
		return changing(1, 2000)(at) + changing(2, 20_000)(at) + 300
	})
	rapid.Check(t, func(t *rapid.T) {
		euro := "EUR"
		list := hub.SettingsChange{Currency: &euro}
		for day := 10; day < 32; day += rapid.IntRange(1, 6).Draw(t, "for days") {
			price := tariff.Micro(rapid.Int64Range(0, 2_000_000).Draw(t, "price")).String()
			list.Prices = append(list.Prices, hub.PriceFrom{From: time.Date(2026, 10, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), PerKWh: price})
		}
		if _, err := h.ChangeSettings(t.Context(), list); err != nil {
			t.Fatal(err)
		}
		q := hub.EnergyQuery{
			From: smartmeter.InstantOf(begin.Add(time.Duration(rapid.IntRange(0, 400).Draw(t, "from")) * 15 * time.Minute)),
			Step: ledger.StepQuarter, Zone: zone(h.t, rapid.SampledFrom([]string{"UTC", "Europe/Berlin", "Australia/Lord_Howe"}).Draw(t, "zone")),
		}
		q.To = q.From + smartmeter.Instant(rapid.IntRange(1, 500).Draw(t, "quarters"))*15*minute
		quarters, err := h.Energy(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		q.Step = ledger.Step(rapid.IntRange(int(ledger.StepWhole), int(ledger.StepMonth)).Draw(t, "step"))
		a, err := h.Energy(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range a.Devices {
			compareCosts(t, d, quarters.Devices[i], list.Prices)
		}
		checkCostTree(t, a)
	})
}

// compareCosts holds a device's costs to those of its quarter hours, computed with
// rational numbers.
func compareCosts(t *rapid.T, d, quarters hub.DeviceEnergy, prices []hub.PriceFrom) {
	t.Helper()
	i := 0
	for n, b := range d.Buckets {
		want := new(big.Rat)
		for ; i < len(quarters.Buckets) && quarters.Buckets[i].From < b.To; i++ {
			price, _ := new(big.Rat).SetString(priceAt(quarters.Buckets[i].From, prices))
			want.Add(want, price.Mul(price, big.NewRat(int64(quarters.Buckets[i].Energy), 1000)))
		}
		if got := d.Costs[n].Round(9); got != want.FloatString(9) {
			t.Errorf("%s, bucket %d: %s, want %s", d.Device.ID, n, got, want.FloatString(9))
		}
	}
}

// priceAt returns the price that holds at an instant.
func priceAt(at smartmeter.Instant, prices []hub.PriceFrom) (price string) {
	today := at.Time().In(time.Local).Format(time.DateOnly)
	for _, p := range prices {
		if p.From <= today {
			price = p.PerKWh
		}
	}
	return price
}

func checkCostTree(t *rapid.T, a hub.EnergyAnswer) {
	t.Helper()
	of := make(map[smartmeter.DeviceID]hub.DeviceEnergy)
	for _, d := range a.Devices {
		of[d.Device.ID] = d
	}
	main := of["main"]
	for i, house := range a.HouseCosts {
		if sum := of["fridge"].Costs[i].Plus(of["boiler"].Costs[i]).Plus(main.RestCosts[i]); sum.Round(9) != main.Costs[i].Round(9) {
			t.Errorf("bucket %d: children and rest cost %s, the parent %s", i, sum.Round(9), main.Costs[i].Round(9))
		}
		rooms := main.RestCosts[i]
		for _, r := range a.Rooms {
			rooms = rooms.Plus(r.Costs[i])
		}
		if rooms.Round(9) != house.Round(9) || house.Round(9) != main.Costs[i].Plus(of["shed"].Costs[i]).Round(9) {
			t.Errorf("bucket %d: rooms and rest cost %s, the house %s", i, rooms.Round(9), house.Round(9))
		}
	}
}
