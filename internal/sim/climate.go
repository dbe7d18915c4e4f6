package sim

import "math/rand/v2"

// microkelvin is a temperature in millionths of a degree Celsius, or a
// difference of two.
type microkelvin int64

const degree microkelvin = 1_000_000

// body is something that is kept warm or cold by a thermostat.
type body struct {
	temperature microkelvin
	low, high   microkelvin // where the thermostat switches
	// inertia is how slowly it follows what surrounds it: in one second by one
	// part in so many of the difference.
	inertia microkelvin
	// effect is what a second of heating adds; negative cools.
	effect microkelvin
	// rest is for how many seconds it is not started again.
	rest int

	active bool
	idle   int // seconds since it was last active
}

// bodyAt returns b with a temperature somewhere within its band.
func bodyAt(r *rand.Rand, b body) body {
	b.temperature = b.low + microkelvin(r.Int64N(int64(b.high-b.low)))
	b.active = r.IntN(3) == 0
	b.idle = b.rest
	return b
}

// hold lets a second pass and reports whether heating or cooling is on.
func (b *body) hold(ambient microkelvin, powered bool) bool {
	b.temperature += (ambient - b.temperature) / b.inertia
	wanted := b.active
	switch {
	case b.temperature <= b.low:
		wanted = b.effect > 0
	case b.temperature >= b.high:
		wanted = b.effect < 0
	}
	b.active = powered && wanted && (b.active || b.idle >= b.rest)
	if b.active {
		b.idle = 0
		b.temperature += b.effect
	} else {
		b.idle++
	}
	return b.active
}

// fridge keeps things cold: a fridge or a freezer.
type fridge struct {
	body
	motor
	opened rhythm
	// warmth is what each opening of the door lets in.
	warmth microkelvin
}

const kitchen = 21 * degree

// meals is when people open a fridge.
var meals = rhythm{
	100, 50, 0, 0, 0, 300, 2000, 3000, 2000, 800, 800, 1500, 3500, 2500, 800, 800, 1500, 2500, 4000, 3000, 2000, 1500, 1000, 300,
}

func newFridge(r *rand.Rand) Appliance {
	return &fridge{
		body:   bodyAt(r, body{low: 7 * degree / 2, high: 6 * degree, inertia: 9750, effect: -4440, rest: 180}),
		motor:  motor{rated: 85 * watt},
		opened: meals,
		warmth: degree / 5,
	}
}

func newFreezer(r *rand.Rand) Appliance {
	return &fridge{
		body:   bodyAt(r, body{low: -39 * degree / 2, high: -17 * degree, inertia: 35_700, effect: -2600, rest: 180}),
		motor:  motor{rated: 78 * watt},
		opened: rhythm{11: 300, 17: 600, 18: 300},
		warmth: degree / 3,
	}
}

// Second implements Appliance.
func (f *fridge) Second(now *Moment) Load {
	if f.opened.now(now) {
		f.temperature += f.warmth
	}
	if f.hold(kitchen, now.Powered) {
		return f.turn(now.Rand)
	}
	f.stop()
	return electronic(now.Rand, 1400, 60, 48)
}

// airConditioner cools a room by day.
type airConditioner struct {
	body
	motor
}

// outdoors is a summer day, hour by hour, in degrees; the sun on the roof is
// in it.
var outdoors = [24]microkelvin{
	22, 21, 20, 20, 19, 19, 20, 22, 24, 26, 29, 31, 33, 35, 36, 36, 36, 35, 33, 31, 28, 26, 25, 23,
}

func newAirConditioner(r *rand.Rand) Appliance {
	return &airConditioner{
		body:  bodyAt(r, body{low: 23 * degree, high: 49 * degree / 2, inertia: 9000, effect: -2600, rest: 180}),
		motor: motor{rated: 920 * watt},
	}
}

// Second implements Appliance.
func (a *airConditioner) Second(now *Moment) Load {
	if a.hold(outside(now), now.Powered) {
		return a.turn(now.Rand)
	}
	a.stop()
	return electronic(now.Rand, 6*watt, 120, 52) // the fan at its lowest
}

// outside returns the temperature between the full hours.
func outside(now *Moment) microkelvin {
	from, to := outdoors[now.Hour], outdoors[(now.Hour+1)%24]
	past := microkelvin(now.Time.Minute()*60 + now.Time.Second())
	return from*degree + (to-from)*degree*past/3600
}

// waterHeater is a boiler of 80 litres.
type waterHeater struct {
	body
	drawn rhythm
	// running is for how many seconds hot water still runs.
	running int
}

// showers is when hot water runs.
var showers = rhythm{6: 500, 7: 800, 8: 300, 12: 300, 18: 300, 19: 500, 20: 300, 21: 500, 22: 300}

func newWaterHeater(r *rand.Rand) Appliance {
	return &waterHeater{
		// 2 kW heat 80 kg of water by 5.97 mK per second.
		body:  bodyAt(r, body{low: 55 * degree, high: 60 * degree, inertia: 206_000, effect: 5970}),
		drawn: showers,
	}
}

// Second implements Appliance.
func (w *waterHeater) Second(now *Moment) Load {
	if w.drawn.now(now) {
		w.running += 120 + now.Rand.IntN(240)
	}
	if w.running > 0 {
		w.running--
		w.temperature -= 30_000 // 5 litres a minute, cold for hot
	}
	if w.hold(kitchen, now.Powered) {
		return resistive(2000*watt, now.Voltage)
	}
	return Load{}
}
