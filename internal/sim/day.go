package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// day is what the people of a home do on a date. It lasts from four in the
// morning, when everybody sleeps and nothing that they started still runs, to
// four the next morning.
type day struct {
	date       date
	zone       *time.Location
	begin, end int64 // Unix time, as all times here

	wake, bed int64
	away      []span
	// up is when somebody is awake and at home.
	up []span
	// breakfast, lunch and dinner are when people eat, be it here or not.
	breakfast, lunch, dinner int64
	sunrise, sunset          int64
	// laundry is when washing machines are filled; none on most days.
	laundry []filling
}

// span is the time from begin to before end.
type span struct{ begin, end int64 }

// firstHour is when a day begins.
const firstHour = 4

// use is one time that people use an appliance.
type use struct {
	at int64 // Unix time
	// amount means something to the appliance: seconds, millilitres, lamps.
	amount int
}

// newDay draws the day of a home. Equal keys and dates make equal days.
func newDay(key uint64, d date, zone *time.Location) *day {
	r := randomOn(key, d)
	day := &day{
		date:    d,
		zone:    zone,
		begin:   d.clock(zone, firstHour*hour),
		end:     d.next(1).clock(zone, firstHour*hour),
		sunrise: d.clock(zone, sunrise.on(d)*minute),
		sunset:  d.clock(zone, sunset.on(d)*minute),
	}
	if day.weekend() {
		day.rest(r)
	} else {
		day.work(r)
	}
	day.up = without(span{day.wake, day.bed}, day.away)
	day.breakfast = day.wake + around(r, 28, 8)
	day.lunch = day.time(12, 45) + around(r, 0, 30)
	day.dinner = day.nextUp(day.time(18, 45)+around(r, 0, 35)) + around(r, 20, 10)
	day.fillWashingMachines(r, key)
	return day
}

// work is a day from Monday to Friday: out from breakfast to the evening, or
// one at home now and then.
func (d *day) work(r *rand.Rand) {
	d.wake = d.time(6, 25) + around(r, 0, 15)
	d.bed = d.time(22, 50) + around(r, 0, 30)
	if d.date.weekday() == time.Friday {
		d.bed += around(r, 55, 40)
	}
	if r.IntN(6) == 0 {
		d.away = []span{{d.time(17, 10) + around(r, 0, 30), d.time(18, 5) + around(r, 0, 15)}}
		return
	}
	d.away = []span{{d.wake + around(r, 75, 15), d.time(17, 0) + around(r, 10, 45)}}
	if r.IntN(6) == 0 {
		d.away = append(d.away, span{d.time(19, 25) + around(r, 0, 15), d.time(21, 50) + around(r, 0, 25)})
	}
}

// rest is a day of the weekend.
func (d *day) rest(r *rand.Rand) {
	d.wake = d.time(8, 20) + around(r, 0, 50)
	d.bed = d.time(23, 35) + around(r, 0, 45)
	if r.IntN(10) < 7 {
		out := d.time(13, 0) + around(r, 0, 120)
		d.away = append(d.away, span{out, out + around(r, 150, 75)})
	}
	if d.date.weekday() == time.Saturday && r.IntN(3) == 0 {
		d.away = append(d.away, span{d.time(19, 10) + around(r, 0, 20), d.time(22, 40) + around(r, 0, 40)})
	}
}

// filling is a washing machine's.
type filling struct {
	at  int64
	hot bool
}

// fillWashingMachines decides whether it is a washing day: Saturday, and one
// evening of the week.
func (d *day) fillWashingMachines(r *rand.Rand, key uint64) {
	evening := time.Monday + time.Weekday(at(key, d.date.week())%4)
	switch d.date.weekday() {
	case time.Saturday:
		first := d.nextUp(d.wake + around(r, 70, 30))
		d.laundry = append(d.laundry, filling{first, true})
		if r.IntN(5) < 3 {
			d.laundry = append(d.laundry, filling{d.nextUp(first + around(r, 150, 30)), false})
		}
	case evening:
		d.laundry = append(d.laundry, filling{d.nextUp(d.time(17, 45)) + around(r, 30, 25), false})
	}
}

func (d *day) weekend() bool {
	weekday := d.date.weekday()
	return weekday == time.Saturday || weekday == time.Sunday
}

// time returns when the clocks show that time on the date; from 24 hours on it
// is the following night.
func (d *day) time(hours, minutes int) int64 {
	return d.date.clock(d.zone, hours*hour+minutes*minute)
}

// isUp reports whether somebody is awake and at home.
func (d *day) isUp(t int64) bool {
	return slices.ContainsFunc(d.up, func(s span) bool { return t >= s.begin && t < s.end })
}

// nextUp returns the first time from t on at which somebody is awake and at
// home; t itself if nobody is any more.
func (d *day) nextUp(t int64) int64 {
	for _, s := range d.up {
		if t < s.end {
			return max(t, s.begin)
		}
	}
	return t
}

// around returns so many minutes, give or take the spread, in seconds. The
// middle is more likely than the ends.
func around(r *rand.Rand, minutes, spread int) int64 {
	spread *= minute
	return int64(minutes*minute + r.IntN(spread+1) - r.IntN(spread+1))
}

// without returns what is left of a span outside others, which are in order
// and do not overlap.
func without(whole span, others []span) []span {
	var left []span
	for _, o := range others {
		if o.begin > whole.begin {
			left = append(left, span{whole.begin, min(o.begin, whole.end)})
		}
		whole.begin = max(whole.begin, o.end)
	}
	if whole.begin < whole.end {
		left = append(left, whole)
	}
	return left
}

// schedule puts uses in order and drops those that are not on the day.
func (d *day) schedule(uses []use) []use {
	uses = slices.DeleteFunc(uses, func(u use) bool { return u.at < d.begin || u.at >= d.end })
	slices.SortStableFunc(uses, func(a, b use) int { return int(a.at - b.at) })
	return uses
}
