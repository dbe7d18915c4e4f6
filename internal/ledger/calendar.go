package ledger

import (
	"github.com/iot-smart-meter/smartmeter"
)

// DayNumber counts days of UTC since 1970-01-01.
type DayNumber int32

// QuartersADay is how many quarter hours make a UTC day.
const QuartersADay = 96

const (
	quarterMillis smartmeter.Instant = 15 * 60 * 1000
	dayMillis                        = QuartersADay * quarterMillis
)

// DayOf returns the day that t lies in.
func DayOf(t smartmeter.Instant) DayNumber { return DayNumber(floorDiv(int64(t), int64(dayMillis))) }

// Start returns the day's first millisecond.
func (n DayNumber) Start() smartmeter.Instant { return smartmeter.Instant(n) * dayMillis }

// quarter counts quarter hours since 1970.
type quarter int64

func quarterOf(t smartmeter.Instant) quarter {
	return quarter(floorDiv(int64(t), int64(quarterMillis)))
}
func startOf(q quarter) smartmeter.Instant { return smartmeter.Instant(q) * quarterMillis }

// day returns the quarter's day, and which of its quarters it is.
func (q quarter) day() (DayNumber, int) {
	n := floorDiv(int64(q), QuartersADay)
	return DayNumber(n), int(int64(q) - n*QuartersADay)
}

func (n DayNumber) firstQuarter() quarter { return quarter(n) * QuartersADay }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
