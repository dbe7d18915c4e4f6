// Package rollup says what readings add up to: for each step of a day the
// least, the greatest and the last value of each quantity, and its sum over
// time, of which the mean is made.
//
// A meter says what is true at an instant, not how long it stays so. Here a
// value stands until the next one of its quantity, but at most three times as
// long as the one before it stood: what is missing after that is a gap, and not
// the last value for ever. The last one stands for as long as the one before it
// did.
//
// # A day on its own
//
// Nothing stands across midnight UTC, and nothing is carried over: the sums of
// a day are a function of that day's readings alone. They can therefore be kept
// when the day is over, and made anew, with the same result, when late readings
// come in for that day; no other day changes. The first value of a day, for
// which no spacing is known yet, stands for three minutes at most.
//
// Sums are exact integers. An hour is what its quarters add up to, to the last
// digit, and a day what its hours do, whatever way it was reached: folded from
// the readings, composed from finer steps, or unpacked.
//
// # Packed
//
// AppendDay packs a day of a channel, by quarter hour, and AppendBuckets unpacks it:
// only the quantities and the width that are wanted, so that a year by hour is
// a matter of milliseconds. The format is described at AppendDay. A checksum
// covers it: a damaged day is an error, neither a panic nor a wrong value.
//
// The package is pure. It does not know what energy costs, which quarter hours
// make up a day in the user's zone, or where packed days lie; energy between two
// registers is for the ledger to tell.
package rollup

import "github.com/iot-smart-meter/smartmeter"

// The widths of the steps that are kept.
const (
	Quarter smartmeter.Millis = 15 * 60_000
	Hour                      = 4 * Quarter
	Day                       = 24 * Hour
)

// Midnight returns when the UTC day of an instant begins.
func Midnight(at smartmeter.Instant) smartmeter.Instant {
	return at - sinceMidnight(at)
}

func sinceMidnight(at smartmeter.Instant) smartmeter.Instant {
	const day = smartmeter.Instant(Day)
	return (at%day + day) % day // % takes the sign of at
}
