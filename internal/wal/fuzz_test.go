package wal_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"runtime"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// FuzzOpen has Open read arbitrary bytes as segments, the second with a header
// that is valid in form: it must neither panic nor allocate more than a few
// times what it reads, and the log must work after it.
func FuzzOpen(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add(segmentBytes(f, 3), make([]byte, 2000))
	f.Add(segmentBytes(f, 40), segmentBytes(f, 1))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d := faultdisk.New(1)
		put(t, d, nameOf(first), first)
		put(t, d, nameOf(second), withValidHeader(second))
		put(t, d, "hot/0000000000000001-0000000000000001.spare", second)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l, report, err := wal.Open(small(d), func(wal.Record) error { return nil })
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(1<<20+20*(len(first)+len(second))) {
			t.Errorf("%d bytes allocated for %d", grown, len(first)+len(second))
		}
		if report.Records > (len(first)+len(second))/12 {
			t.Errorf("%d records in %d bytes", report.Records, len(first)+len(second))
		}
		want := appended(t, l, 0, 5)
		mustSync(t, l)
		_, got, _ := open(t, small(d.Crash()))
		mustEqual(t, got[max(0, len(got)-5):], want)
	})
}

// nameOf returns the name that a segment's header gives it, so that its frames
// count. Numbers stay small.
func nameOf(b []byte) string {
	b = append(bytes.Clone(b), make([]byte, 40)...)
	return fmt.Sprintf("hot/%016x-%016x.wal", binary.LittleEndian.Uint64(b[24:])>>1, binary.LittleEndian.Uint64(b[32:]))
}

// withValidHeader makes the header's checksum and magic right.
func withValidHeader(b []byte) []byte {
	if len(b) < 452 {
		return b
	}
	b = bytes.Clone(b)
	copy(b, "SMwal\x00\r\n")
	binary.LittleEndian.PutUint64(b[24:], binary.LittleEndian.Uint64(b[24:])>>1)
	binary.LittleEndian.PutUint32(b[448:], crc32.Checksum(b[:448], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// segmentBytes returns a real segment's content.
func segmentBytes(tb testing.TB, records int) []byte {
	tb.Helper()
	d := faultdisk.New(1)
	l, _, err := wal.Open(small(d), func(wal.Record) error { return nil })
	if err != nil {
		tb.Fatal(err)
	}
	for range records {
		if _, err := l.Append(1, []byte("something measured")); err != nil {
			tb.Fatal(err)
		}
		if err := l.Sync(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	entries, err := d.List("hot")
	if err != nil {
		tb.Fatal(err)
	}
	file, err := d.Open("hot/" + entries[0].Name)
	if err != nil {
		tb.Fatal(err)
	}
	b := make([]byte, 4096)
	if _, err := file.ReadAt(b, 0); err != nil {
		tb.Fatal(err)
	}
	return b
}

// put makes a file.
func put(t *testing.T, d disk.FS, name string, b []byte) {
	t.Helper()
	if err := d.MkdirAll("hot"); err != nil {
		t.Fatal(err)
	}
	f, err := d.Create(name, 0)
	if errors.Is(err, fs.ErrExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		t.Fatal(err)
	}
}
