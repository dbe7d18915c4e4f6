package node

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// watchEvery is how often the meter is read while the load has power and there
// is a limit to watch. A PZEM-004T measures no faster.
const watchEvery smartmeter.Millis = 500

// protection is what the node knows of the limits.
type protection struct {
	// current and power are since when a limit is exceeded.
	current, power excess
	// cutOff is what made the node cut off; it has no kind if nothing did. It
	// stays until a person resets it, over power cuts, too.
	cutOff wire.NodeEvent
}

// excess is since when something exceeds its limit, if it does.
type excess struct {
	since smartmeter.Millis
	over  bool
}

// lasts notes whether a limit is exceeded at t and reports whether it has been
// for hold without a reading in between that said otherwise.
func (e *excess) lasts(over bool, t, hold smartmeter.Millis) bool {
	if over && !e.over {
		e.since = t
	}
	e.over = over
	return over && t-e.since >= hold
}

// latched reports whether the node has cut off and nobody has reset that.
func (p *protection) latched() bool { return p.cutOff.Kind != "" }

// forget begins anew: what was exceeded before the relay moved does not count.
func (p *protection) forget() { p.current, p.power = excess{}, excess{} }

// watching reports whether there is a limit to watch now.
func (n *Node) watching() bool {
	l := &n.conf.Limits
	return n.relay != nil && n.on() && (l.Current != 0 || l.Power != 0)
}

// protect cuts off if what was just read exceeds a limit for too long.
func (n *Node) protect(t smartmeter.Millis) {
	if !n.watching() || n.protection.latched() {
		return
	}
	l, m := &n.conf.Limits, &n.metering.reading
	p := &n.protection
	tooMuchCurrent := p.current.lasts(l.Current != 0 && m.Current > l.Current, t, l.Hold)
	tooMuchPower := p.power.lasts(l.Power != 0 && m.Power > l.Power, t, l.Hold)
	switch {
	case tooMuchCurrent:
		n.cut(wire.NodeEvent{Kind: wire.NodeOvercurrent, Boot: n.boot, T: t, Current: m.Current})
	case tooMuchPower:
		n.cut(wire.NodeEvent{Kind: wire.NodeOverpower, Boot: n.boot, T: t, Power: m.Power})
	}
}

// cut switches off and stays so. The load first, then the memory: one that
// cannot be written must not keep the current flowing.
func (n *Node) cut(why wire.NodeEvent) {
	n.protection.cutOff = why
	n.open(why.T)
	n.protection.cutOff.Relay = n.position
	n.pending |= pendingCutOff
	n.saveCutOff()
}

// saveCutOff keeps a cut-off across power cuts, or that there is none.
func (n *Node) saveCutOff() {
	if n.settings == nil {
		return
	}
	var saved []byte
	if n.protection.latched() {
		saved = wire.AppendEvent(n.payload[:0], &n.protection.cutOff)
	}
	n.trouble = n.settings.Save(SavedCutOff, saved)
}

// loadCutOff takes up a cut-off of an earlier boot. One that cannot be read is
// still one.
func (n *Node) loadCutOff() {
	if n.settings == nil {
		return
	}
	saved, err := n.settings.Load(SavedCutOff)
	if err != nil {
		n.trouble = err
	}
	if err != nil || len(saved) == 0 {
		return
	}
	e, err := wire.DecodeEvent(saved)
	if err != nil || e.Kind != wire.NodeOvercurrent && e.Kind != wire.NodeOverpower {
		e = wire.NodeEvent{Kind: wire.NodeOvercurrent, Boot: n.boot, Relay: smartmeter.RelayOff}
		n.trouble = err
	}
	n.protection.cutOff = e
}

// receiveReset clears a cut-off, and answers as to a command. The relay stays
// off until a command switches it on.
func (n *Node) receiveReset(t smartmeter.Millis, payload []byte) error {
	reset, err := wire.DecodeReset(payload)
	if err != nil {
		return err
	}
	n.answer(n.decide(t, order{reset.ID, reset.Boot, reset.BeforeT}, func() string { return n.reset(t) }))
	n.publishPending(t)
	return nil
}

// reset clears a cut-off and returns "", or why it cannot.
func (n *Node) reset(t smartmeter.Millis) string {
	if !n.protection.latched() {
		return "nothing was cut off"
	}
	if n.on() { // the relay could not be opened so far
		return "the relay does not open"
	}
	n.protection = protection{}
	n.pending &^= pendingCutOff
	n.saveCutOff()
	n.tell(t, wire.NodeReset)
	return ""
}
