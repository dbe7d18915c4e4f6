package wal_test

import (
	"fmt"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// A hub of n devices with a sample of 40 bytes every 5 s syncs every 10 s and
// releases a day's records when the next one is over.
func dayOf(tb testing.TB, d *faultdisk.Disk, l *wal.Log, devices int) (samples int) {
	tb.Helper()
	yesterday := l.Durable()
	payload := make([]byte, 40)
	for range 24 * 360 {
		for range 2 * devices {
			if _, err := l.Append(1, payload); err != nil {
				tb.Fatal(err)
			}
			samples++
		}
		if err := l.Sync(tb.Context()); err != nil {
			tb.Fatal(err)
		}
	}
	if err := l.Release(tb.Context(), yesterday); err != nil {
		tb.Fatal(err)
	}
	return samples
}

// steadyDay returns the bytes that a day in steady state writes to the device,
// the file system's own not counted, per sample.
func steadyDay(tb testing.TB, devices int) float64 {
	tb.Helper()
	d := faultdisk.New(1)
	l, _, err := wal.Open(wal.Config{FS: d, Dir: "hot"}, func(wal.Record) error { return nil })
	if err != nil {
		tb.Fatal(err)
	}
	dayOf(tb, d, l, devices)
	dayOf(tb, d, l, devices)
	dayOf(tb, d, l, devices)
	before := d.Stats()
	samples := dayOf(tb, d, l, devices)
	return float64((d.Stats().Blocks-before.Blocks)*disk.BlockBytes) / float64(samples)
}

func TestBytesWrittenPerSample(t *testing.T) {
	for _, c := range []struct {
		devices int
		most    float64
	}{
		{1, 2070}, // one block per sync, and hardly anything else
		{10, 207},
		{100, 63},
	} {
		if got := steadyDay(t, c.devices); got > c.most {
			t.Errorf("%d devices: %.1f bytes written per sample, want at most %.1f", c.devices, got, c.most)
		}
	}
}

func BenchmarkBytesWrittenPerSample(b *testing.B) {
	for _, devices := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(devices, " devices"), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(steadyDay(b, devices), "B/sample")
			}
		})
	}
}

// onDisk opens a log on the real disk.
func onDisk(b *testing.B, record func(wal.Record) error) *wal.Log {
	b.Helper()
	d, err := disk.OpenDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	l, _, err := wal.Open(wal.Config{FS: d, Dir: "hot", BufferBytes: 64 << 20}, record)
	if err != nil {
		b.Fatal(err)
	}
	return l
}

func BenchmarkAppend(b *testing.B) {
	l := onDisk(b, func(wal.Record) error { return nil })
	payload := make([]byte, 40)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Append(1, payload); err != nil {
			if err := l.Sync(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkAppendSync(b *testing.B) {
	for _, records := range []int{1, 20, 1000} {
		b.Run(fmt.Sprint(records, " records"), func(b *testing.B) {
			l := onDisk(b, func(wal.Record) error { return nil })
			payload := make([]byte, 40)
			for b.Loop() {
				for range records {
					if _, err := l.Append(1, payload); err != nil {
						b.Fatal(err)
					}
				}
				if err := l.Sync(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N*records)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

func BenchmarkReplay(b *testing.B) {
	d := faultdisk.New(1)
	l, _, err := wal.Open(wal.Config{FS: d, Dir: "hot"}, func(wal.Record) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	dayOf(b, d, l, 10)
	if err := l.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	var bytes int64
	for b.Loop() {
		_, report, err := wal.Open(wal.Config{FS: d, Dir: "hot"}, func(wal.Record) error { return nil })
		if err != nil {
			b.Fatal(err)
		}
		bytes = report.Bytes
		b.ReportMetric(float64(report.Records), "records")
	}
	b.SetBytes(bytes)
}
