package archive_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
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
			a := open(t, d)
			put(t, a, november, "one")
			must(t, a.Append(november, 1, []byte("two")))
			must(t, a.Append(november+1, 1, []byte("three")))
			d.SetFaults(c.faults)
			for range 3 {
				if places, err := a.Sync(t.Context()); !errors.Is(err, c.want) || places != nil {
					t.Fatalf("%v, error %v, want %v", places, err, c.want)
				}
			}
			must(t, a.Append(november, 1, []byte("four")))
			d.SetFaults(faultdisk.Faults{})
			places, err := a.Sync(t.Context())
			must(t, err)
			d = d.Crash()
			a = open(t, d)
			got, _, report := scan(t, a, nil)
			mustEqual(t, got, []string{"2026-11: one", "2026-11: two", "2026-11: four", "2026-12: three"})
			if len(report.Damage)+len(report.Torn) > 0 {
				t.Errorf("%+v", report)
			}
			for i, want := range []string{"two", "three", "four"} {
				mustRead(t, a, places[i], want)
			}
		})
	}
}

// A full disk is known before a batch is half written: the file can go on.
func TestAFullDiskCostsNoPart(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	put(t, a, november, "one")
	must(t, a.Append(november, 1, []byte("two")))
	d.SetFaults(faultdisk.Faults{FullAt: 1})
	if _, err := a.Sync(t.Context()); !errors.Is(err, disk.ErrNoSpace) {
		t.Fatalf("error %v, want %v", err, disk.ErrNoSpace)
	}
	d.SetFaults(faultdisk.Faults{})
	if places, err := a.Sync(t.Context()); err != nil || places[0].Part != 1 {
		t.Errorf("%v, %v", places, err)
	}
}

// A failed fdatasync may have dropped what it was to write, so the archive must
// not trust the same file again; and what is there of it must not come twice.
func TestFailedSyncGoesToANewPart(t *testing.T) {
	for seed := range uint64(50) {
		d := faultdisk.New(seed)
		a := open(t, d)
		put(t, a, november, "one")
		must(t, a.Append(november, 1, []byte("two")))
		d.FailAfter(1) // the write succeeds, the sync does not
		if _, err := a.Sync(t.Context()); !errors.Is(err, disk.ErrIO) {
			t.Fatalf("seed %d: error %v, want %v", seed, err, disk.ErrIO)
		}
		places, err := a.Sync(t.Context())
		must(t, err)
		if places[0].Part != 2 {
			t.Errorf("seed %d: written to %v", seed, places)
		}
		got, _, report := scan(t, open(t, d.Crash()), nil)
		mustEqual(t, got, []string{"2026-11: one", "2026-11: two"})
		if len(report.Damage)+len(report.Torn) > 0 {
			t.Errorf("seed %d: %+v", seed, report)
		}
	}
}

// What a killed process left in the cache after a failed sync can be read, and
// is lost in the next power cut; it must not be delivered as durable.
func TestScanDeliversOnlyWhatIsDurable(t *testing.T) {
	lost := 0
	for seed := range uint64(50) {
		d := faultdisk.New(seed)
		a := open(t, d)
		put(t, a, november, "one")
		for i := range 40 {
			must(t, a.Append(november, 1, fmt.Appendf(nil, "%030d", i)))
			must(t, a.Append(november+1, 1, fmt.Appendf(nil, "%030d", i)))
		}
		d.FailAfter(int(seed % 4)) // a write or a sync of one month or the other
		if _, err := a.Sync(t.Context()); !errors.Is(err, disk.ErrIO) {
			t.Fatal(err)
		}
		d = d.Restart()
		first, _, _ := scan(t, open(t, d), nil)
		second, _, _ := scan(t, open(t, d.Crash()), nil)
		mustEqual(t, second, first)
		if !slices.Contains(first, "2026-11: one") {
			t.Fatalf("seed %d: what was acknowledged is lost", seed)
		}
		if len(first) < 81 {
			lost++
		}
	}
	if lost == 0 {
		t.Error("no failed sync lost anything: this tests nothing")
	}
}

func TestATornBatchIsNoDamage(t *testing.T) {
	torn := 0
	for seed := range uint64(60) {
		d := faultdisk.New(seed)
		a := open(t, d)
		put(t, a, november, "one")
		for i := range 60 {
			must(t, a.Append(november, 1, fmt.Appendf(nil, "%050d", i)))
		}
		d.CrashAfter(1) // written, not synced
		if _, err := a.Sync(t.Context()); !errors.Is(err, faultdisk.ErrCrashed) {
			t.Fatal(err)
		}
		d = d.Crash()
		a = open(t, d)
		got, marks, report := scan(t, a, nil)
		if len(got) == 0 || len(report.Damage) > 0 {
			t.Fatalf("seed %d: %d frames, %v", seed, len(got), report.Damage)
		}
		want := append(slices.Clone(got), "2026-11: more")
		part := put(t, a, november, "more")[0].Part
		if len(report.Torn) > 0 {
			torn++
			if part != 2 {
				t.Errorf("seed %d: written behind a torn batch", seed)
			}
		}
		a = open(t, d.Crash())
		got, _, report = scan(t, a, nil)
		mustEqual(t, got, want)
		if len(report.Damage) > 0 {
			t.Errorf("seed %d: the tear has become damage: %v", seed, report.Damage)
		}
		if got, _, _ = scan(t, a, marks); !slices.Contains(got, "2026-11: more") {
			t.Errorf("seed %d: not behind the marks: %v", seed, got)
		}
	}
	if torn == 0 {
		t.Error("no batch was torn: this tests nothing")
	}
}

