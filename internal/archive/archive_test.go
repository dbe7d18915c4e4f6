package archive_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
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

func TestAppendRefuses(t *testing.T) {
	cfg := config(faultdisk.New(1))
	cfg.BufferBytes = 17 << 20
	a, err := archive.Open(cfg)
	must(t, err)
	for _, c := range []struct {
		name  string
		month archive.Month
		kind  archive.Kind
		size  int
		want  error
	}{
		{"kind 0", november, 0, 1, archive.ErrKind},
		{"a month before 1970", archive.MonthOf(-1), 1, 1, archive.ErrMonth},
		{"a month after 9999", archive.MonthOf(1 << 50), 1, 1, archive.ErrMonth},
		{"what is too large", november, 1, archive.MaxPayload + 1, archive.ErrTooLarge},
		{"nothing, the largest payload", november, 255, archive.MaxPayload, nil},
		{"what is too much for now", november, 1, 2 << 20, archive.ErrFull},
		{"nothing, an empty payload", november, 1, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := a.Append(c.month, c.kind, make([]byte, c.size)); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	places, err := a.Sync(t.Context())
	must(t, err)
	if kind, payload, err := a.Read(places[0], nil); err != nil || kind != 255 || len(payload) != archive.MaxPayload {
		t.Errorf("the largest payload is read as kind %d, %d bytes, %v", kind, len(payload), err)
	}
	must(t, a.Close())
	_, _, read := a.Read(places[0], nil)
	_, sync := a.Sync(t.Context())
	_, _, scanned := a.Scan(t.Context(), nil, nil)
	for _, err := range []error{read, sync, scanned, a.Append(november, 1, nil), a.Close()} {
		if !errors.Is(err, archive.ErrClosed) {
			t.Errorf("on a closed archive: %v", err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	a := open(t, faultdisk.New(1))
	place := put(t, a, november, "one", "two")[0]
	for _, c := range []struct {
		name   string
		change func(*archive.Place)
		want   error
	}{
		{"another month", func(p *archive.Place) { p.Month++ }, archive.ErrMissing},
		{"another part", func(p *archive.Place) { p.Part++ }, archive.ErrMissing},
		{"behind the end", func(p *archive.Place) { p.Offset += 1 << 40 }, archive.ErrMissing},
		{"the header", func(p *archive.Place) { p.Offset = 0 }, archive.ErrMissing},
		{"less than nothing", func(p *archive.Place) { p.Length = -1 }, archive.ErrMissing},
		{"within a frame", func(p *archive.Place) { p.Offset++ }, archive.ErrDamaged},
		{"another length", func(p *archive.Place) { p.Length++ }, archive.ErrDamaged},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := place
			c.change(&p)
			if _, _, err := a.Read(p, nil); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	buf := make([]byte, 100)
	if _, payload, err := a.Read(place, buf); err != nil || &payload[0] != &buf[0] {
		t.Errorf("a buffer that is large enough is not used; %v", err)
	}
}

func TestRemoveAndBytes(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	put(t, a, november, "one")
	put(t, a, november+2, "two")
	if a.Bytes() != 2*1536 || a.Bytes(november) != 1536 || a.Bytes(november+1) != 0 {
		t.Errorf("%d, %d, %d bytes", a.Bytes(), a.Bytes(november), a.Bytes(november+1))
	}
	must(t, a.Append(november, 1, []byte("waits")))
	must(t, a.Remove(t.Context(), november))
	must(t, a.Remove(t.Context(), november+1))
	if diff := cmp.Diff([]archive.Month{november + 2}, a.Months()); diff != "" {
		t.Error(diff)
	}
	_, err := a.Sync(t.Context())
	must(t, err)
	got, _, _ := scan(t, open(t, d.Crash()), nil)
	mustEqual(t, got, []string{"2026-11: waits", "2027-01: two"})
}

func TestFilesOfOthersAreLeftAlone(t *testing.T) {
	d := faultdisk.New(1)
	cfg := config(d)
	cfg.Site[0]++
	other, err := archive.Open(cfg)
	must(t, err)
	put(t, other, november, "theirs")
	write(t, d, "README", []byte("text"))
	write(t, d, "x.smc.new", nil)
	write(t, d, "2026-12.smc.new", nil)
	a := open(t, d)
	if place := put(t, a, november, "ours")[0]; place.Part != 2 {
		t.Errorf("written to %v", place)
	}
	if _, err := rewrite(t, a); err != nil {
		t.Error(err)
	}
	got, _, report := scan(t, open(t, d), nil)
	mustEqual(t, got, []string{"2026-11: ours"})
	if len(report.Damage) != 1 {
		t.Errorf("%v", report.Damage)
	}
	if diff := cmp.Diff([]string{"2026-11.3.smc", "2026-11.smc", "README", "x.smc.new"}, files(t, d)); diff != "" {
		t.Error(diff)
	}
	got, _, _ = scan(t, other, nil)
	mustEqual(t, got, []string{"2026-11: theirs"})
}

func TestALaterFormatIsNotTouched(t *testing.T) {
	d := faultdisk.New(1)
	put(t, open(t, d), november, "one")
	b := content(t, d, "2026-11.smc")
	b[7] = 2
	binary.LittleEndian.PutUint32(b[64:], crc32.Checksum(b[:64], crc32.MakeTable(crc32.Castagnoli)))
	must(t, d.Remove("chunks/2026-11.smc"))
	write(t, d, "2026-11.smc", b)
	if _, err := archive.Open(config(d)); err == nil {
		t.Error("a file of format 2 is opened")
	}
}

func TestCallersErrorsEndTheWork(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	put(t, a, november, "one", "two")
	enough := errors.New("enough")
	if _, _, err := a.Scan(t.Context(), nil, func(archive.Frame) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("scan: %v", err)
	}
	_, err := a.Rewrite(t.Context(), november, func(archive.Frame) ([]byte, bool, error) { return nil, false, enough })
	if !errors.Is(err, enough) {
		t.Errorf("rewrite: %v", err)
	}
	_, err = a.Rewrite(t.Context(), november, func(archive.Frame) ([]byte, bool, error) {
		return make([]byte, archive.MaxPayload+1), true, nil
	})
	if !errors.Is(err, archive.ErrTooLarge) {
		t.Errorf("rewrite: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := a.Scan(ctx, nil, func(archive.Frame) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("scan: %v", err)
	}
	got, _, _ := scan(t, a, nil)
	mustEqual(t, got, []string{"2026-11: one", "2026-11: two"})
	if names := files(t, d); len(names) != 1 {
		t.Errorf("%v are left", names)
	}
}

// A frame that Sync could not return yet, because another month failed, belongs
// to Sync: a store must not learn its place, and forget it in a power cut.
func TestMarksStayBehindWhatIsNotReturned(t *testing.T) {
	d := faultdisk.New(1)
	a := open(t, d)
	put(t, a, november, "one")
	must(t, a.Append(november, 1, []byte("two")))
	must(t, a.Append(november+1, 1, []byte("three")))
	d.FailAfter(3) // two's write and sync, three's file, and then
	if _, err := a.Sync(t.Context()); !errors.Is(err, disk.ErrIO) {
		t.Fatal(err)
	}
	got, marks, _ := scan(t, a, nil)
	mustEqual(t, got, []string{"2026-11: one"})
	got, _, _ = scan(t, open(t, d.Restart()), marks)
	mustEqual(t, got, []string{"2026-11: two"})
}

// Reads run beside everything else, and return what was written or that it is
// elsewhere now.
func TestReadsRunBesideTheRest(t *testing.T) {
	a := open(t, faultdisk.New(1))
	first := put(t, a, november, "keep", "drop")
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 3 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				_, payload, err := a.Read(first[0], nil)
				if err != nil && !errors.Is(err, archive.ErrMissing) || err == nil && string(payload) != "keep" {
					t.Errorf("%q, %v", payload, err)
					return
				}
				a.Bytes()
				a.Marks()
			}
		})
	}
	for i := range 20 {
		put(t, a, november+archive.Month(i%2), "more")
		if i%5 == 4 {
			_, err := rewrite(t, a)
			must(t, err)
		}
		scan(t, a, nil)
	}
	close(done)
	wg.Wait()
}
