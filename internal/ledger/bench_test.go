package ledger_test

import (
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// packedYear is a year of sums as a store keeps them.
func packedYear() (packed [][]byte) {
	_, sums := household(3).settled()
	for range 365 {
		packed = append(packed, sums[1].Append(nil))
	}
	return packed
}

func addPacked(b *testing.B, c *ledger.Composer, packed [][]byte) {
	var s ledger.Sums
	for i, p := range packed {
		if err := s.Decode(begin+ledger.DayNumber(i), p); err != nil {
			b.Fatal(err)
		}
		c.Add(&s)
	}
}

func BenchmarkMonthOfHundredDevices(b *testing.B) {
	month := packedYear()[:31]
	berlin := zone(b, "Europe/Berlin")
	for b.Loop() {
		for range 100 {
			c, err := ledger.NewComposer(begin.Start(), (begin + 31).Start(), ledger.StepWhole, berlin)
			if err != nil {
				b.Fatal(err)
			}
			addPacked(b, c, month)
			c.Buckets()
		}
	}
}

func BenchmarkYearByHour(b *testing.B) {
	year := packedYear()
	berlin := zone(b, "Europe/Berlin")
	for b.Loop() {
		c, err := ledger.NewComposer(begin.Start(), (begin + 365).Start(), ledger.StepHour, berlin)
		if err != nil {
			b.Fatal(err)
		}
		addPacked(b, c, year)
		c.Buckets()
	}
}

// A day at 5 s, from its readings.
func BenchmarkFoldDay(b *testing.B) {
	var entries []ledger.Entry
	for _, e := range household(2).entries {
		if ledger.DayOf(e.At) == begin+1 {
			entries = append(entries, e)
		}
	}
	for b.Loop() {
		ledger.Fold(ledger.State{}, begin+1, entries)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(len(entries))/float64(time.Nanosecond), "ns/entry")
}

func BenchmarkSettleDay(b *testing.B) {
	days, _ := household(3).settled()
	for b.Loop() {
		ledger.Settle(days[:2], nil, ledger.Range{First: begin, Last: begin + 1})
	}
}