func TestAReadOnlyDiskCanBeRead(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	places := put(t, a, november, "one", "two")
	d = d.Crash()
	d.SetFaults(faultdisk.Faults{ReadOnly: true})
	a = open(t, d)
	got, _, _ := scan(t, a, nil)
	mustEqual(t, got, []string{"2026-11: one", "2026-11: two"})
	mustRead(t, a, places[1], "two")
}

func TestRemoveOnAFullDisk(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	gone := put(t, a, november, "one")
	put(t, a, november+1, "two")
	d.SetFaults(faultdisk.Faults{FullAt: 1})
	must(t, a.Remove(t.Context(), november))
	if _, _, err := a.Read(gone[0], nil); !errors.Is(err, archive.ErrMissing) {
		t.Errorf("read: %v, want %v", err, archive.ErrMissing)
	}
	d = d.Crash()
	got, _, report := scan(t, open(t, d), nil)
	mustEqual(t, got, []string{"2026-12: two"})
	if len(report.Damage) > 0 {
		t.Errorf("%+v", report)
	}
}

// TestRewriteIsAllOrNothing cuts the power at every operation of a rewriting.
func TestRewriteIsAllOrNothing(t *testing.T) {
	before := []string{"2026-11: keep", "2026-11: drop", "2026-11: change"}
	after := []string{"2026-11: keep", "2026-11: changed"}
	seen := make(map[bool]int)
	for seed := range uint64(200) {
		d := faultdisk.New(seed)
		a := open(t, d)
		put(t, a, november, "keep", "drop")
		put(t, a, november, "change")
		marks := a.Marks()
		d.CrashAfter(int(seed % 10))
		moved, err := rewrite(t, a)
		d = d.Crash()
		a = open(t, d)
		got, _, report := scan(t, a, nil)
		changed := slices.Equal(got, after)
		if !changed && (!slices.Equal(got, before) || moved != nil && err == nil) || len(report.Damage) > 0 {
			t.Fatalf("seed %d: %v after %v, %v; %+v", seed, got, moved, err, report)
		}
		seen[changed]++
		if _, _, report := scan(t, a, marks); changed != (len(report.Gone) > 0) || len(report.Damage) > 0 {
			t.Errorf("seed %d: %+v", seed, report)
		}
		if names := files(t, d); len(names) != 1 {
			t.Errorf("seed %d: %v are left", seed, names)
		}
	}
	if seen[true] == 0 || seen[false] == 0 {
		t.Errorf("old and new: %v; this tests nothing", seen)
	}
}

// rewrite keeps, drops and changes what says so.
func rewrite(t *testing.T, a *archive.Archive) (map[archive.Place]archive.Place, error) {
	t.Helper()
	return a.Rewrite(t.Context(), november, func(f archive.Frame) ([]byte, bool, error) {
		if string(f.Payload) == "change" {
			return []byte("changed"), true, nil
		}
		return f.Payload, string(f.Payload) != "drop", nil
	})
}

func TestRewriteOnAFullDisk(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	places := put(t, a, november, "keep", "drop")
	d.SetFaults(faultdisk.Faults{FullAt: 1})
	if moved, err := rewrite(t, a); !errors.Is(err, disk.ErrNoSpace) || moved != nil {
		t.Fatalf("%v, error %v, want %v", moved, err, disk.ErrNoSpace)
	}
	mustRead(t, a, places[1], "drop")
	d.SetFaults(faultdisk.Faults{})
	if next := put(t, a, november, "more"); next[0].Part != 1 {
		t.Errorf("the month cannot go on but at %v", next)
	}
	if names := files(t, d); len(names) != 1 {
		t.Errorf("%v are left", names)
	}
}

// A rewriting that failed may come back with a power cut. What was appended
// meanwhile must not be lost to it.
func TestAFailedRewriteDoesNotComeBackForMore(t *testing.T) {
	failed := 0
	for seed := range uint64(600) {
		d := faultdisk.New(seed)
		a := open(t, d)
		put(t, a, november, "keep", "drop", "change")
		d.FailAfter(int(seed % 8))
		moved, err := rewrite(t, a)
		want := []string{"2026-11: keep", "2026-11: changed", "2026-11: more"}
		if moved == nil {
			failed++
			want = []string{"2026-11: keep", "2026-11: drop", "2026-11: change", "2026-11: more"}
		}
		d.FailAfter(1000) // past the one that may not have come yet
		put(t, a, november, "more")
		got, _, report := scan(t, open(t, d.Crash()), nil)
		if !slices.Equal(got, want) || len(report.Damage) > 0 {
			t.Fatalf("seed %d: %v after %v; %+v", seed, got, err, report)
		}
	}
	if failed == 0 {
		t.Error("no rewriting failed: this tests nothing")
	}
}
