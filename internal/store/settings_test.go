package store_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// Wherever the power fails while settings are written, the old or the new ones are
// there afterwards, whole; and the new ones if they were acknowledged.
func TestSettingsSurvivePowerCuts(t *testing.T) {
	for cut := range 12 {
		files := faultdisk.New(uint64(cut))
		s := openOn(t, files)
		put(t, s, "old")
		files.CrashAfter(cut)
		err := s.PutSettings(t.Context(), []byte("the new ones"))
		s.Close() // fails after a cut, as it should
		s = openOn(t, files.Crash())
		got, readErr := s.Settings(t.Context())
		if readErr != nil || string(got) != "the new ones" && (err == nil || string(got) != "old") {
			t.Errorf("cut after %d changes (%v): %q, %v", cut, err, got, readErr)
		}
		put(t, s, "newer")
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func openOn(t *testing.T, files *faultdisk.Disk) *store.Store {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{Dir: t.TempDir(), FS: files, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func put(t *testing.T, s *store.Store, text string) {
	t.Helper()
	err := s.PutSettings(t.Context(), []byte(text))
	got, readErr := s.Settings(t.Context())
	if err = errors.Join(err, readErr); err != nil || string(got) != text {
		t.Fatalf("put %q: %q, %v", text, got, err)
	}
}

func TestSettingsOutliveTheIndex(t *testing.T) {
	dir := t.TempDir()
	open := func() *store.Store {
		s, err := store.Open(t.Context(), store.Config{Dir: dir, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	if got, err := s.Settings(t.Context()); got != nil || err != nil {
		t.Errorf("before anything was kept: %q, %v", got, err)
	}
	put(t, s, "settings")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "smartmeter.db")); err != nil {
		t.Fatal(err)
	}
	s = open()
	defer s.Close()
	if got, err := s.Settings(t.Context()); string(got) != "settings" || err != nil {
		t.Errorf("without the index: %q, %v", got, err)
	}
	if err := os.Truncate(filepath.Join(dir, "settings.json"), 2<<20); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Settings(t.Context()); err == nil {
		t.Errorf("%d bytes are taken for settings", len(got))
	}
}

// An earlier build had prices alone, under another name.
func TestPricesOfAnEarlierBuildAreSettings(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "prices.json"), []byte(`{"currency":"EUR"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := store.Open(t.Context(), store.Config{Dir: dir, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := s.Settings(t.Context()); err != nil || string(got) != `{"currency":"EUR"}` {
		t.Errorf("settings %q, %v", got, err)
	}
	put(t, s, `{"currency":"CHF"}`)
}
