package hub_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// newDiskLab runs f with a hub that watches a disk.
func newDiskLab(t *testing.T, disk hub.Disk, f func(*testing.T, *lab, *wallClock)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, w := &lab{t: t, dir: dir, disk: disk}, &wallClock{}
		l.boot(w, "boot 1")
		l.start()
		f(t, l, w)
		l.stop()
	})
}

func TestHealthAsksForHelpBeforeTheDiskIsFull(t *testing.T) {
	for name, c := range map[string]struct {
		used hub.Storage
		want string // in what health says; empty: all is well
		full time.Duration
	}{
		"much room":              {used: hub.Storage{Free: 1 << 40, PerDay: 1 << 20}},
		"nobody knows the rate":  {used: hub.Storage{Free: 1 << 30}},
		"room for a month":       {used: hub.Storage{Free: 30 << 30, PerDay: 1 << 30}, full: 30 * 24 * time.Hour},
		"room for two weeks":     {used: hub.Storage{Free: 14 << 30, PerDay: 1 << 30}, full: 14 * 24 * time.Hour},
		"room for thirteen days": {used: hub.Storage{Free: 13 << 30, PerDay: 1 << 30}, full: 13 * 24 * time.Hour, want: "full in 13 days"},
		"hardly any room":        {used: hub.Storage{Free: 63 << 20, PerDay: 1}, want: "only 63 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			disk := hub.Disk{Measure: func(context.Context) (hub.Storage, error) { return c.used, nil }}
			newDiskLab(t, disk, func(t *testing.T, l *lab, _ *wallClock) {
				synctest.Wait()
				err := l.Health(t.Context()).Checks["disk"]
				if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
					t.Errorf("health says %v, want %q", err, c.want)
				}
				got, err := l.Storage(t.Context())
				want := c.used
				if c.full != 0 {
					want.FullOn = time.Now().UTC().Truncate(24 * time.Hour).Add(c.full)
				}
				if d := cmp.Diff(want, got); d != "" || err != nil {
					t.Errorf("storage, %v (-want +got):\n%s", err, d)
				}
			})
		})
	}
}

// Old months are thinned every hour, by a clock that is trusted and no other; a
// failure is tried again.
func TestThinsByATrustedClockOnly(t *testing.T) {
	var thinned []time.Time
	disk := hub.Disk{
		Measure: func(context.Context) (hub.Storage, error) { return hub.Storage{}, errors.New("no word from the disk") },
		KeepRaw: 40 * 24 * time.Hour,
		Thin: func(_ context.Context, before time.Time) error {
			thinned = append(thinned, before)
			return errors.New("the disk fails")
		},
	}
	newDiskLab(t, disk, func(t *testing.T, l *lab, w *wallClock) {
		time.Sleep(90 * time.Minute)
		synctest.Wait()
		if thinned != nil {
			t.Fatalf("thinned before %v by a clock that nobody trusts", thinned)
		}
		w.learn()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if len(thinned) != 2 || thinned[1].Sub(thinned[0]) != time.Hour || time.Since(thinned[1]) < 40*24*time.Hour {
			t.Errorf("thinned before %v, now is %v", thinned, time.Now())
		}
		if _, err := l.Storage(t.Context()); err == nil {
			t.Error("a disk that cannot be measured has an answer")
		}
	})
}
