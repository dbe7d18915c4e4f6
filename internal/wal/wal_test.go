package wal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// small is a log of two-block segments.
func small(fs disk.FS) wal.Config {
	return wal.Config{FS: fs, Dir: "hot", SegmentBytes: 8192, BufferBytes: 64 << 10}
}

// open opens a log and returns what it delivered, as text.
func open(t *testing.T, cfg wal.Config) (*wal.Log, []string, wal.Report) {
	t.Helper()
	var got []string
	l, report, err := wal.Open(cfg, func(r wal.Record) error {
		got = append(got, fmt.Sprintf("%d:%d:%s", r.Position, r.Type, r.Payload))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return l, got, report
}

// appended appends records numbered from..to-1 and returns them as open does.
func appended(t *testing.T, l *wal.Log, from, to int) []string {
	t.Helper()
	var want []string
	for i := from; i < to; i++ {
		payload := fmt.Appendf(nil, "record %d %s", i, bytes.Repeat([]byte{'x'}, i%50))
		position, err := l.Append(7, payload)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, fmt.Sprintf("%d:7:%s", position, payload))
	}
	return want
}

func mustSync(t *testing.T, l *wal.Log) {
	t.Helper()
	if err := l.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustEqual(t *testing.T, got, want []string) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("delivered (-want +got):\n%s", diff)
	}
}

func TestDeliversWhatWasSynced(t *testing.T) {
	d := faultdisk.New(1)
	l, got, _ := open(t, small(d))
	mustEqual(t, got, nil)
	var want []string
	for i := range 40 { // several segments
		want = append(want, appended(t, l, i*10, i*10+10)...)
		mustSync(t, l)
	}
	id := l.ID()
	d = d.Crash()
	l, got, report := open(t, small(d))
	mustEqual(t, got, want)
	if report.Torn || len(report.Damage) > 0 || report.Records != 400 || report.Segments < 3 {
		t.Errorf("report %+v of a whole log", report)
	}
	if l.ID() != id {
		t.Error("the log has another id after it was opened again")
	}
	if l.Durable() != 400 {
		t.Errorf("durable up to %d, not 400", l.Durable())
	}
}

func TestGoesOnAfterEveryOpen(t *testing.T) {
	d := faultdisk.New(1)
	var want []string
	for i := range 40 { // more lives than a header remembers
		l, got, _ := open(t, small(d))
		mustEqual(t, got, want)
		want = append(want, appended(t, l, i, i+1)...)
		if err := l.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		d = d.Crash()
	}
	entries, err := d.List("hot")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries[:len(entries)-1] {
		if e.Size > 2048 {
			t.Errorf("%s keeps %d bytes for one record", e.Name, e.Size)
		}
	}
}

func TestAppendRefuses(t *testing.T) {
	l, _, _ := open(t, wal.Config{FS: faultdisk.New(1), Dir: "hot", SegmentBytes: 8192, BufferBytes: 8000})
	for _, c := range []struct {
		name string
		kind byte
		size int
		want error
	}{
		{"its own type", 0, 1, wal.ErrType},
		{"what no segment holds", 1, 8192 - 1024 - 12 + 1, wal.ErrTooLarge},
		{"nothing, the largest record", 1, 8192 - 1024 - 12, nil},
		{"what is too much for now", 1, 900, wal.ErrFull},
		{"nothing, an empty record", 1, 0, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := l.Append(c.kind, make([]byte, c.size)); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
		})
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(1, nil); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("append to a closed log: %v", err)
	}
	if err := l.Sync(t.Context()); !errors.Is(err, wal.ErrClosed) {
		t.Errorf("sync of a closed log: %v", err)
	}
}

func TestOpenRefusesOddSegments(t *testing.T) {
	for _, size := range []int{-4096, 1000, 65 << 20} {
		_, _, err := wal.Open(wal.Config{FS: faultdisk.New(1), SegmentBytes: size}, func(wal.Record) error { return nil })
		if err == nil {
			t.Errorf("segments of %d bytes are accepted", size)
		}
	}
}

