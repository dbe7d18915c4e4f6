package store_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

func TestUsage(t *testing.T) {
	files := faultdisk.New(1)
	files.SetFaults(faultdisk.Faults{FullAt: 64 << 20})
	now := november
	s, err := store.Open(t.Context(), store.Config{
		Dir: t.TempDir(), FS: files, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler), Now: func() time.Time { return now },
	})
	must(t, err)
	defer s.Close()
	usage := func() store.Usage {
		t.Helper()
		u, err := s.Usage(t.Context())
		must(t, err)
		return u
	}
	if u := usage(); u.PerDay != 0 || u.OldestRaw != 0 || u.Database == 0 || u.Free <= 0 || u.Free >= 64<<20 {
		t.Errorf("an empty store uses %+v", u)
	}
	livedIn(t, s, november, 10)
	now = november.AddDate(0, 0, 10)
	u := usage()
	if u.PerDay < 200 || u.PerDay > 1000 || u.Log == 0 || u.Chunks == 0 || u.OldestRaw != smartmeter.InstantOf(november) {
		t.Errorf("ten days with an hour of readings use %+v", u)
	}
	must(t, s.Thin(t.Context(), december))
	now = december
	if thinned := usage(); thinned.OldestRaw != 0 || thinned.Chunks >= u.Chunks {
		t.Errorf("thinned they use %+v, before %+v", thinned, u)
	}
	must(t, s.AppendReadings(smartmeter.Reading{Node: "n", At: smartmeter.InstantOf(december) + 5}))
	if u := usage(); u.OldestRaw != smartmeter.InstantOf(december) {
		t.Errorf("the oldest reading is of %v", u.OldestRaw.Time())
	}
}
