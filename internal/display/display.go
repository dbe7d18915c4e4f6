// Package display draws what a meter node shows on its small screen: 128 by 64
// points, each on or off.
//
// It is for somebody who stands before the fuse box: how much power flows now
// can be read from across the room, whether the load is switched on and the hub
// is reached from an arm's length. A cut-off and the code for pairing take the
// room they need, for whoever looks then came for them.
//
// It is not a driver: it knows no bus and no chip, only the order of bytes that
// the usual chips share. It is a pure function from a [State] to a [Frame], and
// remembers nothing. It imports nothing and allocates nothing, because it runs
// on a microcontroller between two samples.
//
// It promises that what is not known is drawn as dashes or left out, never as
// 0, that no state can make it fail, and that text too long is cut at the edge
// of its place.
package display

// Value is a quantity that may be unknown; the zero value is.
type Value struct {
	N     int64
	Known bool
}

// Known returns a value that is known.
func Known(n int64) Value { return Value{N: n, Known: true} }

// Link is how far a connection has come.
type Link uint8

// A connection is down, being made, or up.
const (
	Down Link = iota
	Trying
	Up
)

// Relay is where a relay is.
type Relay uint8

// A node may have no relay; then nothing is drawn.
const (
	NoRelay Relay = iota
	Off
	On
)

// State is what a picture shows.
type State struct {
	// Name is the node's id or what people call it, ASCII. 15 letters fit.
	Name string

	PowerDeciwatt   Value // 0.1 W, negative when it flows back
	VoltageDecivolt Value // 0.1 V
	CurrentMilliamp Value // 1 mA
	TodayWattHour   Value // 1 Wh since midnight

	Relay     Relay
	WiFi, Hub Link

	// MeterSilent says that the meter does not answer, most likely because the
	// mains it measures is off.
	MeterSilent bool
	// CutOff is why the node cut its load off, in a few words such as
	// "over current", and empty if it did not. 20 letters fit.
	CutOff string
	// Pairing is the code that a person types in to accept this node, empty
	// unless one is wanted. 10 letters fit.
	Pairing string
}

// Draw draws s over whatever f held.
func Draw(f *Frame, s *State) {
	*f = Frame{}
	f.header(s)
	switch {
	case s.Pairing != "":
		f.pairing(s.Pairing)
		return
	case s.MeterSilent:
		f.silence()
	default:
		f.power(s.PowerDeciwatt)
	}
	f.relay(s.Relay)
	if s.CutOff != "" {
		f.cutOff(s.CutOff)
		return
	}
	f.details(s)
}

// header says who this is, and whom it reaches.
func (f *Frame) header(s *State) {
	const room = 15
	f.text(0, 0, 1, s.Name[:min(len(s.Name), room)])
	f.wifi(Width-35, s.WiFi)
	f.hub(Width-19, s.Hub)
	f.fill(0, 9, Width, 1)
}

// power draws the power large, with a digit behind the point below 100 W, where
// standby is told from off.
func (f *Frame) power(power Value) {
	const top, right = 13, 85
	f.text(right+6, top+11, 2, "W")
	if !power.Known {
		for i := range 3 {
			f.bars(right-largeWidth-i*(largeWidth+largeGap), top, 0x40)
		}
		return
	}
	decimals := 0
	if power.N > -1000 && power.N < 1000 {
		decimals = 1
	}
	n := spell(min(max(power.N, -99_990), 999_990), 1, decimals)
	f.large(right, top, &n)
}

// silence takes the place of the power: nobody knows it.
func (f *Frame) silence() {
	f.text(0, 13, 2, "No mains")
	f.text(0, 31, 1, "meter is silent")
}

// relay draws a label that is filled while the load is on.
func (f *Frame) relay(relay Relay) {
	const x, y, w, h = 106, 13, 22, 11
	switch relay {
	case On:
		f.text(x+6, y+2, 1, "ON")
		f.invert(x, y, w, h)
	case Off:
		f.text(x+3, y+2, 1, "OFF")
		f.outline(x, y, w, h)
	}
}

// details draws what goes with the power: voltage, current, the day's energy.
func (f *Frame) details(s *State) {
	f.quantity(0, 45, s.VoltageDecivolt, 1, 1, "V")
	f.quantity(66, 45, s.CurrentMilliamp, 3, 3, "A")
	f.text(f.quantity(0, 56, s.TodayWattHour, 3, 2, "kWh"), 56, 1, "today")
}

// quantity writes a value and its unit, and returns where what follows begins.
func (f *Frame) quantity(x, y int, v Value, decimals, keep int, unit string) int {
	if v.Known {
		n := spell(v.N, decimals, keep)
		x = f.number(x, y, &n)
	} else {
		f.text(x, y, 1, "---")
		x += 3 * advance
	}
	f.text(x+3, y, 1, unit)
	return x + 3 + len(unit)*advance + 4
}

// cutOff says why there is no power, and that a person has to look.
func (f *Frame) cutOff(why string) {
	const room = 20
	f.centred(44, 1, "CUT OFF until reset")
	f.centred(54, 1, why[:min(len(why), room)])
	f.invert(0, 42, Width, 22)
}

// pairing draws the code as large as it fits.
func (f *Frame) pairing(code string) {
	const room = 10
	code = code[:min(len(code), room)]
	scale := 3
	if textWidth(len(code), scale) > Width {
		scale = 2
	}
	f.centred(14, 1, "Pairing code")
	f.centred(28, scale, code)
	f.centred(56, 1, "Type it at the hub")
}
