package node

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

const (
	// bounce is how long a contact may chatter.
	bounce smartmeter.Millis = 50
	// touch is the longest press that switches the relay, and wipe the shortest
	// that resets to factory settings. What is in between does nothing.
	touch smartmeter.Millis = 2000
	wipe  smartmeter.Millis = 5000
)

// button is the one on the node, if it has any.
type button struct {
	since smartmeter.Millis
	down  bool
	done  bool // this press has had its effect
}

// Button tells the node whether its button is pressed, at every change. A touch
// switches the relay over; holding it for 5 s resets the node.
func (n *Node) Button(t smartmeter.Millis, down bool) {
	b := &n.button
	switch held := t - b.since; {
	case down && !b.down:
		*b = button{since: t, down: true}
	case !down && b.down:
		b.down = false
		if !b.done && held >= bounce && held <= touch {
			n.touched(t)
		}
	}
}

// touched switches the relay over, as far as its protection permits.
func (n *Node) touched(t smartmeter.Millis) {
	on := !n.on()
	if n.relay == nil || on && n.objectionToOn(t) != "" {
		return
	}
	if err := n.switchTo(t, on, 0); err != nil {
		n.counts.RelayFailed++
		return
	}
	n.tell(t, wire.NodeButton)
}

// holdButton resets the node when the button has been held for so long.
func (n *Node) holdButton(t smartmeter.Millis) {
	if b := &n.button; b.down && !b.done && t >= b.since+wipe {
		b.done = true
		n.FactoryReset(t)
	}
}

// FactoryReset forgets all that was configured or kept, a cut-off and samples
// that the hub does not have among it, and switches the relay off.
func (n *Node) FactoryReset(t smartmeter.Millis) {
	if n.settings != nil {
		n.trouble = n.settings.Erase()
		n.saved = smartmeter.RelayUnknown
	}
	_, next := n.buffer.Bounds()
	n.buffer.Forget(next)
	n.out.minutes.clear()
	n.protection = protection{}
	n.pending &^= pendingCutOff
	defaults := DefaultConfig()
	n.apply(t, &defaults)
	if n.relay != nil {
		n.open(t)
	}
}