func TestOpenEndsWithTheCallersError(t *testing.T) {
	d := faultdisk.New(1)
	l, _, _ := open(t, small(d))
	appended(t, l, 0, 2)
	mustSync(t, l)
	enough := errors.New("enough")
	if _, _, err := wal.Open(small(d), func(wal.Record) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("error %v, want the caller's", err)
	}
}

func TestOneSyncForManyCallers(t *testing.T) {
	d := faultdisk.New(1)
	l, _, _ := open(t, small(d))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				position, err := l.Append(1, fmt.Append(nil, i))
				if err == nil {
					err = l.Sync(context.Background())
				}
				if err != nil || l.Durable() < position {
					t.Errorf("position %d: %v, durable %d", position, err, l.Durable())
				}
			}
		})
	}
	wg.Wait()
	_, got, _ := open(t, small(d.Crash()))
	if len(got) != 160 {
		t.Errorf("%d records, want 160", len(got))
	}
}

// waitingFS lets its first sync wait until told.
type waitingFS struct {
	disk.FS
	asked, proceed chan struct{}
}

func (w waitingFS) SyncDir(dir string) error {
	w.asked <- struct{}{}
	<-w.proceed
	return w.FS.SyncDir(dir)
}

func TestAppendDoesNotWaitForTheDisk(t *testing.T) {
	fs := waitingFS{FS: faultdisk.New(1), asked: make(chan struct{}, 10), proceed: make(chan struct{}, 10)}
	fs.proceed <- struct{}{} // Open's own
	l, _, _ := open(t, small(fs))
	<-fs.asked
	appended(t, l, 0, 3)
	done := make(chan error)
	go func() { done <- l.Sync(context.Background()) }()
	<-fs.asked
	appended(t, l, 3, 6) // while the disk works
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Sync(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a second sync did not give up with its context: %v", err)
	}
	fs.proceed <- struct{}{}
	if err := <-done; err != nil || l.Durable() != 3 {
		t.Errorf("%v, durable %d; want the first three", err, l.Durable())
	}
}

func TestReleaseForgets(t *testing.T) {
	d := faultdisk.New(1)
	l, _, _ := open(t, small(d))
	var want []string
	for i := range 40 {
		want = append(want, appended(t, l, i*10, i*10+10)...)
		mustSync(t, l)
	}
	if err := l.Release(t.Context(), 351); err != nil {
		t.Fatal(err)
	}
	d = d.Crash()
	_, got, report := open(t, small(d))
	mustEqual(t, got, want[350:])
	if report.Segments > 2 || len(report.Damage) > 0 {
		t.Errorf("after a release: %+v", report)
	}
}

func TestSparesAreWrittenAgain(t *testing.T) {
	d := faultdisk.New(1)
	cfg := small(d)
	l, _, _ := open(t, cfg)
	var want []string
	most := 0
	for i := range 200 {
		want = append(want, appended(t, l, i*10, i*10+10)...)
		mustSync(t, l)
		if i%20 == 19 {
			if err := l.Release(t.Context(), l.Durable()-15); err != nil {
				t.Fatal(err)
			}
		}
		entries, err := d.List("hot")
		if err != nil {
			t.Fatal(err)
		}
		most = max(most, len(entries))
	}
	if most > 6 {
		t.Errorf("up to %d files for two segments' worth", most)
	}
	_, got, report := open(t, small(d.Crash()))
	mustEqual(t, got, want[len(want)-len(got):])
	if len(got) < 15 || len(got) > 17 || len(report.Damage) > 0 {
		t.Errorf("%d records, %+v", len(got), report)
	}
}

func TestNamesOfOthersAreLeftAlone(t *testing.T) {
	d := faultdisk.New(1)
	if err := d.MkdirAll("hot"); err != nil {
		t.Fatal(err)
	}
	names := []string{"README", "1.wal", "000000000000002a-9F3A01BC27DE5F60.wal", "x.spare"}
	for _, name := range names {
		if _, err := d.Create("hot/"+name, 10); err != nil {
			t.Fatal(err)
		}
	}
	open(t, small(d))
	entries, err := d.List("hot")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if !slices.ContainsFunc(entries, func(e disk.Entry) bool { return e.Name == name }) {
			t.Errorf("%s is gone", name)
		}
	}
}
