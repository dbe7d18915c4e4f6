package sim

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var berlin = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return zone
}()

// anyDay draws the day of some home, in zones with and without summer time.
func anyDay(t *rapid.T) *day {
	zone := rapid.SampledFrom([]*time.Location{time.UTC, berlin, time.FixedZone("", -5*hour)}).Draw(t, "zone")
	d := date{2025, time.January, 1}.next(rapid.IntRange(0, 1000).Draw(t, "date"))
	return newDay(rapid.Uint64().Draw(t, "key"), d, zone)
}

func TestDaysAreInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDay(t)
		if !(d.begin < d.wake && d.wake+10*hour < d.bed && d.bed < d.end) {
			t.Fatalf("from %d: up at %d, to bed at %d, until %d", d.begin, d.wake, d.bed, d.end)
		}
		if length := d.end - d.begin; length < 23*hour || length > 25*hour {
			t.Fatalf("the day lasts %d s", length)
		}
		before := d.wake
		for _, s := range d.up {
			if s.begin < before || s.end <= s.begin || s.end > d.bed {
				t.Fatalf("up in %v, from %d to %d", d.up, d.wake, d.bed)
			}
			before = s.end
		}
		for _, s := range d.away {
			if d.isUp(s.begin) || d.isUp(s.end-1) {
				t.Fatalf("at home while away in %v", s)
			}
		}
		if len(d.up) == 0 || d.breakfast < d.wake || d.sunset < d.sunrise+7*hour {
			t.Fatalf("%+v", d)
		}
	})
}

func TestPlansAreInOrderAndOfTheDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDay(t)
		m := models[rapid.IntRange(0, len(models)-1).Draw(t, "model")]
		uses := d.schedule(m.build(watt, randomOn(1, d.date)).plan(d, randomOn(2, d.date)))
		for i, u := range uses {
			if u.at < d.begin || u.at >= d.end || u.amount < 0 || i > 0 && u.at < uses[i-1].at {
				t.Fatalf("%s: %v on the day from %d to %d", m.word, uses, d.begin, d.end)
			}
		}
	})
}

// Nothing that people start may run on into the next day, which begins afresh.
func TestNothingRunsUntilFourInTheMorning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDay(t)
		for _, u := range (&television{}).plan(d, randomOn(2, d.date)) {
			if u.at+int64(u.amount) > d.bed {
				t.Fatalf("the television is on until %d, bed is at %d", u.at+int64(u.amount), d.bed)
			}
		}
		for _, f := range d.laundry {
			if f.at+5000 > d.end {
				t.Fatalf("washing begins at %d, the day ends at %d", f.at, d.end)
			}
		}
		lit := (&lights{}).plan(d, randomOn(2, d.date))
		if lit = d.schedule(lit); lit[len(lit)-1].amount != 0 {
			t.Fatalf("a lamp stays lit: %v", lit)
		}
	})
}

func TestWorkdaysAreSpentAway(t *testing.T) {
	away := map[bool]int64{}
	days := map[bool]int64{}
	for n := range 364 {
		d := newDay(3, date{2025, time.March, 3}.next(n), time.UTC)
		noon := span{d.time(9, 0), d.time(16, 0)}
		for _, up := range without(noon, d.up) {
			away[d.weekend()] += up.end - up.begin
		}
		days[d.weekend()]++
		if late := d.time(10, 0); d.weekend() && d.wake < d.time(7, 0) || !d.weekend() && d.wake > late {
			t.Errorf("up at %v on a %v", time.Unix(d.wake, 0).UTC(), d.date.weekday())
		}
	}
	if work, rest := away[false]/days[false], away[true]/days[true]; work < 5*hour || rest > 4*hour {
		t.Errorf("from 9 to 16 h away for %d s on workdays, %d s at weekends", work, rest)
	}
}

func TestWashingIsDoneOnSaturdaysAndOneEveningAWeek(t *testing.T) {
	for key := range uint64(20) {
		monday := date{2026, time.November, 2}
		var days []time.Weekday
		for n := range 7 {
			d := newDay(key, monday.next(n), berlin)
			if len(d.laundry) == 0 {
				continue
			}
			days = append(days, d.date.weekday())
			if first := d.laundry[0].at; d.date.weekday() != time.Saturday && first < d.time(17, 0) {
				t.Errorf("home %d washes at %v", key, time.Unix(first, 0).In(berlin))
			}
		}
		if len(days) != 2 || days[0] > time.Thursday || days[1] != time.Saturday {
			t.Errorf("home %d washes on %v", key, days)
		}
	}
}

func TestLampsAreLitAfterDuskByTheMonth(t *testing.T) {
	lampHours := func(month time.Month) (byDay, dark float64) {
		for n := range 28 {
			d := newDay(9, date{2026, month, 1}.next(n), berlin)
			uses := d.schedule((&lights{}).plan(d, randomOn(4, d.date)))
			for i, u := range uses[:len(uses)-1] {
				spent := float64(uses[i+1].at-u.at) * float64(u.amount) / 3600 / 28
				if u.at > d.sunrise+hour && u.at < d.sunset-hour {
					byDay += spent
				} else {
					dark += spent
				}
			}
		}
		return byDay, dark
	}
	for month, want := range map[time.Month]float64{time.June: 8, time.December: 25} {
		byDay, dark := lampHours(month)
		if byDay > 4 || dark < want*0.6 || dark > want*1.6 {
			t.Errorf("%v: %.1f lamp-hours by day, %.1f in the dark, want about %.0f", month, byDay, dark, want)
		}
	}
}

func TestKettleBoilsAtBreakfast(t *testing.T) {
	boiled := 0
	for n := range 100 {
		d := newDay(1, testDate.next(n), time.UTC)
		uses := (&kettle{}).plan(d, randomOn(1, d.date))
		if slices.ContainsFunc(uses, func(u use) bool { return max(u.at-d.breakfast, d.breakfast-u.at) < hour/2 }) {
			boiled++
		}
	}
	if boiled < 85 {
		t.Errorf("on %d of 100 mornings", boiled)
	}
}

func TestDatesCount(t *testing.T) {
	for _, c := range []struct {
		date date
		days int
		want date
	}{
		{date{2026, time.November, 30}, 1, date{2026, time.December, 1}},
		{date{2026, time.January, 1}, -1, date{2025, time.December, 31}},
		{date{2028, time.February, 28}, 1, date{2028, time.February, 29}},
	} {
		if got := c.date.next(c.days); got != c.want || got.number()-c.date.number() != int64(c.days) {
			t.Errorf("%d days after %v: %v", c.days, c.date, got)
		}
	}
	for n := range 7 {
		monday := date{2026, time.November, 23}
		if d := monday.next(n); d.week() != monday.week() || d.next(7).week() != monday.week()+1 {
			t.Errorf("%v is in week %d, its Monday in %d", d, d.week(), monday.week())
		}
	}
}

func TestTimesOfDayFollowTheClocks(t *testing.T) {
	spring, autumn := date{2026, time.March, 29}, date{2026, time.October, 25}
	for d, want := range map[date]int64{spring: 23 * hour, autumn: 25 * hour, testDate: 24 * hour} {
		if got := d.next(1).clock(berlin, 0) - d.clock(berlin, 0); got != want {
			t.Errorf("%v lasts %d s", d, got)
		}
		if at := time.Unix(d.clock(berlin, 7*hour+30*minute), 0).In(berlin); at.Hour() != 7 || at.Minute() != 30 {
			t.Errorf("half past seven on %v is %v", d, at)
		}
	}
}
