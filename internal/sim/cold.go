package sim

import "math/rand/v2"

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

// rested returns b at the end of a long rest: not long before it is started.
func (b body) rested(r *rand.Rand) body {
	b.temperature = b.high - microkelvin(r.Int64N(int64(b.high-b.low)/2))
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
	// warmth is what each opening of the door lets in.
	warmth microkelvin
	// opened is for how many more seconds the lamp inside is lit.
	opened int
	around microkelvin
	openings
}

// openings is how often its door is opened: at every meal, so many times for
// certain, and while somebody is around once in so many minutes.
type openings struct{ atMeals, every int }

const (
	kitchen = 21 * degree
	// wavering is how far the kitchen and what stands in the fridge make its
	// surroundings seem warmer or colder.
	wavering = 3 * degree
)

// Fridges defrost by a rest, in the time before a day begins: from then on
// they are not started.
const defrostFrom, defrostUntil = 195 * minute, firstHour * hour

func newFridge(rated milliwatt, r *rand.Rand) appliance {
	return &fridge{
		body:     body{low: 7 * degree / 2, high: 6 * degree, inertia: 9750, effect: -4440, rest: 180}.rested(r),
		motor:    motor{rated: rated, inrush: 6},
		warmth:   degree / 5,
		openings: openings{atMeals: 4, every: 70},
	}
}

func newFreezer(rated milliwatt, r *rand.Rand) appliance {
	return &fridge{
		body:     body{low: -39 * degree / 2, high: -17 * degree, inertia: 35_700, effect: -2600, rest: 180}.rested(r),
		motor:    motor{rated: rated, inrush: 6},
		warmth:   degree / 3,
		openings: openings{atMeals: 0, every: 480},
	}
}

// plan opens the door around meals, and for a snack.
func (f *fridge) plan(d *day, r *rand.Rand) []use {
	var uses []use
	open := func(t int64) {
		if d.isUp(t) {
			uses = append(uses, use{t, 8 + r.IntN(25)})
		}
	}
	for _, meal := range []int64{d.breakfast, d.lunch, d.dinner} {
		for range f.atMeals {
			open(meal + around(r, 0, 25))
		}
	}
	for t := d.wake; t < d.bed; t += 10 * minute {
		if r.IntN(f.every) < 10 {
			open(t + int64(r.IntN(10*minute)))
		}
	}
	return uses
}

func (f *fridge) use(seconds int) {
	f.opened = seconds
	f.temperature += f.warmth
}

func (f *fridge) pass(now *moment) {
	f.opened = max(f.opened-1, 0)
	if now.ofDay%minute == 0 {
		f.around = kitchen + microkelvin(wander(now.key, now.unix, 5*hour/2, int64(wavering)))
	}
	defrosting := now.ofDay >= defrostFrom && now.ofDay < defrostUntil
	f.turn(f.hold(f.around, now.powered && (f.active || !defrosting)))
}

func (f *fridge) load(now *moment) load {
	if f.running > 0 {
		return f.motor.load(now)
	}
	if f.opened > 0 {
		return electronic(now, 4*watt, 20, 70)
	}
	return electronic(now, 1400, 60, 48)
}
