package sim

import (
	"math"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// home is the physics of one household: its mains, its appliances and the
// people that use them. It knows neither meters nor nodes.
type home struct {
	site    *site
	clock   wallClock
	weather weather
	mains   mains
	base    base
	outlets []outlet
	today   *day
	next    int64  // the second that is yet to pass, in Unix time
	now     moment // the second that passed last

	drawn smartmeter.Milliamp // in that second, by all together
	total load
}

// outlet is an appliance where it is plugged in.
type outlet struct {
	appliance appliance
	key       uint64
	off       bool // the relay before it
	uses      []use
	load      load
}

// second lets one second pass and finds out what is drawn in it.
func (h *home) second() {
	h.pass()
	h.draw()
}

// pass lets one second pass.
func (h *home) pass() {
	if h.next >= h.today.end {
		h.plan(h.today.date.next(1))
	}
	if h.next%(15*minute) == 0 {
		h.look()
	}
	h.now.unix = h.next
	h.now.ofDay = h.clock.ofDay(h.next)
	if h.next%minute == 0 {
		h.now.outside = h.weather.outside(h.now.ofDay)
	}
	for i := range h.outlets {
		o := &h.outlets[i]
		for len(o.uses) > 0 && o.uses[0].at <= h.next {
			o.appliance.use(o.uses[0].amount)
			o.uses = o.uses[1:]
		}
		h.now.powered, h.now.key = !o.off, o.key
		o.appliance.pass(&h.now)
	}
	h.next++
}

// plan decides what people do on a day.
func (h *home) plan(d date) {
	h.today = newDay(h.site.keyOf("people"), d, h.site.zone)
	for i := range h.outlets {
		o := &h.outlets[i]
		o.uses = h.today.schedule(o.appliance.plan(h.today, randomOn(o.key, d)))
	}
}

// look looks at the clock and out of the window: every quarter of an hour, for
// only then do zones change their offset.
func (h *home) look() {
	t := time.Unix(h.next, 0).In(h.clock.zone)
	h.clock.set(t)
	h.weather = weatherOn(h.site.keyOf("weather"), dateOf(t))
	h.now.outside = h.weather.outside(h.clock.ofDay(h.next))
}

// draw finds out what is drawn in the second that passed last. The voltage
// follows what was drawn in the one before.
func (h *home) draw() {
	h.now.voltage = h.mains.voltage(&h.now, h.drawn)
	h.now.frequency = h.mains.frequency(&h.now)
	var sum vector
	h.drawn = 0
	for i := range h.outlets {
		o := &h.outlets[i]
		o.load = load{}
		if o.off {
			continue
		}
		h.now.key, h.now.chance = o.key, at(o.key, h.now.unix)
		o.load = o.appliance.load(&h.now)
		h.drawn += o.load.current(h.now.voltage)
		sum.add(o.load)
	}
	unmetered := h.base.load(&h.now, h.today)
	h.drawn += unmetered.current(h.now.voltage)
	sum.add(unmetered)
	h.total = sum.load()
}

// loadAt returns what was drawn at an outlet, or on the whole, in the second
// that passed last.
func (h *home) loadAt(outlet int) load {
	if outlet == mainPlace {
		return h.total
	}
	return h.outlets[outlet].load
}

// base is what a home draws at all times and no meter of an appliance sees.
type base struct {
	key   uint64
	watts int64
}

// load wavers, as routers and chargers do. There is more of it while people are
// up, and while a pump runs.
func (b *base) load(now *moment, d *day) load {
	perMille := 860 + wander(b.key, now.unix, 1500, 50) + wander(b.key, now.unix, 40, 25) + within(at(b.key, now.unix), 20)
	if now.unix >= d.wake && now.unix < d.bed {
		perMille += 150
	}
	if (now.unix+int64(b.key%hour))%(35*minute) < 13*minute {
		perMille += 130
	}
	return load{power: milliwatt(b.watts * perMille), powerFactor: 74}
}

// vector adds loads as alternating currents add: active and reactive power
// apart.
type vector struct{ active, reactive int64 } // in milliwatts and milli-vars

func (v *vector) add(l load) {
	if l.power == 0 {
		return
	}
	v.active += int64(l.power)
	if pf := int64(l.powerFactor); pf < 100 {
		v.reactive += int64(l.power) * root(10_000-pf*pf) / pf
	}
}

// load returns the sum.
func (v *vector) load() load {
	if v.active == 0 {
		return load{}
	}
	apparent := root(v.active*v.active + v.reactive*v.reactive)
	return load{power: milliwatt(v.active), powerFactor: smartmeter.Hundredth((100*v.active + apparent/2) / apparent)}
}

// root returns the square root of an integer below 2^53, in which case it is
// the same on every processor.
func root(square int64) int64 { return int64(math.Sqrt(float64(square))) }
