package store_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// A day is sealed when the next has begun. What that has by then lies in the log
// before the names that sealing repeats, and must be found again.
func TestOpenDaySurvivesSealingTheOneBefore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	const today = smartmeter.Instant(1_790_035_200_000)
	want := []smartmeter.Reading{{Node: "n", At: today - 1, Boot: 7, Seq: 1}, {Node: "n", At: today + 1, Boot: 7, Seq: 2}}
	if err := s.AppendReadings(want...); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(t.Context(), time.UnixMilli(int64(today))); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
		var got []smartmeter.Reading
		for r, err := range s.Readings(t.Context(), "n", 0, 0, today+1000) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("readings (-want +got):\n%s", d)
		}
		if w := s.Watermark("n", 0, 7); w.Seq != 2 {
			t.Errorf("watermark %d, want 2", w.Seq)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// A card that lies may lose the monthly files, and then the database is of no use
// either. The log alone must do: the name that sealing has repeated lies behind
// the readings of the open day, and from there comes into the journal again.
func TestOpenDayOutlivesTheMonthlyFiles(t *testing.T) {
	dir := t.TempDir()
	const today = smartmeter.Instant(1_790_035_200_000)
	want := []smartmeter.Reading{{Node: "n", At: today + 1, Boot: 7, Seq: 1}, {Node: "n", At: today + 2, Boot: 7, Seq: 2}}
	expect := func(s *store.Store) {
		t.Helper()
		var got []smartmeter.Reading
		for r, err := range s.Readings(t.Context(), "n", 0, 0, today+1000) {
			must(t, err)
			got = append(got, r)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("readings (-want +got):\n%s", d)
		}
	}

	s := open(t, dir)
	must(t, s.AppendReadings(want...))
	must(t, s.Seal(t.Context(), time.UnixMilli(int64(today))))
	must(t, s.Close())
	for _, lost := range []string{"chunks", "smartmeter.db"} {
		must(t, os.RemoveAll(filepath.Join(dir, lost)))
	}
	s = open(t, dir)
	expect(s)
	must(t, s.Seal(t.Context(), time.UnixMilli(int64(today)).AddDate(0, 0, 1)))
	must(t, s.Close())
	for _, lost := range []string{"log", "smartmeter.db"} {
		must(t, os.RemoveAll(filepath.Join(dir, lost)))
	}
	s = open(t, dir)
	expect(s)
	must(t, s.Close())
}
