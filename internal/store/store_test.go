package store_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"github.com/iot-smart-meter/smartmeter/internal/store/storetest"
	"go.uber.org/goleak"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) storetest.Store { return open(t, dir) })
}

func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir)
	_, err := store.Open(t.Context(), store.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "in use by another smartmeter") {
		t.Errorf("a second Open: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Error(err)
	}
}

// A disk that refuses writes must cost nothing that was taken: it is written
// when the disk is well again.
func TestRefusingDiskLosesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	intruder, err := sqlite.OpenConn(filepath.Join(dir, "smartmeter.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer intruder.Close()
	exec := func(script string) {
		t.Helper()
		if err := sqlitex.ExecuteScript(intruder, script, nil); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TRIGGER refuse BEFORE INSERT ON reading BEGIN SELECT raise(ABORT, 'disk full'); END;`)
	r := smartmeter.Reading{Node: "n", At: 1, Boot: 1, Seq: 1}
	if err := s.AppendReadings(r); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Fatalf("Sync on a refusing disk: %v", err)
	}
	exec(`DROP TRIGGER refuse;`)
	if err := s.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range s.Readings(t.Context(), "n", 0, 0, 10) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d readings after the disk was well again, want 1", n)
	}
}

func TestHistoryIsPrivate(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestOneWordOnARefusedDirectory(t *testing.T) {
	_, err := store.Open(t.Context(), store.Config{Dir: "/dev/null/data", Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "make the data directory") {
		t.Errorf("Open below a file: %v", err)
	}
}
