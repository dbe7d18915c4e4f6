package sim

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// moduleAddress is the address that modules are delivered with.
const moduleAddress = pzem.MinAddress

// meter is a simulated PZEM-004T: it measures with the resolution of the real
// one, and counts what it measures.
type meter struct {
	module *pzem.Slave
	// rest is the energy that does not make a watt-hour yet.
	rest decijoules
}

// decijoules is energy in steps of 0.1 Ws.
type decijoules int64

const perWattHour decijoules = 36_000

// startsAt is the power below which a PZEM-004T measures nothing.
const startsAt Milliwatt = 400

func newMeter() (*meter, error) {
	module, err := pzem.NewSlave(moduleAddress)
	return &meter{module: module}, err
}

// measure takes the load of one second into the registers and returns its
// current. The register counts what the module shows, not what it cannot see.
func (m *meter) measure(now *Moment, load Load) smartmeter.Milliamp {
	current := load.Current(now.Voltage)
	shown := smartmeter.Measurement{Voltage: now.Voltage, Frequency: now.Frequency}
	if load.Power >= startsAt {
		shown.Current = current
		shown.Power = smartmeter.Deciwatt((load.Power + 50) / 100)
		shown.PowerFactor = load.PowerFactor
	}
	m.rest += decijoules(shown.Power)
	counted := smartmeter.WattHour(m.rest / perWattHour)
	m.rest %= perWattHour
	m.module.Update(func(registers *smartmeter.Measurement) {
		shown.Energy = registers.Energy + counted
		*registers = shown
	})
	return current
}
