package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// A card that lies may lose a part of the log, so that a sample is taken again
// with the time of its second arrival, and then find that part again. The log
// has the sample twice; it counts once, with its first time.
func TestSampleThatACardBringsBackCountsOnce(t *testing.T) {
	dir := t.TempDir()
	sample := func(seq uint32, at smartmeter.Instant) smartmeter.Reading {
		return smartmeter.Reading{Node: "n", Boot: 7, Seq: seq, At: at}
	}
	s := still(t, Config{Dir: dir})
	ok(t, s.AppendReadings(sample(1, 1000), sample(2, 2000)))
	ok(t, s.Sync(t.Context()))
	number := s.channels[channelID{node: "n"}].number
	ok(t, s.Close())

	files, err := disk.OpenDir(dir)
	ok(t, err)
	log, _, err := wal.Open(wal.Config{FS: files, Dir: logDir}, func(wal.Record) error { return nil })
	ok(t, err)
	again := appendGroup(beginRecord(nil, 0), 0, number, []smartmeter.Reading{sample(2, 2500), sample(3, 3000)})
	_, err = log.Append(recordReadings, again)
	ok(t, err)
	ok(t, log.Close(t.Context()))
	ok(t, files.Close())

	for range 2 {
		s = still(t, Config{Dir: dir})
		got, err := collect(s.Readings(t.Context(), "n", 0, 0, endOfTime))
		want(t, "readings", got, err, []smartmeter.Reading{sample(1, 1000), sample(2, 2000), sample(3, 3000)})
		ok(t, s.Seal(t.Context(), time.UnixMilli(0).AddDate(0, 0, 2)))
		ok(t, s.Close())
	}
}

// Of a name that a card has lost from the log the database has the only copy: it
// does not wait for the beat.
func TestNameThatTheLogLostIsWrittenAtOnce(t *testing.T) {
	dir := t.TempDir()
	s := still(t, Config{Dir: dir})
	ok(t, s.AppendReadings(smartmeter.Reading{Node: "n", Boot: 7, Seq: 1, At: 1000}))
	ok(t, s.Sync(t.Context()))
	ok(t, s.Close())
	for _, lost := range []bool{false, true} {
		if lost {
			ok(t, os.RemoveAll(filepath.Join(dir, logDir)))
		}
		s = still(t, Config{Dir: dir})
		if hurries := len(s.wake) == 1; hurries != lost {
			t.Errorf("lost: %v, written at once: %v", lost, hurries)
		}
		ok(t, s.Close())
	}
}
