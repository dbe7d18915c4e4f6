package sim

import (
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// testSite is a home with all appliances, in Berlin.
func testSite(t testing.TB, seed uint64) *site {
	t.Helper()
	c := Config{Seed: seed, Start: time.Date(2026, time.November, 23, 18, 0, 0, 0, berlin), Household: DefaultHousehold()}
	c.Devices = len(c.Household.Appliances)
	return sitesOf(&c)[0]
}

// outletOf returns where an appliance is plugged in.
func outletOf(t testing.TB, h *home, id smartmeter.NodeID) *outlet {
	t.Helper()
	for i, o := range h.site.outlets {
		if o.ID == id {
			return &h.outlets[i]
		}
	}
	t.Fatalf("there is no %s", id)
	return nil
}

func TestMainMeterShowsTheSumAndTheBase(t *testing.T) {
	s := testSite(t, 1)
	h := s.at(testDate.clock(berlin, 5*hour))
	var m meter
	for range secondsADay {
		h.second()
		sum := h.base.load(&h.now, h.today)
		shown := m.power(sum)
		if sum.power < 55*watt || sum.power > 95*watt {
			t.Fatalf("the base is %d mW at %d", sum.power, h.now.unix)
		}
		for i := range h.outlets {
			sum.power += h.outlets[i].load.power
			shown += m.power(h.outlets[i].load)
		}
		if h.total.power != sum.power {
			t.Fatalf("the whole is %d mW, the sum %d", h.total.power, sum.power)
		}
		// Each meter rounds by half a deciwatt.
		if off := m.power(h.total) - shown; off > 5 || off < -5 {
			t.Fatalf("the main meter shows %d dW, the others and the base %d", m.power(h.total), shown)
		}
	}
}

// Whoever computes a moment gets the same, however long before it he begins.
func TestHomeIsAFunctionOfTime(t *testing.T) {
	s := testSite(t, 2)
	date := date{2026, time.November, 23}
	running := s.on(date)
	for _, hours := range []int{5, 8, 12, 19, 24, 26} {
		until := date.clock(berlin, hours*hour) + 17
		for running.next < until {
			running.second()
		}
		found := s.at(until)
		running.second()
		found.second()
		if running.now != found.now || running.total != found.total || running.drawn != found.drawn {
			t.Errorf("at %d h: %+v %+v, but computed alone %+v %+v", hours, running.now, running.total, found.now, found.total)
		}
		for i := range found.outlets {
			if running.outlets[i].load != found.outlets[i].load {
				t.Errorf("at %d h %s draws %+v, computed alone %+v", hours, s.outlets[i].ID, running.outlets[i].load, found.outlets[i].load)
			}
		}
	}
}

func TestDayIsPlausible(t *testing.T) {
	type bounds struct {
		low, high int64     // a day's energy, in Wh, on average
		peak      milliwatt // what it draws at least once a week
	}
	winter, summer := date{2026, time.January, 12}, date{2026, time.July, 13}
	usual := map[smartmeter.NodeID]bounds{
		"sim-fridge":  {500, 1100, 500 * watt},
		"sim-freezer": {500, 1100, 460 * watt},
		"sim-kettle":  {150, 700, 2100 * watt},
		"sim-boiler":  {2000, 7000, 1900 * watt},
		"sim-washer":  {150, 600, 1900 * watt},
		"sim-tv":      {100, 600, 110 * watt},
	}
	for season, c := range map[date]map[smartmeter.NodeID]bounds{
		winter: {"sim-lights": {150, 500, 55 * watt}, "sim-aircon": {1500, 6500, 3600 * watt}},
		summer: {"sim-lights": {30, 250, 55 * watt}, "sim-aircon": {200, 4000, 3600 * watt}},
	} {
		for id, b := range usual {
			c[id] = b
		}
		energy, peak := week(t, testSite(t, 1), season)
		total := int64(0)
		for id, b := range c {
			total += energy[id]
			if energy[id] < b.low || energy[id] > b.high || peak[id] < b.peak {
				t.Errorf("%v, %s: %d Wh a day, up to %d mW; want %+v", season.month, id, energy[id], peak[id], b)
			}
		}
		if len(energy) != len(c) || total < 5000 || total > 16_000 {
			t.Errorf("%v: %d appliances use %d Wh a day", season.month, len(energy), total)
		}
	}
}

// week returns a week's energy per day, in Wh, and the highest power.
func week(t testing.TB, s *site, monday date) (energy map[smartmeter.NodeID]int64, peak map[smartmeter.NodeID]milliwatt) {
	t.Helper()
	energy, peak = map[smartmeter.NodeID]int64{}, map[smartmeter.NodeID]milliwatt{}
	h := s.on(monday)
	used := make([]milliwatt, len(h.outlets))
	for h.next < monday.next(7).clock(s.zone, firstHour*hour) {
		h.second()
		for i := range h.outlets {
			used[i] += h.outlets[i].load.power
			peak[s.outlets[i].ID] = max(peak[s.outlets[i].ID], h.outlets[i].load.power)
		}
	}
	for i, o := range s.outlets {
		energy[o.ID] = int64(used[i] / watt / hour / 7)
	}
	return energy, peak
}

func TestHabitsFollowTheDayOfTheWeek(t *testing.T) {
	s := testSite(t, 1)
	h := s.on(date{2026, time.March, 2})
	used := map[bool]map[smartmeter.NodeID]milliwatt{false: {}, true: {}} // at noon, at weekends or not
	evening, night := milliwatt(0), milliwatt(0)                          // of the television
	for range 7 * secondsADay {
		h.second()
		at := h.now.ofDay / hour
		for i := range h.outlets {
			if at >= 9 && at < 16 {
				used[h.today.weekend()][s.outlets[i].ID] += h.outlets[i].load.power
			}
		}
		tv := outletOf(t, h, "sim-tv").load.power
		switch {
		case at >= 20 && at < 22:
			evening += tv
		case at >= 2 && at < 6:
			night += tv
		}
	}
	for _, id := range []smartmeter.NodeID{"sim-kettle", "sim-washer", "sim-lights"} {
		work, rest := used[false][id]/5, used[true][id]/2
		if rest < 2*work {
			t.Errorf("%s uses %d mWs by day on a workday, %d at weekends", id, work, rest)
		}
	}
	if evening < 20*night {
		t.Errorf("the television uses %d mWs in the evening, %d at night", evening, night)
	}
}

func TestVoltageSagsUnderLoad(t *testing.T) {
	s := testSite(t, 1)
	now := &moment{unix: 1_800_000_000, ofDay: 12 * hour}
	m := mains{s.keyOf("mains")}
	idle, loaded := m.voltage(now, 0), m.voltage(now, 10_000)
	if sag := idle - loaded; sag != 35 {
		t.Errorf("from %d to %d dV with 10 A", idle, loaded)
	}
	if got := m.voltage(now, 1_000_000); got != smartmeter.MinVoltage {
		t.Errorf("%d dV with 1 kA", got)
	}
}

func TestHomeFollowsTheClocksOverTheirChange(t *testing.T) {
	s := testSite(t, 3)
	for _, d := range []date{{2026, time.March, 28}, {2026, time.October, 24}} {
		h := s.on(d)
		for h.next < d.next(3).clock(berlin, 0) {
			h.pass()
			if want := time.Unix(h.now.unix, 0).In(berlin); h.now.ofDay != want.Hour()*hour+want.Minute()*minute+want.Second() {
				t.Fatalf("%d s after midnight at %v", h.now.ofDay, want)
			}
		}
		if h.today.date != d.next(2) {
			t.Errorf("on the night after %v it lives on %v", d.next(2), h.today.date)
		}
	}
}

func TestSwitchedOffApplianceDrawsNothing(t *testing.T) {
	h := testSite(t, 1).on(testDate)
	boiler := outletOf(t, h, "sim-boiler")
	boiler.off = true
	for range secondsADay {
		h.second()
		if boiler.load != (load{}) {
			t.Fatalf("it draws %+v", boiler.load)
		}
	}
	boiler.off = false
	if h.second(); boiler.load.power < 1900*watt {
		t.Errorf("after a day without power it draws %+v", boiler.load)
	}
}

func TestWattsChangeWithinTwoSecondsAtAnyHour(t *testing.T) {
	s := testSite(t, 5)
	var m meter
	for hours := range 24 {
		h := s.at(testDate.clock(berlin, (firstHour+hours)*hour))
		h.second()
		before := m.power(h.total)
		h.second()
		after := m.power(h.total)
		if h.second(); after == before && m.power(h.total) == before {
			t.Errorf("nothing changed within two seconds, %d hours after %d", hours, firstHour)
		}
	}
}

// BenchmarkHome is what a second of a home costs, per appliance: with what is
// drawn, and without, as a house is brought up to its start.
func BenchmarkHome(b *testing.B) {
	for name, step := range map[string]func(*home){"draws": (*home).second, "passes": (*home).pass} {
		b.Run(name, func(b *testing.B) {
			h := testSite(b, 1).on(testDate)
			for b.Loop() {
				step(h)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(h.outlets)), "ns/appliance-second")
		})
	}
}
