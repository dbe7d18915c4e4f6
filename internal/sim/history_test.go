package sim

import (
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// pastOf returns the house whose history is tested: connected to nothing.
func pastOf(t testing.TB, seed uint64, start time.Time) *House {
	t.Helper()
	var w world
	h, err := New(Config{Seed: seed, Start: start, Connect: w.connect, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// evening is one second after a reading of the history was due, so that its
// last reading is of the last second before the start.
var evening = time.Date(2026, time.November, 23, 20, 33, 41, 0, berlin)

// channels gathers a history by node, each in order of time.
func channels(t testing.TB, h *House, days int) map[smartmeter.NodeID][]smartmeter.Reading {
	t.Helper()
	all := map[smartmeter.NodeID][]smartmeter.Reading{}
	for _, readings := range h.History(days) {
		day := map[smartmeter.NodeID][]smartmeter.Reading{}
		for r := range readings {
			day[r.Node] = append(day[r.Node], r)
		}
		for node := range day {
			all[node] = append(day[node], all[node]...)
		}
	}
	return all
}

func TestHistoryHasEveryReadingOfItsDaysNewestDayFirst(t *testing.T) {
	h := pastOf(t, 1, evening)
	begin := time.Date(2026, time.November, 23, 0, 0, 0, 0, berlin)
	var days []time.Time
	for midnight, readings := range h.History(2) {
		if want := begin.AddDate(0, 0, -len(days)); !midnight.Equal(want) {
			t.Errorf("day %d begins at %v, want %v", len(days), midnight, want)
		}
		end := midnight.AddDate(0, 0, 1)
		if len(days) == 0 {
			end = evening
		}
		days = append(days, midnight)
		next := map[smartmeter.NodeID]smartmeter.Reading{}
		for r := range readings {
			want, known := next[r.Node]
			if !known {
				want = smartmeter.Reading{At: smartmeter.InstantOf(midnight), Seq: 1, Boot: r.Boot}
			}
			if r.At != want.At || r.Seq != want.Seq || r.Boot != want.Boot || r.Channel != 0 || r.Timing != smartmeter.ByNode ||
				r.Has != smartmeter.AllQuantities || r.Implausible() != 0 {
				t.Fatalf("%+v, want it at %d with seq %d and boot %x", r, want.At, want.Seq, want.Boot)
			}
			next[r.Node] = smartmeter.Reading{At: r.At + 5000, Seq: r.Seq + 1, Boot: r.Boot}
		}
		for node, n := range next {
			if last := n.At - 5000; last >= smartmeter.InstantOf(end) || n.At < smartmeter.InstantOf(end) {
				t.Errorf("%s has its last reading at %d, the day ends at %d", node, last, end.UnixMilli())
			}
		}
		if len(next) != 9 {
			t.Errorf("%d nodes have a history", len(next))
		}
	}
	if len(days) != 3 {
		t.Errorf("there are the days %v", days)
	}
}

func TestHistoryCountsHoursThatTheClocksSkipOrRepeat(t *testing.T) {
	for start, hours := range map[time.Time]int{
		time.Date(2026, time.March, 30, 0, 0, 0, 0, berlin):   23,
		time.Date(2026, time.October, 26, 0, 0, 0, 0, berlin): 25,
	} {
		for node, readings := range channels(t, pastOf(t, 1, start), 1) {
			if len(readings) != hours*hour/5 {
				t.Errorf("before %v %s has %d readings", start, node, len(readings))
			}
		}
	}
}

func TestEqualSeedsGiveEqualHistories(t *testing.T) {
	first := channels(t, pastOf(t, 1, evening), 1)
	again := pastOf(t, 1, evening)
	for range again.History(0) { // looked into and left
		break
	}
	again.Step(2 * hour * second)
	if !maps.EqualFunc(first, channels(t, again, 1), slices.Equal) {
		t.Error("the same house told another history when asked again, and while it ran")
	}
	other := channels(t, pastOf(t, 2, evening), 1)
	for node := range first {
		if slices.Equal(first[node], other[node]) {
			t.Errorf("%s has the same history with another seed", node)
		}
	}
}

// A day is the same whatever follows it, but for its register, which only the
// distance between two readings gives a meaning.
func TestDaysAreTheSameInEveryHistory(t *testing.T) {
	short, long := pastOf(t, 1, evening.AddDate(0, 0, -1)), pastOf(t, 1, evening)
	today := channels(t, short, 0)
	for node, after := range channels(t, long, 1) {
		for i, r := range today[node] {
			r.Energy, after[i].Energy = 0, 0
			if r != after[i] {
				t.Fatalf("%s at %d: %+v, a day later %+v", node, r.At, r, after[i])
			}
		}
	}
}

func TestRegistersGoOnFromDayToDay(t *testing.T) {
	for node, readings := range channels(t, pastOf(t, 1, evening), 3) {
		var sum decijoules
		for i := 1; i < len(readings); i++ {
			before, r := readings[i-1], readings[i]
			if r.Energy < before.Energy || r.Energy > before.Energy+12 || // 8 kW for 5 s
				r.At != before.At+5000 {
				t.Fatalf("%s: %+v follows %+v", node, r, before)
			}
			sum += 5 * decijoules(r.Power)
		}
		// Power changes between the readings; on average it does not matter.
		counted := readings[len(readings)-1].Energy - readings[0].Energy
		if integral := smartmeter.WattHour(sum / perWattHour); counted < integral*97/100-3 || counted > integral*103/100+3 {
			t.Errorf("%s has counted %d Wh, the integral is %d", node, counted, integral)
		}
	}
}

func TestMainRegisterIsTheSumAndTheBase(t *testing.T) {
	all := channels(t, pastOf(t, 1, evening), 2)
	whole := all["sim-main"]
	first, last := 0, len(whole)-1
	rest := whole[last].Energy - whole[first].Energy
	for node, readings := range all {
		if node != "sim-main" {
			rest -= readings[last].Energy - readings[first].Energy
		}
	}
	hours := smartmeter.WattHour(last-first) * 5 / 3600
	if watts := rest / hours; watts < 65 || watts > 85 {
		t.Errorf("the main meter has counted %d Wh in %d h that nobody else has", rest, hours)
	}
	for i, w := range whole {
		unmetered := w.Power
		for node, readings := range all {
			if node != "sim-main" {
				unmetered -= readings[i].Power
			}
		}
		if unmetered < 540 || unmetered > 950 {
			t.Fatalf("at %d the main meter shows %d dW more than the others", w.At, unmetered)
		}
	}
}

// What the running house measures is what a history tells of that time, and
// its registers go on where its own history ends.
func TestRunningHouseGoesOnWhereItsHistoryEnds(t *testing.T) {
	var w world
	h := newHouseAt(t, &w, 8, 1, time.Second, evening)
	past := channels(t, h, 0)
	later := channels(t, pastOf(t, 1, evening.Add(10*time.Minute)), 0)
	counted, told := map[smartmeter.NodeID]decijoules{}, map[smartmeter.NodeID]int{}
	for _, at := range h.sites[0].places() {
		counted[at.Node] = at.counted
		if last := past[at.Node][len(past[at.Node])-1]; last.Energy != register(at.counted) || last.At != smartmeter.InstantOf(evening)-1000 {
			t.Errorf("the history ends with %+v, the house begins with %d Wh", last, register(at.counted))
		}
		told[at.Node] = len(past[at.Node])
	}
	compared := 0
	w.samples(t, func(node smartmeter.NodeID, s *smartmeter.Sample) {
		counted[node] += decijoules(s.Power)
		if s.Energy != register(counted[node]) {
			t.Fatalf("%s: the register shows %d Wh, the integral is %d", node, s.Energy, register(counted[node]))
		}
		if s.Boot&pastFlag != 0 {
			t.Fatalf("the boot %x is one of the past", s.Boot)
		}
		if i := told[node]; i < len(later[node]) && later[node][i].At == s.At {
			told[node]++
			compared++
			want := later[node][i].Measurement
			if want.Energy = s.Energy; want != s.Measurement {
				t.Fatalf("%s at %d: %+v, history tells %+v", node, s.At, s.Measurement, want)
			}
		}
	})
	h.Step(600*second - second)
	if compared != 9*120 {
		t.Errorf("%d samples were compared", compared)
	}
}

func TestHistoryIsToldWhileTheHouseRuns(t *testing.T) {
	var w world
	h := newHouseAt(t, &w, 16, 1, time.Second, evening)
	told := make(chan int)
	go func() {
		n := 0
		for _, readings := range h.History(1) {
			for range readings {
				n++
			}
		}
		told <- n
	}()
	h.Step(300 * second)
	if n := <-told; n != 18*(secondsADay+20*hour+33*minute+45)/5 {
		t.Errorf("%d readings", n)
	}
}

func TestRegisterRollsOver(t *testing.T) {
	for counted, want := range map[decijoules]smartmeter.WattHour{
		0:                      0,
		35_999:                 0,
		rollsOver - 1:          9_999_999,
		rollsOver + 36_000:     1,
		-1:                     9_999_999,
		-rollsOver - 10*36_000: 9_999_990,
	} {
		if got := register(counted); got != want {
			t.Errorf("%d dJ show as %d Wh, want %d", counted, got, want)
		}
	}
}

// BenchmarkHistory tells a week of a home with nine meters: 1.1 million
// readings.
func BenchmarkHistory(b *testing.B) {
	h := pastOf(b, 1, evening)
	b.ReportAllocs()
	seconds := 0
	for b.Loop() {
		for midnight, readings := range h.History(7) {
			if midnight.After(evening.AddDate(0, 0, -1)) {
				continue // today is not a whole day
			}
			seconds += 9 * secondsADay
			for range readings {
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(seconds), "ns/device-second")
}
