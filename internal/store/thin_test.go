package store_test

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/rollup"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

var (
	december = time.Date(2026, time.December, 1, 0, 0, 0, 0, time.UTC)
	november = december.AddDate(0, -1, 0)
)

// livedIn appends an hour of readings on each of some days from a day on, and
// seals them.
func livedIn(t *testing.T, s *store.Store, from time.Time, days int) {
	t.Helper()
	for day := range days {
		for n := range 60 {
			at := from.AddDate(0, 0, day).Add(10*time.Hour + time.Duration(n)*time.Minute)
			must(t, s.AppendReadings(smartmeter.Reading{
				Node: "n", At: smartmeter.InstantOf(at), Timing: smartmeter.ByArrival,
				Measurement: smartmeter.Measurement{Has: smartmeter.Power, Power: smartmeter.Deciwatt(100*day + n)},
			}))
		}
	}
	must(t, s.Seal(t.Context(), from.AddDate(0, 0, days+1)))
}

// answers is what s says of n by quarter hour and longer, and how many readings
// it has.
type answers struct {
	Quarters, Hours, Days, Part []smartmeter.Bucket
	Readings                    int
}

func ask(t *testing.T, s *store.Store) (a answers) {
	t.Helper()
	buckets := func(from, to time.Time, width smartmeter.Millis) (all []smartmeter.Bucket) {
		for b, err := range s.Buckets(t.Context(), "n", 0, smartmeter.Power, smartmeter.InstantOf(from), smartmeter.InstantOf(to), width) {
			must(t, err)
			all = append(all, b)
		}
		return all
	}
	end := december.AddDate(0, 1, 0)
	a.Quarters = buckets(november, end, rollup.Quarter)
	a.Hours = buckets(november, end, rollup.Hour)
	a.Days = buckets(november, end, rollup.Day)
	a.Part = buckets(november.Add(10*time.Hour), november.Add(10*time.Hour+30*time.Minute), rollup.Quarter)
	for _, err := range s.Readings(t.Context(), "n", 0, 0, 1<<60) {
		must(t, err)
		a.Readings++
	}
	return a
}

func TestThinnedMonthsKeepTheirSums(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	livedIn(t, s, november.AddDate(0, 0, 0), 5)
	livedIn(t, s, december, 3)
	must(t, s.PutDevice(smartmeter.Device{ID: "n", Node: "n", Name: "kettle"}))
	before := ask(t, s)
	must(t, s.Thin(t.Context(), november.AddDate(0, 0, 29))) // a day too early
	if got := ask(t, s); got.Readings != before.Readings {
		t.Errorf("a month that is not over has lost readings: %d of %d are left", got.Readings, before.Readings)
	}
	must(t, s.Thin(t.Context(), december))
	want := before
	want.Readings = 3 * 60
	compare := func(when string) {
		t.Helper()
		if d := cmp.Diff(want, ask(t, s)); d != "" {
			t.Errorf("%s (-want +got):\n%s", when, d)
		}
	}
	compare("thinned")
	must(t, s.Thin(t.Context(), december))
	compare("thinned twice")
	must(t, s.AppendReadings(smartmeter.Reading{Node: "n", At: smartmeter.InstantOf(november.Add(time.Hour)), Measurement: smartmeter.Measurement{Has: smartmeter.Power, Power: 1}}))
	must(t, s.Seal(t.Context(), december))
	compare("after a reading that came too late")
	for _, lose := range []bool{false, true} {
		must(t, s.Close())
		if lose {
			must(t, os.Remove(filepath.Join(dir, "smartmeter.db")))
		}
		s = open(t, dir)
		compare("after a restart")
	}
	must(t, s.EraseDevice(t.Context(), smartmeter.Device{ID: "n", Node: "n"}))
	must(t, s.Close())
	must(t, os.Remove(filepath.Join(dir, "smartmeter.db")))
	s = open(t, dir)
	if got := ask(t, s); got.Readings != 0 || got.Days != nil {
		t.Errorf("erased, and still there: %+v", got)
	}
	must(t, s.Close())
}

// A power cut at any operation of thinning leaves the month as it was, or
// thinned, and its sums either way.
func TestThinningSurvivesPowerCuts(t *testing.T) {
	for n := range 40 {
		files, dir := faultdisk.New(uint64(n+1)), t.TempDir()
		reopen := func() *store.Store {
			s, err := store.Open(t.Context(), store.Config{Dir: dir, FS: files, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler)})
			must(t, err)
			return s
		}
		s := reopen()
		livedIn(t, s, november, 3)
		before := ask(t, s)
		files.CrashAfter(n)
		err := s.Thin(t.Context(), december)
		crashed := files.Crashed()
		files = files.Crash()
		_ = s.Close()
		s = reopen()
		got := ask(t, s)
		if got.Readings != 0 && got.Readings != before.Readings || err == nil && got.Readings != 0 {
			t.Errorf("cut after %d operations: %d of %d readings are left, Thin said %v", n, got.Readings, before.Readings, err)
		}
		got.Readings = before.Readings
		if d := cmp.Diff(before, got); d != "" {
			t.Errorf("cut after %d operations (-want +got):\n%s", n, d)
		}
		must(t, s.Thin(t.Context(), december))
		if got := ask(t, s); got.Readings != 0 {
			t.Errorf("cut after %d operations: thinning again leaves %d readings", n, got.Readings)
		}
		must(t, s.Close())
		if !crashed {
			if n < 5 {
				t.Errorf("thinning took %d operations only: it tests nothing", n)
			}
			return
		}
	}
	t.Error("thinning takes more operations than are tried")
}

// Energy is made of readings. What nobody has asked for yet must be made before
// they go.
func TestThinningKeepsEnergy(t *testing.T) {
	energy := func(thin bool) string {
		s := open(t, t.TempDir())
		defer s.Close()
		for n := range 120 {
			must(t, s.AppendReadings(smartmeter.Reading{
				Node: "n", At: smartmeter.InstantOf(november.Add(time.Duration(n) * time.Minute)), Timing: smartmeter.ByArrival,
				Measurement: smartmeter.Measurement{Has: smartmeter.Energy | smartmeter.Power, Energy: smartmeter.WattHour(1000 + 10*n), Power: 6000},
			}))
		}
		must(t, s.Seal(t.Context(), december))
		if thin {
			must(t, s.Thin(t.Context(), december))
		}
		days, err := s.EnergyDays(t.Context(), "n", 0, ledger.Range{First: ledger.DayOf(smartmeter.InstantOf(november)), Last: ledger.DayOf(smartmeter.InstantOf(december))})
		must(t, err)
		return fmt.Sprintf("%+v", days)
	}
	whole, thinned := energy(false), energy(true)
	if whole != thinned || len(whole) < 100 {
		t.Errorf("thinned: %s\nwhole: %s", thinned, whole)
	}
}
