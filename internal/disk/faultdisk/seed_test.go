package faultdisk_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// The same seed must give the same run, or no failure could be repeated.
func TestSameSeedSameRun(t *testing.T) {
	run := func(seed uint64) string {
		d := faultdisk.New(seed)
		d.SetFaults(faultdisk.Faults{Lies: 0.3, Errors: 0.2})
		var trace string
		for i := range 60 {
			f, err := d.Create(fmt.Sprint(i), 700)
			if err == nil {
				_, err = f.WriteAt(sectors(3, byte('a'+i)), int64(i*100))
				err = errors.Join(err, f.Sync(), d.SyncDir("."))
			}
			trace += fmt.Sprintln(err)
			if i%20 == 19 {
				d = d.Crash()
			}
		}
		entries, err := d.List(".")
		must(t, err)
		for _, e := range entries {
			trace += e.Name + content(t, d, e.Name)
		}
		return trace
	}
	first, second, other := run(7), run(7), run(8)
	if first != second {
		t.Error("two runs with one seed differ")
	}
	if first == other {
		t.Error("two seeds give one run")
	}
	if d := faultdisk.New(7); d.Crash().Seed() != 7 {
		t.Error("the seed is forgotten")
	}
}
