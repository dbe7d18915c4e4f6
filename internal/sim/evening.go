package sim

import (
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter"
)

// television is watched in the evening.
type television struct {
	rated milliwatt
	left  int // seconds until it is switched off
	shown int // seconds since it was switched on
}

func newTelevision(rated milliwatt, _ *rand.Rand) appliance { return &television{rated: rated} }

// plan watches the evening's programme until bed, sometimes the news at
// breakfast, and more at the weekend.
func (t *television) plan(d *day, r *rand.Rand) []use {
	var uses []use
	watch := func(percent int, from, until int64) {
		if r.IntN(100) >= percent {
			return
		}
		for _, s := range d.up { // only while somebody is there
			if begin, end := max(from, s.begin), min(until, s.end); end-begin > 5*minute {
				uses = append(uses, use{begin, int(end - begin)})
			}
		}
	}
	watch(25, d.breakfast, d.breakfast+around(r, 25, 10))
	if d.weekend() {
		watch(45, d.time(14, 30)+around(r, 0, 60), d.time(16, 30)+around(r, 0, 45))
	}
	evening := max(d.dinner+around(r, 35, 15), d.time(19, 45)+around(r, 0, 35))
	watch(88, evening, d.bed-around(r, 22, 18))
	return uses
}

// use switches it on, if it has power.
func (t *television) use(seconds int) { t.left = seconds }

func (t *television) pass(now *moment) {
	switch {
	case !now.powered || t.left == 0: // after a cut it stays in standby
		t.left, t.shown = 0, 0
	default:
		t.left--
		t.shown++
	}
}

// load follows the picture: scenes of some seconds, bright ones and dark ones.
func (t *television) load(now *moment) load {
	switch t.shown {
	case 0:
		return electronic(now, 1100, 90, 38)
	case 1:
		return load{power: t.rated * 7 / 4, powerFactor: 60} // its capacitors
	}
	scene := t.rated + t.rated*milliwatt(wander(now.key, now.unix, 7, 160))/1000
	return electronic(now, scene, 25, 92)
}

// lights are the lamps of a home, eight of them.
type lights struct {
	rated milliwatt // of all together
	lit   int
}

const lamps = 8

func newLights(rated milliwatt, _ *rand.Rand) appliance { return &lights{rated: rated} }

// plan lights lamps while somebody is up in the dark, one now and then by day
// where there is no window, and one on the way through the night.
func (l *lights) plan(d *day, r *rand.Rand) []use {
	var uses []use
	for _, s := range d.up {
		for t := s.begin; t < s.end; {
			n, stay := l.wanted(d, r, t)
			uses = append(uses, use{t, n})
			t += stay
		}
		uses = append(uses, use{s.end, 0})
	}
	asleep := d.end - d.bed
	if t := d.bed + asleep/3 + r.Int64N(max(asleep/3, 1)); r.IntN(2) == 0 {
		uses = append(uses, use{t, 1}, use{t + around(r, 4, 2), 0})
	}
	return uses
}

// wanted returns how many lamps are wanted at t, and for how many seconds.
func (l *lights) wanted(d *day, r *rand.Rand, t int64) (n int, stay int64) {
	stay = around(r, 14, 9)
	switch {
	case t > d.bed-25*minute:
		return 1 + r.IntN(2), around(r, 8, 4)
	case t < d.sunrise+10*minute:
		return 2 + r.IntN(3), stay
	case t > d.sunset-10*minute:
		return 4 + r.IntN(4), stay
	case t > d.sunset-60*minute:
		return r.IntN(4), stay
	default:
		return max(r.IntN(7)-5, 0), around(r, 9, 6)
	}
}

func (l *lights) use(n int) { l.lit = min(n, lamps) }

func (l *lights) pass(*moment) {}

func (l *lights) load(now *moment) load {
	if l.lit == 0 {
		return load{}
	}
	return electronic(now, l.rated*milliwatt(l.lit)/lamps, 4, smartmeter.Hundredth(88+l.lit))
}
