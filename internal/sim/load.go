package sim

import "github.com/iot-smart-meter/smartmeter"

// milliwatt is active power, finer than the meter sees it.
type milliwatt int64

const watt milliwatt = 1000

// load is what an appliance draws.
type load struct {
	power       milliwatt
	powerFactor smartmeter.Hundredth // above 0 where power is
}

// current returns the current of the load: active power divided by voltage and
// power factor.
func (l load) current(v smartmeter.Decivolt) smartmeter.Milliamp {
	if l.power <= 0 || v <= 0 || l.powerFactor <= 0 {
		return 0
	}
	divisor := int64(v) * int64(l.powerFactor)
	return smartmeter.Milliamp((int64(l.power)*1000 + divisor/2) / divisor)
}

// resistive returns what a heating element draws that is rated at 230 V.
func resistive(rated milliwatt, v smartmeter.Decivolt) load {
	return load{power: rated * milliwatt(v) * milliwatt(v) / (2300 * 2300), powerFactor: 100}
}

// electronic returns what a switching supply draws: the same at any voltage,
// give or take some per mille of restlessness.
func electronic(now *moment, p milliwatt, restless int64, pf smartmeter.Hundredth) load {
	return load{power: p + p*milliwatt(within(now.chance, restless))/1000, powerFactor: pf}
}

// motor is what compressors have in common: an inrush, a slow decline while
// the load settles, and a poor power factor.
type motor struct {
	rated   milliwatt
	inrush  milliwatt // in its first second, as a multiple of rated
	running int       // seconds since it started
}

// settleAfter is how long a motor draws more than it is rated at, an eighth in
// the beginning.
const settleAfter = 240

// turn lets the motor turn, or rest, for a second.
func (m *motor) turn(on bool) {
	if on {
		m.running++
	} else {
		m.running = 0
	}
}

// load returns what the motor draws while it turns.
func (m *motor) load(now *moment) load {
	if m.running == 1 {
		return load{power: m.inrush * m.rated, powerFactor: 55}
	}
	above := m.rated / 8 * milliwatt(max(0, settleAfter-m.running)) / settleAfter
	return electronic(now, m.rated+above, 10, 82)
}
