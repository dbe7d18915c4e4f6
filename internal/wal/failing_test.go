package wal_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

func TestNothingIsForgottenWhileTheDiskRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults faultdisk.Faults
		want   error
	}{
		{"full", faultdisk.Faults{FullAt: 1}, disk.ErrNoSpace},
		{"read-only", faultdisk.Faults{ReadOnly: true}, disk.ErrReadOnly},
		{"failing", faultdisk.Faults{Errors: 1}, disk.ErrIO},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := faultdisk.New(1)
			l, _, _ := open(t, small(d))
			want := appended(t, l, 0, 10)
			mustSync(t, l)

			d.SetFaults(c.faults)
			n := 10
			for {
				if _, err := l.Append(7, make([]byte, 1000)); errors.Is(err, wal.ErrFull) {
					break
				}
				n++
			}
			for range 3 {
				if err := l.Sync(t.Context()); !errors.Is(err, c.want) {
					t.Fatalf("error %v, want %v", err, c.want)
				}
			}
			d.SetFaults(faultdisk.Faults{})
			mustSync(t, l)
			if l.Waiting() != 0 {
				t.Errorf("%d bytes still wait", l.Waiting())
			}
			_, got, report := open(t, small(d.Crash()))
			if len(got) != n || len(report.Damage) > 0 {
				t.Fatalf("%d records of %d; %v", len(got), n, report.Damage)
			}
			mustEqual(t, got[:10], want)
		})
	}
}

// A failed fdatasync may have dropped what it was to write, so the log must not
// trust the same file again.
func TestFailedSyncGoesToANewSegment(t *testing.T) {
	for seed := range uint64(50) {
		d := faultdisk.New(seed)
		l, _, _ := open(t, small(d))
		want := appended(t, l, 0, 10)
		mustSync(t, l)
		want = append(want, appended(t, l, 10, 20)...)
		d.FailAfter(1) // the write succeeds, the sync does not
		if err := l.Sync(t.Context()); !errors.Is(err, disk.ErrIO) {
			t.Fatalf("seed %d: error %v, want %v", seed, err, disk.ErrIO)
		}
		want = append(want, appended(t, l, 20, 30)...)
		mustSync(t, l)
		_, got, report := open(t, small(d.Crash()))
		mustEqual(t, got, want)
		if report.Segments != 2 {
			t.Errorf("seed %d: %d segments, want a second one", seed, report.Segments)
		}
	}
}

// What a killed process left in the cache after a failed sync can be read, and
// is lost in the next power cut; Open must not deliver it as durable.
func TestOpenDeliversOnlyWhatIsDurable(t *testing.T) {
	lost := 0
	for seed := range uint64(50) {
		d := faultdisk.New(seed)
		l, _, _ := open(t, small(d))
		want := appended(t, l, 0, 10)
		mustSync(t, l)
		appended(t, l, 10, 40)
		d.FailAfter(1)
		if err := l.Sync(t.Context()); !errors.Is(err, disk.ErrIO) {
			t.Fatal(err)
		}
		d = d.Restart()
		_, first, _ := open(t, small(d))
		_, second, _ := open(t, small(d.Crash()))
		mustEqual(t, second, first)
		mustEqual(t, first[:10], want)
		if len(first) < 40 {
			lost++
		}
	}
	if lost == 0 {
		t.Error("no failed sync lost anything: this tests nothing")
	}
}

func TestAFullDiskTakesWhatIsSetAside(t *testing.T) {
	d := faultdisk.New(1)
	l, _, _ := open(t, small(d))
	appended(t, l, 0, 1)
	mustSync(t, l)
	d.SetFaults(faultdisk.Faults{FullAt: 1})
	for range 12 { // a sector each in the rest of the segment
		appended(t, l, 1, 2)
		mustSync(t, l)
	}
}

// Release must work on a disk that the log itself has filled.
func TestReleaseOnAFullDisk(t *testing.T) {
	d := faultdisk.New(1)
	d.SetFaults(faultdisk.Faults{FullAt: 5 * 8192})
	l, _, _ := open(t, small(d))
	var err error
	n := 0
	for ; err == nil; n += 10 {
		appended(t, l, n, n+10)
		err = l.Sync(t.Context())
	}
	if !errors.Is(err, disk.ErrNoSpace) {
		t.Fatal(err)
	}
	if err := l.Release(t.Context(), l.Durable()); err != nil {
		t.Fatalf("release: %v", err)
	}
	for range 100 {
		appended(t, l, n, n+10)
		mustSync(t, l)
		if err := l.Release(t.Context(), l.Durable()); err != nil {
			t.Fatalf("release: %v", err)
		}
	}
	_, got, report := open(t, small(d.Crash()))
	if len(got) > 1 || len(report.Damage) > 0 {
		t.Errorf("%d records after all were released; %v", len(got), report.Damage)
	}
}

