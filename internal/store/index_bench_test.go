package store

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
)

const benchSums = 2500 // bytes of a packed day

// sealOf returns what the seal of a day makes known.
func sealOf(day chunk.Day, channels int, random *rand.ChaCha8) indexChange {
	c := indexChange{applied: uint64(day), marks: archive.Marks{"2026-11.smc": {ID: 1, End: int64(day)}}}
	for key := channelKey(1); key <= channelKey(channels); key++ {
		packed := make([]byte, benchSums)
		_, _ = random.Read(packed) // never fails
		c.channels = append(c.channels, channelRow{key: key, uid: chunk.ID{byte(key)}, node: smartmeter.NodeID("node-" + string(rune('0'+key)))})
		c.chunks = append(c.chunks, sampleChunk(key, day, 1))
		c.sums = append(c.sums, sumsRow{key, day, packed})
		c.latest = append(c.latest, latestRow{key, smartmeter.Reading{At: day.Midnight(), Measurement: smartmeter.Measurement{Has: smartmeter.AllQuantities}}})
		c.boots = append(c.boots, bootSpan{key, 1, 1, uint32(day) * 8640, day.Midnight()})
	}
	return c
}

// year returns an index with two years of ten channels, and where it lies.
func year(b *testing.B) (*index, string) {
	b.Helper()
	path := filepath.Join(b.TempDir(), "smartmeter.db")
	x := indexAt(b, path)
	random := rand.NewChaCha8([32]byte{1})
	for day := chunk.Day(20_000); day < 20_730; day++ {
		ok(b, x.apply(b.Context(), sealOf(day, 10, random)))
	}
	return x, path
}

func BenchmarkIndexSumsOfAYear(b *testing.B) {
	x, _ := year(b)
	for b.Loop() {
		n := 0
		for r, err := range x.sums(b.Context(), 3, 20_100, 20_465) {
			ok(b, err)
			n += len(r.packed)
		}
		if n != 365*benchSums {
			b.Fatal(n)
		}
	}
}

func BenchmarkIndexChunksOfAYear(b *testing.B) {
	x, _ := year(b)
	for b.Loop() {
		if rows, err := allRows(x.chunks(b.Context(), 3, 20_100, 20_465)); err != nil || len(rows) != 365 {
			b.Fatal(len(rows), err)
		}
	}
}

// What a sealed day of ten channels costs the card: the pages of the write-ahead
// log, and as many again, at most, when they move into the database.
func BenchmarkIndexSeal(b *testing.B) {
	x, path := year(b)
	random := rand.NewChaCha8([32]byte{2})
	var logged, days int64
	before := size(b, path)
	for day := chunk.Day(20_730); b.Loop(); day++ {
		b.StopTimer()
		conn, err := x.writer.Take(b.Context())
		ok(b, err)
		ok(b, emptyLog(conn))
		x.writer.Put(conn)
		c := sealOf(day, 10, random)
		b.StartTimer()
		ok(b, x.apply(b.Context(), c))
		logged += size(b, path+"-wal")
		days++
	}
	b.ReportMetric(float64(logged)/float64(days), "wal-bytes/day")
	b.ReportMetric(float64(size(b, path)-before)/float64(days), "db-bytes/day")
}

func size(b *testing.B, path string) int64 {
	b.Helper()
	info, err := os.Stat(path)
	ok(b, err)
	return info.Size()
}
