package archive_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// rotten makes an archive of two months, one of two parts, and returns what is
// where in it.
func rotten(t *testing.T) (*faultdisk.Disk, map[archive.Place]string) {
	t.Helper()
	d := faultdisk.New(1)
	a := open(t, d)
	want := make(map[archive.Place]string)
	write := func(m archive.Month, payloads ...string) {
		for i, place := range put(t, a, m, payloads...) {
			want[place] = payloads[i]
		}
	}
	write(november, "one", "", "three")
	write(november+1, "december", string(bytes.Repeat([]byte("long "), 150)))
	write(november, "four")
	must(t, a.Append(november, 1, []byte("five")))
	d.FailAfter(1) // the write succeeds, the sync does not
	if _, err := a.Sync(t.Context()); !errors.Is(err, disk.ErrIO) {
		t.Fatal(err)
	}
	places, err := a.Sync(t.Context())
	must(t, err)
	want[places[0]] = "five"
	write(november, "six", "seven")
	return d.Crash(), want
}

// found returns what a scan of a disk that must not change delivers.
func found(t *testing.T, d *faultdisk.Disk) (map[archive.Place]string, archive.Report, *archive.Archive) {
	t.Helper()
	d.SetFaults(faultdisk.Faults{ReadOnly: true})
	defer d.SetFaults(faultdisk.Faults{})
	a := open(t, d)
	got := make(map[archive.Place]string)
	_, report, err := a.Scan(t.Context(), nil, func(f archive.Frame) error {
		if _, ok := got[f.Place]; ok {
			t.Errorf("%v comes twice", f.Place)
		}
		got[f.Place] = string(f.Payload)
		return nil
	})
	must(t, err)
	return got, report, a
}

// checkRot holds what was found to two things: it was written, and what is
// missing is in the report and cannot be read.
func checkRot(t *testing.T, where string, a *archive.Archive, want, got map[archive.Place]string, report archive.Report) {
	t.Helper()
	for place, payload := range got {
		if was, ok := want[place]; !ok || was != payload {
			t.Fatalf("%s: %v holds %q, want %q", where, place, payload, was)
		}
	}
	lost := slices.Concat(report.Damage, report.Torn)
	for place := range want {
		if _, ok := got[place]; ok {
			continue
		}
		if !slices.ContainsFunc(lost, func(d archive.Damage) bool { return covers(d, place) }) {
			t.Fatalf("%s: %v is missing and not reported: %+v", where, place, report)
		}
		if _, _, err := a.Read(place, nil); !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, archive.ErrMissing) {
			t.Fatalf("%s: %v is missing, and Read says %v", where, place, err)
		}
	}
}

// TestRot damages every byte of every file, one at a time.
func TestRot(t *testing.T) {
	d, want := rotten(t)
	got, report, _ := found(t, d)
	if diff := cmp.Diff(want, got); diff != "" || len(report.Torn)+len(report.Damage) > 0 {
		t.Fatalf("%+v; (-want +got)\n%s", report, diff)
	}
	missing := 0
	for _, name := range files(t, d) {
		for off := range size(t, d, name) {
			flip(t, d, name, off)
			got, report, a := found(t, d)
			checkRot(t, fmt.Sprintf("%s byte %d", name, off), a, want, got, report)
			missing += len(want) - len(got)
			flip(t, d, name, off)
		}
	}
	if missing == 0 {
		t.Error("nothing was ever missing: this tests nothing")
	}
}

// TestRotInManyPlaces flips bits all over an archive.
func TestRotInManyPlaces(t *testing.T) {
	for seed := range 300 {
		d, want := rotten(t)
		for _, name := range files(t, d) {
			d.Rot("chunks/"+name, 0, size(t, d, name), seed%20)
		}
		got, report, a := found(t, d)
		checkRot(t, fmt.Sprint("seed ", seed), a, want, got, report)
	}
}

func size(t *testing.T, d disk.FS, name string) int64 {
	t.Helper()
	f, err := d.Open("chunks/" + name)
	must(t, err)
	n, err := f.Size()
	must(t, err)
	return n
}

// flip flips all bits of a byte.
func flip(t *testing.T, d disk.FS, name string, off int64) {
	t.Helper()
	f, err := d.Open("chunks/" + name)
	must(t, err)
	b := make([]byte, 1)
	_, err = f.ReadAt(b, off)
	must(t, err)
	b[0] ^= 0xff
	_, err = f.WriteAt(b, off)
	must(t, err)
	must(t, f.Sync())
}

// What the disk cannot read today may be readable tomorrow: nothing is thrown
// away, and nothing is written behind it.
func TestBadSector(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	first := put(t, a, november, "one", "two")
	last := put(t, a, november, "three")
	d = d.Crash()
	d.BadSector("chunks/2026-11.smc", last[0].Offset)
	a = open(t, d)
	got, marks, report := scan(t, a, nil)
	mustEqual(t, got, []string{"2026-11: one", "2026-11: two"})
	if len(report.Damage) != 1 || !covers(report.Damage[0], last[0]) || len(report.Torn) > 0 {
		t.Errorf("%+v", report)
	}
	if _, _, err := a.Read(last[0], nil); !errors.Is(err, disk.ErrIO) {
		t.Errorf("read: %v, want %v", err, disk.ErrIO)
	}
	keep := func(f archive.Frame) ([]byte, bool, error) { return f.Payload, true, nil }
	if moved, err := a.Rewrite(t.Context(), november, keep); !errors.Is(err, disk.ErrIO) || moved != nil {
		t.Errorf("rewrite: %v, %v; want %v", moved, err, disk.ErrIO)
	}
	mustRead(t, a, first[1], "two")
	if next := put(t, a, november, "four"); next[0].Part != 2 {
		t.Errorf("written to %v behind a bad sector", next)
	}
	got, _, _ = scan(t, open(t, d), marks)
	mustEqual(t, got, []string{"2026-11: four"})
}

// A header that cannot be read takes its file along, and nothing else.
func TestBadHeader(t *testing.T) {
	for _, c := range []struct {
		name string
		spot func(d *faultdisk.Disk)
		rest []string
	}{
		{"unreadable in part", func(d *faultdisk.Disk) {
			d.BadSector("chunks/2026-11.smc", 0)
		}, []string{"2026-11: one", "2026-11: two", "2026-12: other"}},
		{"unreadable", func(d *faultdisk.Disk) {
			d.BadSector("chunks/2026-11.smc", 0)
			d.BadSector("chunks/2026-11.smc", 512)
		}, []string{"2026-12: other"}},
		{"damaged", func(d *faultdisk.Disk) {
			d.Rot("chunks/2026-11.smc", 0, 60, 3)
			d.Rot("chunks/2026-11.smc", 512, 572, 3)
		}, []string{"2026-12: other"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := faultdisk.New(1)
			a := open(t, d)
			put(t, a, november, "one", "two")
			put(t, a, november+1, "other")
			d = d.Crash()
			c.spot(d)
			a = open(t, d)
			got, _, report := scan(t, a, nil)
			mustEqual(t, got, c.rest)
			if (len(report.Damage) > 0) != (len(got) < 3) {
				t.Errorf("%+v", report)
			}
			put(t, a, november, "more")
			if got, _, _ = scan(t, open(t, d), nil); !slices.Contains(got, "2026-11: more") {
				t.Errorf("%q, and not what was written behind it", got)
			}
			if names := files(t, d); !slices.Contains(names, "2026-11.smc") {
				t.Errorf("it is gone: %v", names)
			}
		})
	}
}
