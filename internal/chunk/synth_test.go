package chunk

import (
	"math"
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	testDay    = Day(20_000)
	samplesDay = 17_280 // one every 5 s
)

// household is a seeded source of noisy days. Beside the readings it adds up
// what nobody can predict: the entropy, in bits, of the noise that went into
// each column, for somebody who knows everything but the noise. No lossless
// codec can do with less; see oracle.
type household struct {
	*rand.Rand
	voltage, frequency float64 // slow walks, in steps of the meter
	on                 bool
	left               int // samples until the load switches
	since              int // samples since it did
	level, factor      float64
	register           float64
	seq                uint32
	oracle             oracle
}

// oracle holds bits for each quantity that has noise of its own.
type oracle struct{ voltage, power, current, frequency float64 }

func (o oracle) sum() float64 { return o.voltage + o.power + o.current + o.frequency }

func newHousehold(seed uint64) *household {
	return &household{Rand: rand.New(rand.NewPCG(seed, 0)), level: 60, factor: 0.55}
}

// The noise of a household, as standard deviations.
const (
	noiseVoltage   = 2.0   // 0.2 V in every sample
	walkVoltage    = 0.5   // and a walk besides
	noiseFrequency = 0.3   // 0.03 Hz
	noiseLoad      = 0.01  // of the power: the load's restlessness
	noiseMeter     = 1.0   // 0.1 W, of the meter
	noiseFactor    = 0.002 // of the power factor: it moves current against power
)

// next returns the sample that is taken at the given time, 5 s after the last.
func (h *household) next(at smartmeter.Instant) smartmeter.Reading {
	h.turn()
	h.voltage = 0.999*h.voltage + walkVoltage*h.NormFloat64()
	h.frequency = 0.99*h.frequency + 0.05*h.NormFloat64()

	hours := float64(at%dayMillis) / 3_600_000
	voltage := h.measure(2300+h.voltage+15*math.Sin(hours*math.Pi/12), noiseVoltage, &h.oracle.voltage)
	frequency := h.measure(500+h.frequency, noiseFrequency, &h.oracle.frequency)
	settling := 1 + 0.1*math.Exp(-float64(h.since)/12)*b2f(h.on)
	mean := h.level * settling
	power := math.Max(0, h.measure(mean, math.Hypot(mean*noiseLoad, noiseMeter), &h.oracle.power))
	current := power * 1000 / (voltage * h.factor)
	current = h.measure(current, current*noiseFactor/h.factor, &h.oracle.current)
	// Between two samples the load was as restless as in them.
	h.register += mean * (1 + noiseLoad*h.NormFloat64()/2) * 5 / 36_000
	h.seq++
	return smartmeter.Reading{At: at, Boot: 0x5eed, Seq: h.seq, Measurement: smartmeter.Measurement{
		Has:         smartmeter.AllQuantities,
		Voltage:     smartmeter.Decivolt(math.Round(voltage)),
		Current:     smartmeter.Milliamp(math.Round(current)),
		Power:       smartmeter.Deciwatt(math.Round(power)),
		Energy:      smartmeter.WattHour(h.register),
		Frequency:   smartmeter.Decihertz(math.Round(frequency)),
		PowerFactor: smartmeter.Hundredth(math.Min(100, math.Round(power*100_000/(voltage*current)))),
	}}
}

// turn switches the load every now and then: a standby of 6 W, and cycles of a
// few hundred watts that settle after their start.
func (h *household) turn() {
	h.left--
	h.since++
	if h.left > 0 {
		return
	}
	h.on = !h.on
	h.since = 0
	h.level, h.factor, h.left = 60, 0.55, 60+h.IntN(240)
	if h.on {
		h.level, h.factor, h.left = 3000+15_000*h.Float64(), 0.8+0.15*h.Float64(), 240+h.IntN(720)
	}
}

// measure adds noise to a value, and its entropy to the sum.
func (h *household) measure(mean, sigma float64, sum *float64) float64 {
	*sum += roundedEntropy(mean, sigma)
	return mean + sigma*h.NormFloat64()
}

// roundedEntropy returns the entropy in bits of a normal distribution that is
// rounded to whole numbers.
func roundedEntropy(mean, sigma float64) float64 {
	if sigma > 3 {
		return math.Log2(sigma * math.Sqrt(2*math.Pi*math.E))
	}
	below := func(x float64) float64 { return math.Erfc((mean-x)/sigma/math.Sqrt2) / 2 }
	bits := 0.0
	for x := math.Round(mean - 6*sigma); x <= mean+6*sigma+1; x++ {
		if p := below(x+0.5) - below(x-0.5); p > 1e-12 {
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// day returns a day of samples, one every 5 s, on the grid of a node.
func (h *household) day(d Day) []smartmeter.Reading {
	readings := make([]smartmeter.Reading, samplesDay)
	for i := range readings {
		readings[i] = h.next(d.Midnight() + smartmeter.Instant(i*5000+137))
	}
	return readings
}

// plug is a seeded smart plug with a refrigerator on it: hours of a standby that
// flickers by a tenth of a watt, and a compressor with an inrush, a decline and
// a ripple, in steps of 0.1 W. It does not number its samples; those are
// stamped on arrival and snapped to the grid, but for a few that came late.
func plug(seed uint64, d Day) []smartmeter.Reading {
	r := rand.New(rand.NewPCG(seed, 1))
	readings := make([]smartmeter.Reading, 0, samplesDay)
	on, left, since := false, 0, 0
	for i := range samplesDay {
		if left--; left <= 0 {
			on, since = !on, 0
			left = 240 + r.IntN(120)
			if !on {
				left = 480 + r.IntN(240)
			}
		}
		since++
		power := 12 + 0.3*r.NormFloat64()
		if on {
			power = 780*(1+0.25*math.Exp(-float64(since)/40)) + 4*r.NormFloat64()
			if since == 1 {
				power *= 3
			}
		}
		at := d.Midnight() + smartmeter.Instant(i*5000+2500)
		switch p := r.Float64(); {
		case p < 0.005:
			continue // lost on its way
		case p < 0.02:
			at += smartmeter.Instant(600 + r.IntN(1500))
		}
		readings = append(readings, smartmeter.Reading{At: at, Timing: smartmeter.ByArrival, Measurement: smartmeter.Measurement{
			Has: smartmeter.Power, Power: smartmeter.Deciwatt(math.Round(power)),
		}})
	}
	return readings
}
