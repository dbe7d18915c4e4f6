package sim

import "math/rand/v2"

// phase is a part of a washing programme.
type phase struct {
	seconds int
	heats   bool
	motor   milliwatt
	// turns and rests is how the drum moves to and fro, in seconds.
	turns, rests int
}

// programme is what a washing machine does from its start to its end.
type programme []phase

// programmes are those at 40 and at 60 degrees: fill, heat, wash, drain, rinse,
// spin up, spin.
var programmes = [...]programme{programmeOf(600), programmeOf(1150)}

const (
	at40 = iota
	at60
)

func programmeOf(heating int) programme {
	return programme{
		{seconds: 120, motor: 8 * watt, turns: 1},
		{seconds: heating, heats: true, motor: 150 * watt, turns: 10, rests: 10},
		{seconds: 1800, motor: 180 * watt, turns: 12, rests: 6},
		{seconds: 60, motor: 35 * watt, turns: 1},
		{seconds: 900, motor: 160 * watt, turns: 12, rests: 8},
		{seconds: 240, motor: 220 * watt, turns: 20, rests: 5},
		{seconds: 420, motor: 380 * watt, turns: 1},
	}
}

// washingMachine runs a programme where it has been filled.
type washingMachine struct {
	rated  milliwatt // of the heating element
	left   programme // with the present phase first; empty when it is done
	passed int       // seconds of the phase
}

func newWashingMachine(rated milliwatt, _ *rand.Rand) appliance {
	return &washingMachine{rated: rated}
}

func (w *washingMachine) plan(d *day, _ *rand.Rand) []use {
	var uses []use
	for _, l := range d.laundry {
		which := at40
		if l.hot {
			which = at60
		}
		uses = append(uses, use{l.at, which})
	}
	return uses
}

// use fills and starts it, unless it is still washing.
func (w *washingMachine) use(which int) {
	if len(w.left) == 0 {
		w.left, w.passed = programmes[which], 0
	}
}

// pass goes on with the programme; where the power failed, at the point where
// it was.
func (w *washingMachine) pass(now *moment) {
	if len(w.left) == 0 || !now.powered {
		return
	}
	if w.passed++; w.passed > w.left[0].seconds {
		w.left, w.passed = w.left[1:], 1
	}
}

func (w *washingMachine) load(now *moment) load {
	if len(w.left) == 0 {
		return electronic(now, 900, 80, 41)
	}
	p := &w.left[0]
	drum := electronic(now, 5*watt, 50, 60)
	if w.passed%(p.turns+p.rests) < p.turns {
		drum = electronic(now, p.motor, 90, 64)
	}
	if !p.heats {
		return drum
	}
	element := resistive(w.rated, now.voltage)
	return load{power: element.power + drum.power, powerFactor: 99}
}
