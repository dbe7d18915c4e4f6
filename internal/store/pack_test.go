package store_test

import (
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// What the log has of a day is not unpacked at once when it is read again, and
// yet is all there: for queries, for the next start, and for the seal.
func TestDayIsWholeAfterItsReplay(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	var want []smartmeter.Reading
	for i := range smartmeter.Instant(5000) {
		want = append(want, sample(uint32(i+1), epoch+i*5000))
	}
	must(t, s.AppendReadings(want...))
	for range 2 {
		must(t, s.Close())
		s = open(t, dir)
		holds(t, s, 0, want...)
	}
	more := sample(5001, epoch+5000*5000)
	must(t, s.AppendReadings(more))
	must(t, s.Seal(t.Context(), time.UnixMilli(int64(more.At)).Add(24*time.Hour)))
	holds(t, s, 0, append(want, more)...)
	must(t, s.Close())
}
