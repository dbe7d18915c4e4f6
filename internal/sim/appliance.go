package sim

import (
	"math/rand/v2"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Appliance is what hangs on a simulated outlet.
type Appliance interface {
	// Second lets one second pass and returns the load during it. While there
	// is no power the load is ignored, but time goes on: a fridge warms up.
	Second(now *Moment) Load
}

// Moment is the world around an appliance during one second.
type Moment struct {
	Time      time.Time // at the beginning, in the house's zone
	Hour      int       // of Time, 0 to 23
	Voltage   smartmeter.Decivolt
	Frequency smartmeter.Decihertz
	Powered   bool // the relay is on
	// Rand belongs to the appliance alone.
	Rand *rand.Rand
}

// Milliwatt is active power, finer than the meter sees it.
type Milliwatt int64

const watt Milliwatt = 1000

// Load is what an appliance draws.
type Load struct {
	Power       Milliwatt
	PowerFactor smartmeter.Hundredth // above 0 where Power is
}

// Current returns the current of the load: active power divided by voltage and
// power factor.
func (l Load) Current(v smartmeter.Decivolt) smartmeter.Milliamp {
	if l.Power <= 0 || v <= 0 || l.PowerFactor <= 0 {
		return 0
	}
	divisor := int64(v) * int64(l.PowerFactor)
	return smartmeter.Milliamp((int64(l.Power)*1000 + divisor/2) / divisor)
}

// resistive returns what a heating element draws that is rated at 230 V.
func resistive(rated Milliwatt, v smartmeter.Decivolt) Load {
	return Load{Power: rated * Milliwatt(v) * Milliwatt(v) / (2300 * 2300), PowerFactor: 100}
}

// electronic returns what a switching supply draws: the same at any voltage,
// give or take some per mille of restlessness.
func electronic(r *rand.Rand, p Milliwatt, restless int64, pf smartmeter.Hundredth) Load {
	return Load{Power: p + p*Milliwatt(r.Int64N(2*restless+1)-restless)/1000, PowerFactor: pf}
}

// rhythm says how often people do something in each hour of the day, in
// thousandths.
type rhythm [24]uint64

// now reports whether it happens in this second.
func (r *rhythm) now(m *Moment) bool {
	return m.Rand.Uint64N(1000*3600) < r[m.Hour]
}

// motor is what compressors have in common: an inrush, a slow decline while
// the load settles, and a poor power factor.
type motor struct {
	rated   Milliwatt
	running int // seconds since it started
}

// How a motor starts: the first second draws three times the rated power, then
// it settles from an eighth above it within two minutes.
const (
	inrush      = 3
	settleAfter = 120
)

// turn lets the motor turn for a second.
func (m *motor) turn(r *rand.Rand) Load {
	m.running++
	if m.running == 1 {
		return Load{Power: inrush * m.rated, PowerFactor: 55}
	}
	above := m.rated / 8 * Milliwatt(max(0, settleAfter-m.running)) / settleAfter
	return electronic(r, m.rated+above, 10, 82)
}

// stop lets it rest.
func (m *motor) stop() { m.running = 0 }
