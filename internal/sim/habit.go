package sim

import (
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter"
)

// kettle boils a pot of water now and then.
type kettle struct {
	brewed rhythm
	// left is for how many seconds the pot still has to be heated. It waits
	// where the power is off: the switch stays down.
	left int
}

func newKettle(*rand.Rand) Appliance {
	return &kettle{brewed: rhythm{6: 700, 7: 1200, 8: 600, 10: 500, 13: 500, 15: 600, 16: 700, 18: 300, 20: 600, 21: 400}}
}

// Second implements Appliance.
func (k *kettle) Second(now *Moment) Load {
	if k.left == 0 && k.brewed.now(now) {
		k.left = 90 + now.Rand.IntN(150)
	}
	if k.left == 0 || !now.Powered {
		return Load{}
	}
	k.left--
	return resistive(2200*watt, now.Voltage)
}

// phase is a part of a washing programme.
type phase struct {
	seconds int
	heating Milliwatt
	motor   Milliwatt
	// turns and rests is how the drum moves to and fro, in seconds.
	turns, rests int
}

// cottons is a programme of 40 degrees.
var cottons = []phase{
	{seconds: 120, motor: 8 * watt, turns: 1},                                     // fill
	{seconds: 720, heating: 1950 * watt, motor: 150 * watt, turns: 10, rests: 10}, // heat
	{seconds: 1800, motor: 180 * watt, turns: 12, rests: 6},                       // wash
	{seconds: 60, motor: 35 * watt, turns: 1},                                     // drain
	{seconds: 900, motor: 160 * watt, turns: 12, rests: 8},                        // rinse
	{seconds: 240, motor: 220 * watt, turns: 20, rests: 5},                        // spin up
	{seconds: 420, motor: 380 * watt, turns: 1},                                   // spin
}

// washingMachine runs a programme about once a day.
type washingMachine struct {
	started rhythm
	phase   int // of cottons; beyond its end there is nothing to do
	passed  int // seconds of the phase
}

func newWashingMachine(*rand.Rand) Appliance {
	return &washingMachine{
		started: rhythm{8: 150, 9: 200, 10: 150, 11: 100, 14: 100, 16: 100, 17: 100, 18: 100},
		phase:   len(cottons),
	}
}

// Second implements Appliance.
func (w *washingMachine) Second(now *Moment) Load {
	if w.phase == len(cottons) {
		if w.started.now(now) {
			w.phase, w.passed = 0, 0
		}
		return electronic(now.Rand, 900, 80, 41)
	}
	if !now.Powered { // it goes on where it was
		return Load{}
	}
	p := &cottons[w.phase]
	load := p.load(now, w.passed)
	if w.passed++; w.passed == p.seconds {
		w.phase, w.passed = w.phase+1, 0
	}
	return load
}

// load returns what the phase draws after so many seconds.
func (p *phase) load(now *Moment, passed int) Load {
	drum := electronic(now.Rand, 5*watt, 50, 60)
	if passed%(p.turns+p.rests) < p.turns {
		drum = electronic(now.Rand, p.motor, 90, 64)
	}
	if p.heating == 0 {
		return drum
	}
	element := resistive(p.heating, now.Voltage)
	return Load{Power: element.Power + drum.Power, PowerFactor: 99}
}

// television is watched in the evening.
type television struct {
	watched rhythm
	left    int // seconds until it is switched off
	picture Milliwatt
}

func newTelevision(r *rand.Rand) Appliance {
	return &television{
		watched: rhythm{7: 200, 12: 300, 17: 400, 18: 800, 19: 1500, 20: 2500, 21: 1500, 22: 500},
		picture: Milliwatt(80+r.IntN(30)) * watt,
	}
}

// Second implements Appliance.
func (t *television) Second(now *Moment) Load {
	if t.left == 0 && t.watched.now(now) {
		t.left = 1800 + now.Rand.IntN(6000)
	}
	if !now.Powered {
		t.left = 0 // after a cut it stays in standby
		return Load{}
	}
	if t.left == 0 {
		return electronic(now.Rand, 1100, 120, 38)
	}
	t.left--
	return electronic(now.Rand, t.picture, 140, 92)
}

// lights are the lamps of a living room.
type lights struct{ lit int }

const (
	lamp  = 9 * watt
	lamps = 8
)

// evening is how many lamps are usually lit.
var evening = [24]int{1, 0, 0, 0, 0, 0, 2, 3, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 5, 6, 6, 5, 3}

// changed is how often, on average, someone comes or leaves: in seconds.
const changed = 600

func newLights(*rand.Rand) Appliance { return &lights{lit: -1} }

// Second implements Appliance.
func (l *lights) Second(now *Moment) Load {
	if l.lit < 0 || now.Rand.IntN(changed) == 0 {
		usual := evening[now.Hour]
		l.lit = min(max(usual+now.Rand.IntN(3)-1, 0), lamps)
	}
	if l.lit == 0 {
		return Load{}
	}
	return electronic(now.Rand, lamp*Milliwatt(l.lit), 4, smartmeter.Hundredth(88+l.lit))
}
