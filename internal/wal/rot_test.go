package wal_test

import (
	"slices"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// TestRot damages every byte that the log wrote, one at a time, and holds what
// is delivered to three things: it was appended, it is in order, and what is
// missing is reported, or was in the last batch.
func TestRot(t *testing.T) {
	d, want, lastBatch := rotten(t)
	entries, err := d.List("hot")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		for off := range e.Size {
			name := "hot/" + e.Name
			flip(t, d, name, off)
			got, report := replay(t, d)
			checkRot(t, e.Name, off, want, got, lastBatch, report)
			flip(t, d, name, off)
		}
	}
}

// rotten makes a log of two lives and three segments, and says from which of its
// records on they are in the last batch.
func rotten(t *testing.T) (d *faultdisk.Disk, want []wal.Record, lastBatch int) {
	t.Helper()
	d = faultdisk.New(1)
	cfg := small(d)
	cfg.SegmentBytes = 4096
	for range 2 {
		l, _, _ := open(t, cfg)
		for range 4 {
			appended(t, l, 0, 8)
			mustSync(t, l)
		}
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d = d.Crash()
	want, report := replay(t, d)
	if len(want) != 64 || report.Torn || len(report.Damage) > 0 {
		t.Fatalf("%d records, %+v", len(want), report)
	}
	return d, want, len(want) - 8
}

// replay delivers without changing the disk.
func replay(t *testing.T, d *faultdisk.Disk) ([]wal.Record, wal.Report) {
	t.Helper()
	d.SetFaults(faultdisk.Faults{ReadOnly: true})
	defer d.SetFaults(faultdisk.Faults{})
	var got []wal.Record
	_, report, err := wal.Open(small(d), func(r wal.Record) error {
		r.Payload = slices.Clone(r.Payload)
		got = append(got, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, report
}

// flip flips all bits of a byte.
func flip(t *testing.T, d *faultdisk.Disk, name string, off int64) {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, off); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 0xff
	if _, err := f.WriteAt(b, off); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
}

func checkRot(t *testing.T, name string, off int64, want, got []wal.Record, lastBatch int, report wal.Report) {
	t.Helper()
	for i, r := range want {
		if len(got) > 0 && got[0].Position == r.Position {
			if got[0].Type != r.Type || !slices.Equal(got[0].Payload, r.Payload) {
				t.Fatalf("%s byte %d: record %d is wrong", name, off, r.Position)
			}
			got = got[1:]
			continue
		}
		if i < lastBatch && !reported(report, r.Position) {
			t.Fatalf("%s byte %d: record %d is missing and not reported: %+v", name, off, r.Position, report)
		}
	}
	if len(got) > 0 {
		t.Fatalf("%s byte %d: record %d was never appended, or came twice", name, off, got[0].Position)
	}
}

// TestRotInManyPlaces flips bits all over a log.
func TestRotInManyPlaces(t *testing.T) {
	for seed := range uint64(300) {
		d, want, _ := rotten(t)
		entries, err := d.List("hot")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			d.Rot("hot/"+e.Name, 0, e.Size, int(seed%20))
		}
		got, _ := replay(t, d)
		for _, r := range got {
			ok := slices.ContainsFunc(want, func(w wal.Record) bool {
				return w.Position == r.Position && w.Type == r.Type && slices.Equal(w.Payload, r.Payload)
			})
			if !ok {
				t.Fatalf("seed %d: record %d is wrong", seed, r.Position)
			}
		}
	}
}
