package archive_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

const november archive.Month = (2026-1970)*12 + 10

func config(fs disk.FS) archive.Config {
	return archive.Config{FS: fs, Dir: "chunks", Site: [16]byte([]byte("the site's own id"))}
}

func open(t *testing.T, fs disk.FS) *archive.Archive {
	t.Helper()
	a, err := archive.Open(config(fs))
	must(t, err)
	return a
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put archives payloads of kind 1 and returns where they are.
func put(t *testing.T, a *archive.Archive, m archive.Month, payloads ...string) []archive.Place {
	t.Helper()
	for _, p := range payloads {
		must(t, a.Append(m, 1, []byte(p)))
	}
	places, err := a.Sync(t.Context())
	must(t, err)
	if len(places) != len(payloads) {
		t.Fatalf("%d places for %d payloads", len(places), len(payloads))
	}
	return places
}

// scan returns the payloads behind the marks.
func scan(t *testing.T, a *archive.Archive, from archive.Marks) ([]string, archive.Marks, archive.Report) {
	t.Helper()
	var got []string
	marks, report, err := a.Scan(t.Context(), from, func(f archive.Frame) error {
		got = append(got, fmt.Sprintf("%v: %s", f.Place.Month, f.Payload))
		return nil
	})
	must(t, err)
	return got, marks, report
}

func mustRead(t *testing.T, a *archive.Archive, p archive.Place, want string) {
	t.Helper()
	kind, got, err := a.Read(p, nil)
	if err != nil || kind != 1 || string(got) != want {
		t.Errorf("%v: kind %d, %q, %v; want %q", p, kind, got, err, want)
	}
}

func mustEqual(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("delivered (-want +got):\n%s", diff)
	}
}

func TestKeepsWhatWasSynced(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	first := put(t, a, november, "one", "")
	second := put(t, a, november-1, "earlier")
	third := put(t, a, november, "two")
	marks := a.Marks()
	d = d.Crash()
	a = open(t, d)
	mustRead(t, a, first[0], "one") // before any scan
	got, again, report := scan(t, a, nil)
	mustEqual(t, got, []string{"2026-10: earlier", "2026-11: one", "2026-11: ", "2026-11: two"})
	if len(report.Torn)+len(report.Damage)+len(report.Gone) > 0 || report.Frames != 4 || report.Files != 2 {
		t.Errorf("%+v of a whole archive", report)
	}
	if diff := cmp.Diff(marks, again); diff != "" {
		t.Errorf("marks of writing (-) and of reading (+):\n%s", diff)
	}
	mustRead(t, a, second[0], "earlier")
	mustRead(t, a, third[0], "two")
	fourth := put(t, a, november, "three")
	if fourth[0].Part != 1 {
		t.Errorf("a whole file is not continued, but %v", fourth)
	}
	got, _, _ = scan(t, open(t, d.Crash()), again)
	mustEqual(t, got, []string{"2026-11: three"})
}

func TestRewriteReplaces(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	places := put(t, a, november, "keep", "drop", "change")
	marks := a.Marks()
	moved, err := a.Rewrite(t.Context(), november, func(f archive.Frame) ([]byte, bool, error) {
		if string(f.Payload) == "change" {
			return []byte("changed"), true, nil
		}
		return f.Payload, string(f.Payload) != "drop", nil
	})
	must(t, err)
	mustRead(t, a, moved[places[0]], "keep")
	mustRead(t, a, moved[places[2]], "changed")
	if _, ok := moved[places[1]]; ok || len(moved) != 2 {
		t.Errorf("moved: %v", moved)
	}
	if _, _, err := a.Read(places[0], nil); !errors.Is(err, archive.ErrMissing) {
		t.Errorf("an old place reads as %v", err)
	}
	put(t, a, november, "more")
	d = d.Crash()
	got, _, report := scan(t, open(t, d), marks)
	mustEqual(t, got, []string{"2026-11: keep", "2026-11: changed", "2026-11: more"})
	if diff := cmp.Diff([]archive.File{{Month: november, Part: 1}}, report.Gone); diff != "" || len(report.Damage) > 0 {
		t.Errorf("gone: %s; %v", diff, report.Damage)
	}
	if diff := cmp.Diff([]string{"2026-11.2.smc"}, files(t, d)); diff != "" {
		t.Errorf("files: %s", diff)
	}
}

// files returns the names in the archive's directory.
func files(t *testing.T, d disk.FS) []string {
	t.Helper()
	entries, err := d.List("chunks")
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names
}
