package board

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/display"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// Picture returns what the screen of a node shows. A board without a clock knows
// no midnight, and so no energy of the day.
func Picture(name string, s *node.Status, wifi display.Link) display.State {
	p := display.State{Name: name, WiFi: wifi, MeterSilent: s.MeterSilent, CutOff: why(s.CutOff.Kind)}
	if s.Connected {
		p.Hub = display.Up
	} else if wifi == display.Up {
		p.Hub = display.Trying
	}
	switch s.Relay {
	case smartmeter.RelayOn:
		p.Relay = display.On
	case smartmeter.RelayOff:
		p.Relay = display.Off
	}
	m := &s.Latest.Measurement
	if m.Has.Has(smartmeter.Power) {
		p.PowerDeciwatt = display.Known(int64(m.Power))
	}
	if m.Has.Has(smartmeter.Voltage) {
		p.VoltageDecivolt = display.Known(int64(m.Voltage))
	}
	if m.Has.Has(smartmeter.Current) {
		p.CurrentMilliamp = display.Known(int64(m.Current))
	}
	return p
}

// why is what made the node cut off, in words.
func why(kind wire.NodeEventKind) string {
	switch kind {
	case "":
		return ""
	case wire.NodeOvercurrent:
		return "too much current"
	case wire.NodeOverpower:
		return "too much power"
	default:
		return string(kind)
	}
}

// Screen decides when the picture goes out: sending it takes 30 ms at 400 kHz, in
// which nothing else happens on the bus.
type Screen struct {
	frame, shown display.Frame
	lit          bool // something was shown
	next         smartmeter.Millis
}

// redrawAfter is the shortest time between two pictures.
const redrawAfter smartmeter.Millis = 500

// Show returns the picture to send at t, nil if it is too early for another or
// the last one still holds.
func (s *Screen) Show(t smartmeter.Millis, state *display.State) []byte {
	if t < s.next {
		return nil
	}
	s.next = t + redrawAfter
	display.Draw(&s.frame, state)
	if s.lit && s.frame == s.shown {
		return nil
	}
	s.shown, s.lit = s.frame, true
	return s.shown[:]
}
