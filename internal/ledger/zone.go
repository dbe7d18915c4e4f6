package ledger

import (
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Step is the width of a bucket, by the clock and calendar of a zone.
type Step uint8

// The steps.
const (
	StepWhole   Step = iota // one bucket for all
	StepQuarter             // 15 minutes
	StepHour                // an hour of the local clock
	StepDay                 // a local date: mostly 24 hours
	StepWeek                // until Monday
	StepMonth
)

// after returns where the bucket that holds t ends. Where a zone's offset is
// not made of quarter hours, as long ago, it is the quarter hour before.
func (s Step) after(t smartmeter.Instant, zone *time.Location) smartmeter.Instant {
	local := time.UnixMilli(int64(t)).In(zone)
	var end time.Time
	switch s {
	case StepQuarter:
		return startOf(quarterOf(t) + 1)
	case StepHour:
		end = nextHour(local)
	case StepDay, StepWeek, StepMonth:
		end = s.nextDate(local)
	default:
		return Forever
	}
	return max(startOf(quarterOf(t)+1), startOf(quarterOf(smartmeter.InstantOf(end))))
}

// nextHour goes by quarters where the clock is set within the hour.
func nextHour(local time.Time) time.Time {
	_, offset := local.Zone()
	past := time.Duration((local.Unix()+int64(offset)+3600)%3600) * time.Second
	end := local.Add(time.Hour - past)
	if _, after := end.Zone(); after == offset {
		return end
	}
	for end = local.Add(15 * time.Minute); end.Hour() == local.Hour() && end.Minute() >= 15; {
		end = end.Add(15 * time.Minute)
	}
	return end
}

// nextDate returns the first instant of the next date, Monday or month. A clock
// that is set back over midnight shows yesterday's date again; that hour is
// today's.
func (s Step) nextDate(local time.Time) time.Time {
	year, month, day := local.Date()
	for {
		switch s {
		case StepWeek:
			weekday := time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Weekday()
			day += 7 - (int(weekday)+6)%7
		case StepMonth:
			month, day = month+1, 1
		default:
			day++
		}
		if end := startOfDate(year, month, day, local.Location()); end.After(local) {
			return end
		}
	}
}

// startOfDate returns the first instant of a date. Where the clock is set at
// midnight, 00:00 does not exist, or does twice. Noon tells which clock holds
// on the date, and the time it was set.
func startOfDate(year int, month time.Month, day int, zone *time.Location) time.Time {
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone)
	midnight := func(on time.Time) time.Time {
		_, offset := on.Zone()
		return time.Date(year, month, day, 0, 0, -offset, 0, time.UTC).In(zone)
	}
	set, _ := noon.ZoneBounds()
	if set.IsZero() {
		return midnight(noon)
	}
	if before := midnight(set.Add(-time.Second)); before.Before(set) {
		return before
	}
	if at := midnight(noon); at.After(set) {
		return at
	}
	return set
}
