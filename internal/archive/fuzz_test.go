package archive_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"runtime"
	"slices"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// FuzzScan has Scan read arbitrary bytes as two parts of a month, the second
// with a header that is valid in form: it must neither panic nor allocate more
// than a few times what it reads, and the archive must work after it.
func FuzzScan(f *testing.F) {
	one, two := twoParts(f)
	f.Add([]byte{}, []byte{})
	f.Add(one, two)
	f.Add(two, one)
	f.Add(one, slices.Concat(two, two[1024:]))
	f.Add(bytes.Repeat([]byte("SM\xf5\xfa"), 500), make([]byte, 3000))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		d := faultdisk.New(1)
		write(t, d, "2026-11.smc", first)
		write(t, d, "2026-11.2.smc", withValidHeader(second))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := open(t, d)
		got, _, report := scan(t, a, nil)
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > uint64(2<<20+20*(len(first)+len(second))) {
			t.Errorf("%d bytes allocated for %d", grown, len(first)+len(second))
		}
		if len(got) > (len(first)+len(second))/16 || len(report.Damage)+len(report.Torn) > 4+(len(first)+len(second))/8 {
			t.Errorf("%d frames, %d stretches of damage in %d bytes", len(got), len(report.Damage)+len(report.Torn), len(first)+len(second))
		}
		want := append(slices.Clone(got), "2026-11: more")
		place := put(t, a, november, "more")[0]
		a = open(t, d.Crash())
		mustRead(t, a, place, "more")
		got, _, _ = scan(t, a, nil)
		mustEqual(t, got, want)
		keep := func(f archive.Frame) ([]byte, bool, error) { return f.Payload, true, nil }
		_, err := a.Rewrite(t.Context(), november, keep)
		must(t, err)
		got, _, _ = scan(t, a, nil)
		mustEqual(t, got, want)
	})
}

// withValidHeader makes the header's fixed parts and its checksum right.
func withValidHeader(b []byte) []byte {
	if len(b) < 68 {
		return b
	}
	b = bytes.Clone(b)
	copy(b, "SMarc\r\n\x01the site's own id"[:24])
	binary.LittleEndian.PutUint32(b[32:], uint32(november))
	binary.LittleEndian.PutUint32(b[36:], 2)
	binary.LittleEndian.PutUint32(b[40:], binary.LittleEndian.Uint32(b[40:])%2)
	binary.LittleEndian.PutUint32(b[64:], crc32.Checksum(b[:64], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

// twoParts returns the content of a month's two parts.
func twoParts(tb testing.TB) (one, two []byte) {
	tb.Helper()
	d := faultdisk.New(1)
	a, err := archive.Open(config(d))
	if err != nil {
		tb.Fatal(err)
	}
	for i := range 6 {
		if err := a.Append(november, 1, bytes.Repeat([]byte{'x'}, i*i)); err != nil {
			tb.Fatal(err)
		}
		if i == 3 {
			d.FailAfter(1)
		}
		_, _ = a.Sync(tb.Context()) // one of them fails
	}
	return content(tb, d, "2026-11.smc"), content(tb, d, "2026-11.2.smc")
}

func content(tb testing.TB, d disk.FS, name string) []byte {
	tb.Helper()
	f, err := d.Open("chunks/" + name)
	if err != nil {
		tb.Fatal(err)
	}
	n, err := f.Size()
	if err != nil {
		tb.Fatal(err)
	}
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil {
		tb.Fatal(err)
	}
	return b
}

// write makes a file of the archive.
func write(t *testing.T, d disk.FS, name string, b []byte) {
	t.Helper()
	must(t, d.MkdirAll("chunks"))
	f, err := d.Create("chunks/"+name, 0)
	must(t, err)
	if len(b) > 0 {
		_, err = f.WriteAt(b, 0)
		must(t, err)
	}
}
