package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// series makes up a meter's readings, each with a number.
type series interface {
	next() smartmeter.Reading
	every() time.Duration
}

// ticker counts the readings of a series.
type ticker struct{ smartmeter.Reading }

func newTicker(i int, from smartmeter.Instant, has smartmeter.Quantities) ticker {
	return ticker{smartmeter.Reading{
		Node: smartmeter.NodeID(meterID(i)), At: from + 137, Boot: smartmeter.BootID(i + 1),
		Measurement: smartmeter.Measurement{Has: has},
	}}
}

func (*ticker) every() time.Duration { return sampleInterval }

// tick returns the reading as it is and moves on to the next.
func (t *ticker) tick() smartmeter.Reading {
	r := t.Reading
	r.Seq++
	t.Seq, t.At = r.Seq, r.At+smartmeter.Instant(sampleInterval.Milliseconds())
	return r
}

// noisyMeter is a socket whose load switches every now and then, with all six
// quantities and the noise that real ones have: 0.2 V in every sample, 0.03 Hz,
// 1 % and 0.1 W of the power, and a power factor that moves by 0.002.
type noisyMeter struct {
	ticker
	chance             *rand.Rand
	voltage, frequency float64 // slow walks, in the meter's units
	level, factor      float64
	left               int // samples until the load switches
	on                 bool
	register           float64
}

func newNoisyMeter(i int, from smartmeter.Instant) *noisyMeter {
	return &noisyMeter{ticker: newTicker(i, from, smartmeter.AllQuantities), chance: rand.New(rand.NewPCG(1, uint64(i)))}
}

func (m *noisyMeter) next() smartmeter.Reading {
	if m.left--; m.left < 0 {
		m.turn()
	}
	around := func(mean, sigma float64) float64 { return mean + sigma*m.chance.NormFloat64() }
	m.voltage = around(0.999*m.voltage, 0.5)
	m.frequency = around(0.99*m.frequency, 0.05)
	voltage := around(2300+m.voltage, 2)
	power := max(around(m.level, math.Hypot(m.level*0.01, 1)), 0)
	current := power * 1000 / (voltage * around(m.factor, 0.002))
	m.register += m.level * sampleInterval.Hours() / 10
	m.Voltage = smartmeter.Decivolt(math.Round(voltage))
	m.Current = smartmeter.Milliamp(math.Round(current))
	m.Power = smartmeter.Deciwatt(math.Round(power))
	m.Energy = smartmeter.WattHour(m.register)
	m.Frequency = smartmeter.Decihertz(math.Round(around(500+m.frequency, 0.3)))
	m.PowerFactor = smartmeter.Hundredth(min(100, math.Round(power*100_000/(voltage*current))))
	return m.tick()
}

// turn switches the load: a standby of 6 W, or some hundred watts.
func (m *noisyMeter) turn() {
	m.on = !m.on
	m.level, m.factor, m.left = 60, 0.55, 60+m.chance.IntN(240)
	if m.on {
		m.level, m.factor, m.left = 3000+15_000*m.chance.Float64(), 0.8+0.15*m.chance.Float64(), 240+m.chance.IntN(720)
	}
}

// plugMeter is a plug that knows the power alone, with a refrigerator: a standby
// that flickers by a tenth of a watt, and a compressor with an inrush, a decline
// and a ripple.
type plugMeter struct {
	ticker
	chance      *rand.Rand
	on          bool
	left, since int // samples
}

func newPlugMeter(i int, from smartmeter.Instant) *plugMeter {
	return &plugMeter{ticker: newTicker(i, from, smartmeter.Power), chance: rand.New(rand.NewPCG(2, uint64(i)))}
}

func (m *plugMeter) next() smartmeter.Reading {
	m.since++
	if m.left--; m.left < 0 {
		m.on, m.since = !m.on, 0
		m.left = map[bool]int{true: 240, false: 480}[m.on] + m.chance.IntN(180)
	}
	power := 12 + 0.3*m.chance.NormFloat64()
	if m.on {
		power = 780*(1+0.25*math.Exp(-float64(m.since)/40)) + 4*m.chance.NormFloat64()
		if m.since == 0 {
			power *= 3
		}
	}
	m.Power = smartmeter.Deciwatt(math.Round(power))
	return m.tick()
}
