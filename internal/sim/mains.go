package sim

import (
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// household is a few devices on the same mains.
type household struct {
	mains   mains
	devices []*device
	drawn   smartmeter.Milliamp // in the last second, all devices together
	moment  Moment              // the present second
}

func newHousehold(seed uint64, n int) *household {
	return &household{mains: mains{rand: random(seed, "mains "+strconv.Itoa(n))}}
}

// second lets the second that begins at t pass for all devices, and their
// nodes do what is due then.
func (h *household) second(t smartmeter.Millis, now time.Time) {
	h.mains.second()
	h.moment = Moment{
		Time:      now,
		Hour:      now.Hour(),
		Voltage:   h.mains.voltage(h.drawn),
		Frequency: h.mains.frequency(),
	}
	h.drawn = 0
	for _, d := range h.devices {
		h.drawn += d.draw(&h.moment)
		if t >= d.due {
			d.due = d.core.Step(t, smartmeter.InstantOf(now))
		}
	}
}

// mains is the supply of a household: 230 V and 50 Hz, more or less.
type mains struct {
	rand       *rand.Rand
	millivolts int // above 230 V
	millihertz int // above 50 Hz
}

// How far the mains stray. Per second they are pulled back by the tenacity's
// part of the way and pushed by up to the gust, which together leaves them
// within about a volt and 20 mHz most of the time.
const (
	voltageGust, voltageTenacity     = 150, 300
	frequencyGust, frequencyTenacity = 4, 100

	// impedance of the way to the transformer, in milliohms: what makes the
	// lights dim when the kettle comes on.
	impedance = 400
)

func (m *mains) second() {
	m.millivolts = stray(m.rand, m.millivolts, voltageGust, voltageTenacity)
	m.millihertz = stray(m.rand, m.millihertz, frequencyGust, frequencyTenacity)
}

// stray moves a value one step at random, and back towards 0.
func stray(r *rand.Rand, v, gust, tenacity int) int {
	return v - v/tenacity + r.IntN(2*gust+1) - gust
}

// voltage returns what is left at the outlets while so much is drawn.
func (m *mains) voltage(drawn smartmeter.Milliamp) smartmeter.Decivolt {
	sag := int(drawn) * impedance / 1000
	v := smartmeter.Decivolt((230_000 + m.millivolts - sag) / 100)
	return min(max(v, smartmeter.MinVoltage), smartmeter.MaxVoltage)
}

func (m *mains) frequency() smartmeter.Decihertz {
	return smartmeter.Decihertz((50_000 + m.millihertz + 50) / 100)
}
