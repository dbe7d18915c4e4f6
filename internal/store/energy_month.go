package store

import (
	"encoding/binary"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// A month's sums are, day by day in order and only of days about which something
// is known: the day since 1970 UTC less that of the day before in the row, as
// uvarint; the length of the packed sums, as uvarint; and the sums as package
// ledger packs them.

// appendDay appends a day's packed sums to a month's.
func appendDay(month []byte, before, day ledger.DayNumber, packed []byte) []byte {
	month = binary.AppendUvarint(month, uint64(day-before))
	month = binary.AppendUvarint(month, uint64(len(packed)))
	return append(month, packed...)
}

// nextDay takes the first day from a month's sums.
func nextDay(month []byte, before ledger.DayNumber) (day ledger.DayNumber, packed, rest []byte, err error) {
	since, n := binary.Uvarint(month)
	if n <= 0 || since > 1<<30 {
		return 0, nil, nil, ledger.ErrDamaged
	}
	size, m := binary.Uvarint(month[n:])
	rest = month[n+max(m, 0):]
	if m <= 0 || size > uint64(len(rest)) {
		return 0, nil, nil, ledger.ErrDamaged
	}
	return before + ledger.DayNumber(since), rest[:size], rest[size:], nil
}

func monthOf(day ledger.DayNumber) archive.Month { return archive.MonthOf(int64(day.Start())) }

// replaceDays returns a month's sums with those of the days in r replaced by
// sums, of which it takes those of the month.
func replaceDays(month energyMonth, r ledger.Range, sums []ledger.Sums) (energyMonth, error) {
	var out []byte
	var last ledger.DayNumber
	add := func(day ledger.DayNumber, packed []byte) {
		out = appendDay(out, last, day, packed)
		last = day
	}
	addNew := func() {
		for i := range sums {
			if monthOf(sums[i].Day) == month.month {
				add(sums[i].Day, sums[i].Append(nil))
			}
		}
		sums = nil
	}
	var before ledger.DayNumber
	for rest := month.packed; len(rest) > 0; {
		day, packed, next, err := nextDay(rest, before)
		if err != nil {
			return month, err
		}
		before, rest = day, next
		if day > r.Last {
			addNew()
		}
		if day < r.First || day > r.Last {
			add(day, packed)
		}
	}
	addNew()
	return energyMonth{month.month, out}, nil
}
