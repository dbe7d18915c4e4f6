package node

import "github.com/iot-smart-meter/smartmeter"

// settling is for how long a PZEM-004T's register is not believed after its
// power came back.
const settling smartmeter.Millis = 30_000

// counter follows the meter's register and tells what it says from what it
// stammers: a module that loses its mains may answer with a register of all
// ones, or with one from long ago, and with a valid CRC.
type counter struct {
	believed  reading // the last that was believed
	candidate reading // the last that was not, and may prove right
	// from is before when no register is believed that does not go on from the
	// one believed last.
	from smartmeter.Millis
}

// reading is a register and when it was read, if it was.
type reading struct {
	register smartmeter.WattHour
	t        smartmeter.Millis
	known    bool
}

// leadsTo reports whether a register can have come from r: it does not fall,
// and it grows no faster than the largest load lets it. 2 Wh are for the
// rounding of register and time.
func (r *reading) leadsTo(register smartmeter.WattHour, t smartmeter.Millis) bool {
	const deciwattMillisPerWattHour = 36_000_000
	growth := smartmeter.WattHour(int64(smartmeter.MaxPower) * int64(t-r.t) / deciwattMillisPerWattHour)
	return r.known && register >= r.register && register-r.register <= growth+2
}

// believes decides about a register that was read at t. One that jumped is
// believed when the next reading goes on from it: then it was reset, or rolled
// over.
func (c *counter) believes(register smartmeter.WattHour, t smartmeter.Millis) bool {
	now := reading{register, t, true}
	switch {
	case c.believed.leadsTo(register, t):
	case t < c.from:
		return false
	case c.believed.known && !c.candidate.leadsTo(register, t):
		c.candidate = now
		return false
	}
	c.believed, c.candidate = now, reading{}
	return true
}
