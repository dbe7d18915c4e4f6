package sim

import "math/rand/v2"

// airConditioner keeps a living room comfortable while somebody is there: it
// cools in summer and, being a heat pump, takes the edge off winter evenings.
type airConditioner struct {
	motor
	room    microkelvin
	wanted  band
	cooling bool // otherwise heating, while the motor runs
	idle    int  // seconds since it last ran
}

// band is where an air conditioner begins to heat and to cool.
type band struct{ low, high microkelvin }

// comforts are what people ask of it, by the amount of a use.
var comforts = [...]band{
	nobodyIn: {12 * degree, 29 * degree},
	asleep:   {13 * degree, 53 * degree / 2},
	awake:    {41 * degree / 2, 49 * degree / 2},
}

const (
	nobodyIn = iota
	asleep
	awake
)

const (
	roomInertia = 12_000
	roomEffect  = 2200 // per second of a compressor's work
	roomBand    = 9 * degree / 10
	shortest    = 180 // seconds of rest between two runs
	radiators   = 18 * degree
)

func newAirConditioner(rated milliwatt, _ *rand.Rand) appliance {
	return &airConditioner{motor: motor{rated: rated, inrush: 4}, wanted: comforts[asleep], idle: shortest}
}

// plan sets the comfort when people come and go.
func (a *airConditioner) plan(d *day, r *rand.Rand) []use {
	uses := []use{{d.bed, asleep}}
	for _, s := range d.up {
		uses = append(uses, use{s.begin + around(r, 5, 4), awake})
	}
	for _, s := range d.away {
		uses = append(uses, use{s.begin, nobodyIn})
	}
	return uses
}

func (a *airConditioner) use(comfort int) { a.wanted = comforts[comfort] }

// surroundings is what the room would come to without it: behind walls, with
// the sun on the roof in summer and radiators in winter.
func surroundings(outside microkelvin) microkelvin {
	above := outside - radiators
	if above > 0 {
		return outside + above*3/8
	}
	return radiators + above/6
}

func (a *airConditioner) pass(now *moment) {
	around := surroundings(now.outside)
	if a.room == 0 { // the night has left some of the evening
		a.room = around + (22*degree-around)/4
	}
	a.room += (around - a.room) / roomInertia
	on := now.powered && a.wants()
	a.turn(on)
	switch {
	case !on:
		a.idle++
		return
	case a.cooling:
		a.room -= roomEffect
	default:
		a.room += roomEffect
	}
	a.idle = 0
}

// wants decides whether to run in this second, and to which end.
func (a *airConditioner) wants() bool {
	if a.running > 0 {
		if a.cooling {
			return a.room > a.wanted.high-roomBand
		}
		return a.room < a.wanted.low+roomBand
	}
	a.cooling = a.room > a.wanted.high
	return a.idle >= shortest && (a.cooling || a.room < a.wanted.low)
}

func (a *airConditioner) load(now *moment) load {
	if a.running > 0 {
		return a.motor.load(now)
	}
	if a.wanted == comforts[awake] {
		return electronic(now, 6*watt, 120, 52) // the fan at its lowest
	}
	return electronic(now, 1200, 90, 40)
}

// waterHeater is a boiler of 80 litres. It is kept just warm enough by day and
// heated through at night.
type waterHeater struct {
	body
	rated milliwatt
	// running is for how many seconds hot water still runs.
	running int
}

// The thermostat by day and at night, when power is cheap.
var (
	byDay   = band{46 * degree, 52 * degree}
	atNight = band{58 * degree, 62 * degree}
)

const (
	cheapFrom, cheapUntil = 1 * hour, 5 * hour
	// outflow cools 80 litres when 5 a minute, hot for cold, run out of them.
	outflow = 30_000
	// perKilowatt is what a second of heating with one kilowatt adds to 80 kg of
	// water.
	perKilowatt = 2985
)

func newWaterHeater(rated milliwatt, r *rand.Rand) appliance {
	return &waterHeater{
		body: body{
			temperature: 61*degree - microkelvin(r.Int64N(int64(degree))),
			inertia:     206_000,
			effect:      perKilowatt * microkelvin(rated) / 1_000_000,
		},
		rated: rated,
	}
}

// plan has people take showers and do the dishes.
func (w *waterHeater) plan(d *day, r *rand.Rand) []use {
	shower := func() int { return 200 + r.IntN(240) }
	first := d.wake + around(r, 12, 7)
	uses := []use{{first, shower()}}
	if r.IntN(10) < 7 {
		uses = append(uses, use{first + around(r, 24, 8), shower()})
	}
	if evening := d.bed - around(r, 65, 30); r.IntN(10) < 4 && d.isUp(evening) {
		uses = append(uses, use{evening, shower() * 3 / 2})
	}
	for _, t := range []int64{d.breakfast + 15*minute, d.dinner + around(r, 40, 15)} {
		if d.isUp(t) {
			uses = append(uses, use{t, 50 + r.IntN(70)})
		}
	}
	for _, s := range d.up { // hands
		for t := s.begin; t < s.end; t += around(r, 90, 60) + 1 {
			uses = append(uses, use{t, 5 + r.IntN(15)})
		}
	}
	return uses
}

func (w *waterHeater) use(seconds int) { w.running += seconds }

func (w *waterHeater) pass(now *moment) {
	thermostat := byDay
	if now.ofDay >= cheapFrom && now.ofDay < cheapUntil {
		thermostat = atNight
	}
	w.low, w.high = thermostat.low, thermostat.high
	if w.running > 0 {
		w.running--
		w.temperature -= outflow
	}
	w.hold(kitchen, now.powered)
}

func (w *waterHeater) load(now *moment) load {
	if !w.active {
		return load{}
	}
	return resistive(w.rated, now.voltage)
}
