// Package alert notices what is wrong with a relay or the load behind it, from
// what its node says and what its meter measures: a contact that does not open,
// and a load that draws nothing.
//
// It is pure: positions and fresh samples come in with their time, verdicts go
// out. Who is told, and for how long an alert lives, is the hub's.
//
// It promises to say nothing that it cannot tell. A load that idles, as one with
// a thermostat does, is not called dead, and the silence of a load behind a
// welded contact does not call that contact well: only an OFF that takes the
// watts away does.
package alert

import "github.com/iot-smart-meter/smartmeter"

// What it takes until something is said: so long, and so many samples. A motor
// has run down by then, and a capacitor is empty.
const (
	patience    smartmeter.Instant = 120_000
	leastProofs int                = 5
)

// nothing is what a load that draws nothing may still seem to draw: the meter's
// noise, and a snubber across the contacts. A PZEM-004T measures from 0.4 W.
const nothing smartmeter.Deciwatt = 10

// load is how a kind of load behaves at a relay.
type load struct {
	// drawing is from where on a load draws for sure although its relay is off:
	// what leaks through a snubber lights a lamp a little, and feeds no heater.
	drawing smartmeter.Deciwatt
	// idles is for how long it may draw nothing although its relay is on; 0 is
	// for ever.
	idles smartmeter.Instant
}

func loadOf(kind smartmeter.LoadKind) load {
	switch kind {
	case smartmeter.Heater:
		return load{drawing: 200} // a thermostat may be content for a whole summer
	case smartmeter.Compressor:
		return load{drawing: 100}
	case smartmeter.MustStayOn:
		return load{drawing: 50, idles: 6 * 3_600_000} // no freezer rests for so long, and no router at all
	case smartmeter.Lighting:
		return load{drawing: 30, idles: patience}
	default:
		return load{drawing: 50, idles: patience}
	}
}
