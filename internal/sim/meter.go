package sim

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// moduleAddress is the address that modules are delivered with.
const moduleAddress = pzem.MinAddress

// decijoules is energy in steps of 0.1 Ws: what a deciwatt takes in a second.
type decijoules int64

const perWattHour decijoules = 36_000

const (
	// startsAt is the power below which a PZEM-004T measures nothing.
	startsAt milliwatt = 400
	// rollsOver is where its register begins anew: it shows up to 9,999.99 kWh.
	rollsOver = 10_000_000 * perWattHour
)

// meter measures with the resolution of a PZEM-004T, and with an error of its
// own in the voltage, as two modules never agree.
type meter struct{ error smartmeter.Decivolt }

func newMeter(key uint64) meter { return meter{smartmeter.Decivolt(within(mix(key), 4))} }

// power is what is shown of a load, and so what is counted.
func (meter) power(l load) smartmeter.Deciwatt {
	if l.power < startsAt {
		return 0
	}
	return smartmeter.Deciwatt((l.power + 50) / 100)
}

// shows returns what is shown of the load at an outlet, but for the register.
func (m meter) shows(now *moment, outlet int, l load) smartmeter.Measurement {
	v := now.voltage + m.error
	if outlet != mainPlace {
		v = drop(int64(v)*100, l.current(v), impedanceOutlet)
	}
	shown := smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: v, Frequency: now.frequency}
	if l.power >= startsAt {
		shown.Current = l.current(v)
		shown.Power = m.power(l)
		shown.PowerFactor = l.powerFactor
	}
	return shown
}

// module is a simulated module on its line.
type module struct {
	meter
	outlet int
	slave  *pzem.Slave
	// rest is the energy that does not make a watt-hour yet.
	rest decijoules
}

// newModule returns the module at a place.
func newModule(at place) (*module, error) {
	slave, err := pzem.NewSlave(moduleAddress)
	if err != nil {
		return nil, err
	}
	slave.Update(func(m *smartmeter.Measurement) { m.Energy = register(at.counted) })
	return &module{meter: newMeter(at.key), outlet: at.outlet, slave: slave, rest: at.counted % perWattHour}, nil
}

// register returns what a register shows that has counted so much, which may
// be less than nothing: then it rolls over in the future.
func register(counted decijoules) smartmeter.WattHour {
	return smartmeter.WattHour((counted%rollsOver + rollsOver) % rollsOver / perWattHour)
}

// measure takes the load of one second into the registers. The energy counts
// what the module shows, not what it cannot see.
func (m *module) measure(now *moment, l load) {
	shown := m.shows(now, m.outlet, l)
	m.rest += decijoules(shown.Power)
	counted := m.rest / perWattHour
	m.rest %= perWattHour
	m.slave.Update(func(registers *smartmeter.Measurement) {
		shown.Energy = register(decijoules(registers.Energy)*perWattHour + counted*perWattHour)
		*registers = shown
	})
}

// resume has the register go on from what it once showed.
func (m *module) resume(register smartmeter.WattHour) {
	m.slave.Update(func(registers *smartmeter.Measurement) { registers.Energy = register })
}
