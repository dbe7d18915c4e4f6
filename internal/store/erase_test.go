package store_test

import (
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// An erasure that a disk refuses is carried through when the disk takes writes
// again, before all that came in later; or a power cut comes first, and all is as
// it was acknowledged. It says that it goes on, and nothing half is shown.
func TestErasureThatADiskRefuses(t *testing.T) {
	heater := smartmeter.Device{ID: "heater", Name: "the heater", Kind: smartmeter.Heater, Node: "heater"}
	earlier, later := samples("heater", storyDay, 10), samples("heater", storyDay+hour, 10)
	for name, c := range map[string]struct {
		vice     faultdisk.Faults
		why      error
		recovers bool
		want     []smartmeter.Reading
		devices  []smartmeter.Device
	}{
		"the disk takes writes again": {faultdisk.Faults{ReadOnly: true}, disk.ErrReadOnly, true, later, nil},
		"a disk that failed is well":  {faultdisk.Faults{Errors: 1}, disk.ErrIO, true, later, nil},
		"the power is cut":            {faultdisk.Faults{ReadOnly: true}, disk.ErrReadOnly, false, earlier, []smartmeter.Device{heater}},
	} {
		t.Run(name, func(t *testing.T) {
			l := &life{t: t, dir: t.TempDir()}
			files := faultdisk.New(1)
			l.openOn(files)
			l.must(l.PutDevice(heater))
			l.take(earlier...)
			l.Watermarks()

			files.SetFaults(c.vice)
			if err := l.EraseDevice(t.Context(), heater); !errors.Is(err, smartmeter.ErrErasing) || !errors.Is(err, c.why) {
				t.Errorf("an erasure that is refused says %v", err)
			}
			same(t, "readings of what is being erased", l.readings("heater"), nil)
			l.Lost("heater", 0, later[0].Boot, later[0].Seq)
			l.must(l.AppendReadings(later...))
			for _, w := range l.Watermarks() {
				if w.Seq >= later[0].Seq {
					t.Errorf("acknowledged before the disk has it: %+v", w)
				}
			}
			same(t, "readings meanwhile", l.readings("heater"), later)

			if c.recovers {
				files.SetFaults(faultdisk.Faults{})
				l.must(l.Sync(t.Context()))
			}
			cut := files.Crash()
			_ = l.Close() // of the disk that is gone
			l.openOn(cut)
			same(t, "readings after the power cut", l.readings("heater"), c.want)
			devices, err := l.Devices(t.Context())
			l.must(err)
			same(t, "devices after the power cut", devices, c.devices)
			l.must(l.Close())
		})
	}
}

// openOn opens a store that keeps log and monthly files on a disk of the test's.
func (l *life) openOn(files *faultdisk.Disk) {
	l.t.Helper()
	var err error
	l.Store, err = store.Open(l.t.Context(), store.Config{
		Dir: l.dir, FS: files, SyncEvery: time.Hour, Logger: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.UnixMilli(int64(storyDay + 2*hour)) },
	})
	l.must(err)
}
