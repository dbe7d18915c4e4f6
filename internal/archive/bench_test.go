package archive_test

import (
	"fmt"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// sealed archives a number of days of ten chunks of 36 kB each.
func sealed(tb testing.TB, fs disk.FS, days int) (*archive.Archive, []archive.Place) {
	tb.Helper()
	a, err := archive.Open(config(fs))
	if err != nil {
		tb.Fatal(err)
	}
	var places []archive.Place
	chunk := make([]byte, 36_000)
	for day := range days {
		for range 10 {
			if err := a.Append(archive.Month(day/30), 1, chunk); err != nil {
				tb.Fatal(err)
			}
		}
		more, err := a.Sync(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		places = append(places, more...)
	}
	return a, places
}

// TestBytesWrittenPerSeal holds a day's seal to what it must write: its chunks,
// and less than a block more, and one name a month.
func TestBytesWrittenPerSeal(t *testing.T) {
	d := faultdisk.New(1)
	sealed(t, d, 30)
	stats := d.Stats()
	least := int64(30*10*(36_000+16)) / disk.BlockBytes
	if got := stats.Blocks - least; got > 2*30+1 {
		t.Errorf("%d blocks more than the payloads' %d", got, least)
	}
	if stats.Syncs != 30 || stats.DirSyncs > 2 {
		t.Errorf("%d syncs, %d of the directory, for 30 days", stats.Syncs, stats.DirSyncs)
	}
}

func onDisk(b *testing.B) disk.FS {
	b.Helper()
	d, err := disk.OpenDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

func BenchmarkSealDay(b *testing.B) {
	fs := onDisk(b)
	a, _ := sealed(b, fs, 1)
	chunk := make([]byte, 36_000)
	for b.Loop() {
		for range 10 {
			if err := a.Append(1, 1, chunk); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := a.Sync(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(360_000)
}

func BenchmarkRead(b *testing.B) {
	a, places := sealed(b, onDisk(b), 30)
	var buf []byte
	b.SetBytes(36_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		_, payload, err := a.Read(places[i%len(places)], buf)
		if err != nil {
			b.Fatal(err)
		}
		buf = payload
		i++
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, months := range []int{12, 120} {
		b.Run(fmt.Sprint(months, " months"), func(b *testing.B) {
			fs := onDisk(b)
			sealed(b, fs, months*30)
			for b.Loop() {
				if _, err := archive.Open(config(fs)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	fs := onDisk(b)
	sealed(b, fs, 90)
	for b.Loop() {
		a, err := archive.Open(config(fs))
		if err != nil {
			b.Fatal(err)
		}
		_, report, err := a.Scan(b.Context(), nil, func(archive.Frame) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(report.Bytes)
	}
}
