package sim

import "github.com/iot-smart-meter/smartmeter"

// mains is the supply of a home: 230 V and 50 Hz, more or less.
type mains struct{ key uint64 }

// The way of the current, in milliohms: from the transformer to the home, which
// makes the lights dim when the kettle comes on, and from there to an outlet.
const (
	impedanceHome   = 350
	impedanceOutlet = 120
)

// profile is how far the street's other homes move the voltage through the
// day, in millivolts at each full hour.
var profile = [25]int64{
	1200, 1500, 1700, 1800, 1700, 1300, 500, -300, -200, 200, 500, 800, 600,
	700, 900, 700, 200, -700, -1500, -1900, -1700, -1200, -300, 600, 1200,
}

// voltage returns what is left in the home while so much is drawn.
func (m *mains) voltage(now *moment, drawn smartmeter.Milliamp) smartmeter.Decivolt {
	past := int64(now.ofDay)
	from, to := profile[past/hour], profile[past/hour+1]
	millivolts := 230_000 + from + (to-from)*(past%hour)/hour +
		wander(m.key, now.unix, 1200, 1200) + wander(m.key, now.unix, 45, 500) + wander(m.key, now.unix, 2, 150)
	return drop(millivolts, drawn, impedanceHome)
}

// drop returns what of a voltage is left behind an impedance.
func drop(millivolts int64, drawn smartmeter.Milliamp, impedance int64) smartmeter.Decivolt {
	v := smartmeter.Decivolt((millivolts - int64(drawn)*impedance/1000) / 100)
	return min(max(v, smartmeter.MinVoltage), smartmeter.MaxVoltage)
}

func (m *mains) frequency(now *moment) smartmeter.Decihertz {
	millihertz := 50_000 + wander(m.key, now.unix, 180, 55) + wander(m.key, now.unix, 12, 15)
	return smartmeter.Decihertz((millihertz + 50) / 100)
}