func TestAReadOnlyDiskCanBeRead(t *testing.T) {
	d := faultdisk.New(1)
	l, _, _ := open(t, small(d))
	want := appended(t, l, 0, 50)
	mustSync(t, l)
	d = d.Crash()
	d.SetFaults(faultdisk.Faults{ReadOnly: true})
	_, got, _ := open(t, small(d))
	mustEqual(t, got, want)
}

func TestATornBatchEndsTheLog(t *testing.T) {
	seen, void := 0, 0
	for seed := range uint64(40) {
		d := faultdisk.New(seed)
		l, _, _ := open(t, small(d))
		want := appended(t, l, 0, 10)
		mustSync(t, l)
		want = append(want, appended(t, l, 10, 60)...)
		d.CrashAfter(1) // written, not synced
		if err := l.Sync(t.Context()); !errors.Is(err, faultdisk.ErrCrashed) {
			t.Fatal(err)
		}
		_, got, report := open(t, small(d.Crash()))
		if len(got) < 10 {
			t.Fatalf("seed %d: acknowledged records are lost", seed)
		}
		mustEqual(t, got, want[:len(got)])
		if len(report.Damage) > 0 {
			t.Errorf("seed %d: a tear is reported as damage: %v", seed, report.Damage)
		}
		if report.Torn {
			seen++
			void = max(void, report.TornRecords)
			if !strings.HasSuffix(report.TornIn, ".wal") || len(got)+report.TornRecords > len(want) {
				t.Errorf("seed %d: %d of %d records, and %d in the tear of %q", seed, len(got), len(want), report.TornRecords, report.TornIn)
			}
		}
	}
	if seen == 0 || void == 0 {
		t.Errorf("%d batches were torn, %d records void at most: this tests nothing", seen, void)
	}
}

func TestUnreadableSectorIsReported(t *testing.T) {
	d := faultdisk.New(1)
	l, _, _ := open(t, small(d))
	var want []string
	for i := range 40 {
		want = append(want, appended(t, l, i*10, i*10+10)...)
		mustSync(t, l)
	}
	entries, err := d.List("hot")
	if err != nil {
		t.Fatal(err)
	}
	d = d.Crash()
	d.BadSector("hot/"+entries[1].Name, 4096)
	_, got, report := open(t, small(d))
	missing := len(want) - len(got)
	if missing == 0 || missing > 120 || len(report.Damage) == 0 {
		t.Errorf("%d records missing, %v", missing, report.Damage)
	}
	for _, r := range got {
		if !slices.Contains(want, r) {
			t.Errorf("%s was never appended", r)
		}
	}
	if text := report.Damage[0].String(); !strings.Contains(text, entries[1].Name) {
		t.Errorf("%q does not name the segment", text)
	}
}

func TestSegmentOfAnotherLogIsReported(t *testing.T) {
	other := faultdisk.New(1)
	l, _, _ := open(t, wal.Config{FS: other, Dir: "hot", SegmentBytes: 8192})
	appended(t, l, 0, 5)
	mustSync(t, l)
	entries, err := other.List("hot")
	if err != nil {
		t.Fatal(err)
	}

	d := faultdisk.New(2)
	l, _, _ = open(t, small(d))
	want := appended(t, l, 0, 10)
	mustSync(t, l)
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l, _, _ = open(t, small(d))
	want = append(want, appended(t, l, 10, 20)...)
	mustSync(t, l)
	copyFile(t, other, d, "hot/"+entries[0].Name)
	_, got, report := open(t, small(d))
	mustEqual(t, got, want)
	if len(report.Damage) != 1 || !strings.Contains(report.Damage[0].Reason, "another log") {
		t.Errorf("damage %v", report.Damage)
	}
}

func copyFile(t *testing.T, from, to disk.FS, name string) {
	t.Helper()
	f, err := from.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 8192)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	g, err := to.Create(name, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}
