package node

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// guard moves the relay when its time has come without any command: a cut-off
// that could not be made, a lease that ran out, the longest time on, or the end
// of the rest after power-up. It runs before anything else that happens at t.
func (n *Node) guard(t smartmeter.Millis) {
	c := &n.contact
	switch {
	case n.relay == nil || t < n.due.relay:
	case n.on() && n.protection.latched():
		n.open(t)
	case n.on() && c.lease != 0 && t >= c.lease:
		n.fallBack(t)
	case n.onTooLong(t):
		if n.open(t) {
			n.tell(t, wire.NodeMaxOn)
		}
	case c.resting && t >= millisOf(n.conf.Relay.MinOff):
		n.rested(t)
	}
}

// guardWake returns when guard has something to do next.
func (n *Node) guardWake() smartmeter.Millis {
	next := wire.MaxMillis
	if n.on() && n.protection.latched() {
		next = n.due.relay
	}
	if n.on() && n.contact.lease != 0 {
		next = min(next, n.contact.lease)
	}
	if limit := n.conf.Relay.MaxOn; n.on() && limit != 0 {
		next = min(next, n.contact.since+millisOf(limit))
	}
	if n.contact.resting {
		next = min(next, millisOf(n.conf.Relay.MinOff))
	}
	return max(next, n.due.relay)
}

// open switches off, now or as soon as it can be done, and reports whether it
// is done.
func (n *Node) open(t smartmeter.Millis) bool {
	if err := n.switchTo(t, false, 0); err != nil {
		n.counts.RelayFailed++
		n.due.relay = t + relayRetry
		return false
	}
	return true
}

// onTooLong reports whether the longest time on is over.
func (n *Node) onTooLong(t smartmeter.Millis) bool {
	limit := n.conf.Relay.MaxOn
	return n.on() && limit != 0 && t >= n.contact.since+millisOf(limit)
}

// fallBack ends a lease that ran out.
func (n *Node) fallBack(t smartmeter.Millis) {
	if n.conf.Relay.Fallback == wire.PositionOn {
		n.contact.lease = 0
	} else if !n.open(t) {
		return
	}
	n.tell(t, wire.NodeLeaseExpired)
}

// rested switches on what has had its rest after power-up.
func (n *Node) rested(t smartmeter.Millis) {
	if err := n.switchTo(t, true, 0); err != nil {
		n.counts.RelayFailed++
		n.due.relay = t + relayRetry
	}
}

// receiveLease renews a lease that is still running. One that ran out is over:
// only a fresh command switches on.
func (n *Node) receiveLease(payload []byte) error {
	lease, err := wire.DecodeLease(payload)
	if err == nil && lease.Boot == n.boot && n.on() && n.contact.lease != 0 {
		n.contact.lease = max(n.contact.lease, lease.LeaseUntilT)
	}
	return err
}
