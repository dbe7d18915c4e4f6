package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
)

// still opens the store of a directory; nothing happens in it by itself.
func still(t *testing.T, cfg Config) *Store {
	t.Helper()
	cfg.Logger = quiet()
	s, err := openStill(t.Context(), cfg)
	ok(t, err)
	return s
}

// kept makes a data directory with sealed days and a device.
func kept(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := still(t, Config{Dir: dir})
	for day := range chunk.Day(20) {
		for n := range 100 {
			ok(t, s.AppendReadings(smartmeter.Reading{
				Node: "n", Boot: 7, Seq: uint32(day)*1000 + uint32(n) + 1, At: (20_000 + day).Midnight() + smartmeter.Instant(n)*60_000,
				Measurement: smartmeter.Measurement{Has: smartmeter.Power, Power: smartmeter.Deciwatt(n * n)},
			}))
		}
	}
	ok(t, s.PutDevice(smartmeter.Device{ID: "n", Node: "n", Name: "kettle"}))
	ok(t, s.Seal(t.Context(), time.UnixMilli(int64(chunk.Day(20_030).Midnight()))))
	ok(t, s.Close())
	return dir
}

// told is what a store of kept answers.
type told struct {
	Readings []smartmeter.Reading
	Days     []smartmeter.Bucket
	Devices  []smartmeter.Device
	Latest   []smartmeter.Reading
}

func ask(t *testing.T, s *Store) (a told) {
	t.Helper()
	var errs [4]error
	a.Readings, errs[0] = collect(s.Readings(t.Context(), "n", 0, 0, endOfTime))
	a.Days, errs[1] = collect(s.Buckets(t.Context(), "n", 0, smartmeter.AllQuantities, 0, endOfTime, 86_400_000))
	a.Devices, errs[2] = s.Devices(t.Context())
	a.Latest, errs[3] = s.Latest(t.Context())
	ok(t, errors.Join(errs[:]...))
	return a
}

func TestDatabaseIsMadeAgainWhenAsked(t *testing.T) {
	dir := kept(t)
	s := still(t, Config{Dir: dir})
	right := ask(t, s)
	ok(t, s.Close())
	script(t, filepath.Join(dir, databaseName), `UPDATE device SET name = 'toaster'; DELETE FROM chunk WHERE day > 20010`)
	s = still(t, Config{Dir: dir})
	if cmp.Equal(right, ask(t, s)) {
		t.Fatal("what the database says does not count: it cannot be tested")
	}
	ok(t, s.Close())
	s = still(t, Config{Dir: dir, Rebuild: true})
	if d := cmp.Diff(right, ask(t, s)); d != "" {
		t.Errorf("made again, and not as it was (-want +got):\n%s", d)
	}
	ok(t, s.Close())
}

// What the first form has kept is nowhere else until it is taken over.
func TestDatabaseOfTheFirstFormIsNotMadeAgain(t *testing.T) {
	dir := t.TempDir()
	atVersion(t, filepath.Join(dir, databaseName), 1, firstForm)
	s := still(t, Config{Dir: dir, Rebuild: true})
	defer s.Close()
	readings, err := collect(s.Readings(t.Context(), "oven", 0, 0, endOfTime))
	if err != nil || len(readings) == 0 {
		t.Errorf("%d readings are left, %v", len(readings), err)
	}
}

// Whichever page a card loses: the damage is found by a thorough look at the
// latest, told, and gone after the next start.
func TestDamageIsFoundAndMended(t *testing.T) {
	dir := kept(t)
	path := filepath.Join(dir, databaseName)
	s := still(t, Config{Dir: dir})
	right := ask(t, s)
	ok(t, s.Close())
	whole, err := os.ReadFile(path)
	ok(t, err)
	found := 0
	for page := range len(whole) / 4096 {
		raw := bytes.Clone(whole)
		clear(raw[page*4096 : (page+1)*4096])
		ok(t, os.WriteFile(path, raw, 0o600))
		s = still(t, Config{Dir: dir})
		if s.checkIndex(t.Context(), true) { // otherwise it was found at the start
			found++
			if err := s.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "restart the hub") {
				t.Errorf("page %d: Check says %v", page, err)
			}
		}
		ok(t, s.Close())
		s = still(t, Config{Dir: dir})
		if d := cmp.Diff(right, ask(t, s)); d != "" {
			t.Errorf("page %d: mended, and not as it was (-want +got):\n%s", page, d)
		}
		if s.checkIndex(t.Context(), true) {
			t.Errorf("page %d: it is damaged still", page)
		}
		ok(t, s.Close())
	}
	if found == 0 {
		t.Error("all damage was found at the start: the thorough look tests nothing")
	}
}

// A database that a card has cut off within its last page answers without those
// rows, and SQLite says nothing. It is made again at once.
func TestDatabaseIsCutInItsLastPage(t *testing.T) {
	dir := kept(t)
	path := filepath.Join(dir, databaseName)
	s := still(t, Config{Dir: dir})
	right := ask(t, s)
	ok(t, s.Close())
	whole, err := os.ReadFile(path)
	ok(t, err)
	for cut := 512; cut < 4096; cut += 512 {
		ok(t, os.WriteFile(path, whole[:len(whole)-cut], 0o600))
		s = still(t, Config{Dir: dir})
		if d := cmp.Diff(right, ask(t, s)); d != "" {
			t.Errorf("%d bytes are cut off (-want +got):\n%s", cut, d)
		}
		if s.checkIndex(t.Context(), true) {
			t.Errorf("%d bytes are cut off, and it is damaged still", cut)
		}
		ok(t, s.Close())
	}
}

func TestDatabaseIsReadAfterAnUncleanStop(t *testing.T) {
	dir, torn := kept(t), t.TempDir()
	s := still(t, Config{Dir: dir})
	if s.unclean {
		t.Error("it was closed in peace")
	}
	ok(t, s.PutDevice(smartmeter.Device{ID: "n", Node: "n", Name: "toaster"}))
	ok(t, s.Sync(t.Context()))
	for _, suffix := range []string{"", "-wal"} { // as a power cut leaves it
		content, err := os.ReadFile(filepath.Join(dir, databaseName+suffix))
		ok(t, err)
		ok(t, os.WriteFile(filepath.Join(torn, databaseName+suffix), content, 0o600))
	}
	ok(t, s.Close())
	ok(t, os.CopyFS(filepath.Join(torn, "d"), os.DirFS(dir)))
	for _, suffix := range []string{"", "-wal"} {
		ok(t, os.Rename(filepath.Join(torn, databaseName+suffix), filepath.Join(torn, "d", databaseName+suffix)))
	}
	s = still(t, Config{Dir: filepath.Join(torn, "d")})
	defer s.Close()
	if !s.unclean {
		t.Error("nobody has noticed the power cut")
	}
}

// The thorough look comes once, some time after the start.
func TestDatabaseIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := still(t, Config{Dir: kept(t)})
		defer s.Close()
		s.unclean = true
		lost := errors.Join(errIndexBroken)
		ctx, stop := context.WithCancel(t.Context())
		go s.runCheck(ctx, 7*time.Second)
		time.Sleep(checkAfter + 10*time.Second)
		synctest.Wait()
		if err := s.Check(t.Context()); err != nil || s.unclean {
			t.Errorf("%v, and still to be read: %v", err, s.unclean)
		}
		s.index.broken.Store(&lost) // as a query leaves it
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if err := s.Check(t.Context()); !errors.Is(err, errIndexBroken) {
			t.Errorf("a query has found damage, and Check says %v", err)
		}
		stop()
	})
}
