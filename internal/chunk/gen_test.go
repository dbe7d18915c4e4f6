package chunk

import (
	"math"
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	testDay = 20_000
)

// noisyDay is a synthetic household device at 5 s.
// dayOf simulates in seconds.
type plant struct {
	r            *rand.Rand
	vwalk, fwalk float64
	on           bool
	left         int
	level, pf    float64
	wh           float64
	seq          uint32
	started      int
}

func (g *plant) gauss(sigma float64) float64 { return g.r.NormFloat64() * sigma }

func (g *plant) day(day int) []smartmeter.Reading {
	var out []smartmeter.Reading
	var p float64
	for s := range 86_400 {
		g.vwalk = g.vwalk*0.999 + g.gauss(0.25)
		g.fwalk = g.fwalk*0.99 + g.gauss(0.03)
		if g.left--; g.left <= 0 {
			g.on = !g.on
			g.left = 300 + g.r.IntN(1800)
			g.started = s
			if g.on {
				g.level, g.pf = 1000+g.gauss(200), 0.85+g.r.Float64()*0.1
			} else {
				g.level, g.pf = 60, 0.55
			}
		}
		settle := 1.0
		if g.on {
			settle = 1 + 0.1*math.Exp(-float64(s-g.started)/60)
		}
		p = g.level * settle * (1 + g.gauss(0.004)) // dW
		if g.on {
			p *= 1
		}
		g.wh += p / 36000
		if s%5 == 4 {
			v := 2300 + g.vwalk + 15*math.Sin(float64(s)/86400*2*math.Pi) + g.gauss(1.5)
			pf := g.pf + g.gauss(0.002)
			pm := p + g.gauss(1)
			i := pm * 1000 / 10 / (v / 10 * pf) // mA
			i *= 1 + g.gauss(0.001)
			g.seq++
			out = append(out, smartmeter.Reading{
				At:   smartmeter.Instant(int64(day)*dayMillis + int64(s)*1000 + 137),
				Boot: 0xdeadbeef, Seq: g.seq,
				Measurement: smartmeter.Measurement{
					Has: smartmeter.AllQuantities, Voltage: smartmeter.Decivolt(math.Round(v)),
					Current: smartmeter.Milliamp(math.Round(i)), Power: smartmeter.Deciwatt(math.Round(pm)),
					Energy: smartmeter.WattHour(g.wh), Frequency: smartmeter.Decihertz(math.Round(500 + g.fwalk + g.gauss(.1))),
					PowerFactor: smartmeter.Hundredth(math.Round(pm / (v * i) * 1e5)),
				},
			})
		}
	}
	return out
}
