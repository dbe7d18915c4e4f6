package sim

import "time"

// date is a day of the calendar.
type date struct {
	year  int
	month time.Month
	day   int
}

// dateOf returns the date of t in its zone.
func dateOf(t time.Time) date {
	year, month, day := t.Date()
	return date{year, month, day}
}

// next returns the date that many days later.
func (d date) next(days int) date {
	return dateOf(time.Date(d.year, d.month, d.day+days, 0, 0, 0, 0, time.UTC))
}

// number counts days, since 1970.
func (d date) number() int64 {
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).Unix() / secondsADay
}

func (d date) weekday() time.Weekday {
	return time.Date(d.year, d.month, d.day, 0, 0, 0, 0, time.UTC).Weekday()
}

// week numbers the weeks from Monday to Sunday.
func (d date) week() int64 { return (d.number() + 3) / 7 } // 1 January 1970 was a Thursday

// clock returns when the clocks of the zone show that many seconds after
// midnight, which may be more than a day's.
func (d date) clock(zone *time.Location, seconds int) int64 {
	return time.Date(d.year, d.month, d.day, 0, 0, seconds, 0, zone).Unix()
}

// seasonal is a value for the middle of each month.
type seasonal [12]int

// on returns the value on a date: on a straight line between the months.
func (s *seasonal) on(d date) int {
	from, past := int(d.month)-1, d.day-15
	if past < 0 {
		from, past = from+11, past+30
	}
	a, b := s[from%12], s[(from+1)%12]
	return a + (b-a)*past/30
}

const (
	minute      = 60
	hour        = 3600
	secondsADay = 24 * hour
)

// wallClock shows the time of day. Asking a time.Location every second would
// take longer than all that an appliance does.
type wallClock struct {
	zone   *time.Location
	offset int64 // east of Greenwich, in seconds
}

// set takes over the zone's present offset.
func (c *wallClock) set(t time.Time) {
	_, offset := t.In(c.zone).Zone()
	c.offset = int64(offset)
}

// ofDay returns the seconds since midnight at a Unix time.
func (c *wallClock) ofDay(unix int64) int { return int((unix + c.offset) % secondsADay) }
