package store_test

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"github.com/iot-smart-meter/smartmeter/internal/store/storetest"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) {
	liveInMemory()
	goleak.VerifyTestMain(m)
}

// liveInMemory has tests make their directories in memory, where the system has
// enough of it: what is tested is what files hold, not how they got to a disk, and
// a database that waits for a disk at every step takes most of the time.
func liveInMemory() {
	const shm, enough = "/dev/shm", 1 << 30
	var is unix.Statfs_t
	if unix.Statfs(shm, &is) == nil && is.Bavail*uint64(is.Bsize) >= enough {
		_ = os.Setenv("TMPDIR", shm)
	}
}

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
// when the disk is well again, and what is old can be read meanwhile.
func TestRefusingDiskLosesNothing(t *testing.T) {
	for name, vice := range map[string]faultdisk.Faults{
		"read-only": {ReadOnly: true},
		"failing":   {Errors: 1},
	} {
		t.Run(name, func(t *testing.T) {
			files := faultdisk.New(1)
			s, err := store.Open(t.Context(), store.Config{Dir: t.TempDir(), FS: files, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			readings := func() (n int) {
				for _, err := range s.Readings(t.Context(), "n", 0, 0, 100) {
					if err != nil {
						t.Fatal(err)
					}
					n++
				}
				return n
			}
			take := func(seq uint32) {
				t.Helper()
				if err := s.AppendReadings(smartmeter.Reading{Node: "n", At: smartmeter.Instant(seq), Boot: 1, Seq: seq}); err != nil {
					t.Fatal(err)
				}
			}
			take(1)
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			files.SetFaults(vice)
			take(2)
			if err := s.Sync(t.Context()); err == nil {
				t.Fatal("Sync succeeds on a disk that refuses")
			}
			if err := s.Check(t.Context()); err == nil {
				t.Error("Check finds nothing wrong")
			}
			take(3)
			if n := readings(); n != 3 {
				t.Errorf("%d readings while the disk refuses, want 3", n)
			}
			if w := s.Watermarks(); len(w) != 1 || w[0].Seq != 1 {
				t.Errorf("watermarks %v, want the first sample alone", w)
			}
			files.SetFaults(faultdisk.Faults{})
			if err := s.Sync(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(t.Context()); err != nil {
				t.Errorf("Check on a disk that is well again: %v", err)
			}
			if w := s.Watermarks(); len(w) != 1 || w[0].Seq != 3 {
				t.Errorf("watermarks %v, want all three", w)
			}
		})
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
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v; others have no business here", f.Name(), info.Mode(), err)
		}
	}
}

func TestOneWordOnARefusedDirectory(t *testing.T) {
	_, err := store.Open(t.Context(), store.Config{Dir: "/dev/null/data", Logger: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "make the data directory") {
		t.Errorf("Open below a file: %v", err)
	}
}
