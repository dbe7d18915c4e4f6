package hub

import (
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// An ON may have an end that needs neither the hub nor the network: the node
// gets it with the command, as a lease in its own milliseconds since boot, and
// switches off by itself when it runs out. "For" is a lease that nobody renews.
// A dead-man's lease is renewed by the hub as long as it lives, can reach the
// node, and nobody has asked for anything else.

// How long an ON may be granted. A dead-man's lease below two minutes would
// switch off at every hiccup of the network.
const (
	minFor   = time.Second
	maxFor   = 7 * 24 * time.Hour
	minLease = 2 * time.Minute
	maxLease = 24 * time.Hour
)

// lease is the end of an ON, in the node's milliseconds since boot. The zero
// value is none. A hub that restarts forgets it, and the ON ends: only a fresh
// decision switches on again.
type lease struct {
	boot   smartmeter.BootID
	length smartmeter.Millis // what one renewal gives
	until  smartmeter.Millis // what the node has been given; 0 if there is no lease
	end    smartmeter.Millis // beyond this nothing is given
	// endAt is when that is; 0 if it has no end.
	endAt smartmeter.Instant
}

// shown returns how long the ON outlives the hub, and when it ends in any case;
// 0 for what it does not have.
func (l lease) shown() (outlives smartmeter.Millis, endAt smartmeter.Instant) {
	if l.until != l.end || l.endAt == 0 {
		outlives = l.length
	}
	return outlives, l.endAt
}

// leaseOf returns what a request grants a node whose clock shows t.
func leaseOf(req SwitchRequest, boot smartmeter.BootID, t smartmeter.Millis, now smartmeter.Instant) lease {
	if req.For == 0 && req.Lease == 0 {
		return lease{}
	}
	l := lease{boot: boot, length: smartmeter.Millis(req.Lease.Milliseconds()), end: wire.MaxMillis}
	if req.For != 0 {
		l.end = t + smartmeter.Millis(req.For.Milliseconds())
		l.endAt = now + smartmeter.Instant(req.For.Milliseconds())
	}
	if req.Lease == 0 {
		l.length = l.end - t
	}
	l.until = min(t+l.length, l.end)
	return l
}

// renew grants more when a third of the lease has passed, so that two renewals
// may be lost. One that has run out is over: the node would not take it.
func (l *lease) renew(t smartmeter.Millis) bool {
	if l.until == l.end || t >= l.until || t < l.until-l.length/3*2 {
		return false
	}
	l.until = min(t+l.length, l.end)
	return true
}

// checkEnd checks the form of an ON's end.
func (req SwitchRequest) checkEnd() error {
	switch {
	case !req.On && req.For != 0:
		return smartmeter.NewError(smartmeter.Invalid, "body.for", "ends an ON; leave it out to switch off")
	case !req.On && req.Lease != 0:
		return smartmeter.NewError(smartmeter.Invalid, "body.lease", "guards an ON; leave it out to switch off")
	case req.For != 0 && (req.For < minFor || req.For > maxFor):
		return smartmeter.NewError(smartmeter.Invalid, "body.for", "must be a duration from 1s to 168h, like 30m")
	case req.Lease != 0 && (req.Lease < minLease || req.Lease > maxLease):
		return smartmeter.NewError(smartmeter.Invalid, "body.lease", "must be a duration from 2m to 24h, like 5m")
	default:
		return nil
	}
}

// takesEnd says why a device cannot be switched on with an end, nil if it can.
func (c *channel) takesEnd(req SwitchRequest) error {
	field := "body.lease"
	switch {
	case req.For != 0:
		field = "body.for"
	case req.Lease == 0:
		return nil
	}
	info := c.node.info
	why := ""
	switch {
	case c.device.Kind == smartmeter.MustStayOn:
		why = "must stay on, and this would switch it off; leave it out, or make it another kind of load"
	case info == nil:
		why = "has a node of protocol 0, which obeys on and off and no more; leave it out and switch off yourself"
	case !info.Has(wire.CapLease):
		why = "has a node that cannot end an ON by itself: it does not announce \"lease\" in its info; leave it out and switch off yourself"
	default:
		return nil
	}
	return smartmeter.NewError(smartmeter.Conflict, field, c.device.Name+" "+why)
}

// because returns the cause as it is kept: with how long the ON was to last.
func (req SwitchRequest) because() smartmeter.Cause {
	cause := string(req.Cause)
	if req.For != 0 {
		cause += ", for " + shortDuration(req.For)
	}
	if req.Lease != 0 {
		cause += ", lease " + shortDuration(req.Lease)
	}
	return smartmeter.Cause(cause)
}

// shortDuration leaves out the zeros that time.Duration ends in: "30m".
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// grant notes what an acknowledged command was granted, in place of what was
// before. If something else has been asked since, it is left to run out.
func (n *node) grant(p *pending) {
	n.lease = lease{}
	if p.number == n.requests {
		n.lease, n.granted = p.lease, p.lease
	}
}

// renewLeases renews what is due. A renewal that is lost is made up for by the
// next; one that comes late changes nothing.
func (h *Hub) renewLeases(now time.Time) {
	h.sending.Lock()
	defer h.sending.Unlock()
	for _, m := range h.renewals(now) {
		if err := h.bus.Publish(m); err != nil {
			h.log.Warn("the broker did not take a renewal; unless the next one gets through, the node ends its lease", "topic", m.Topic, "err", err)
		}
	}
}

// renewals returns the renewals that are due.
func (h *Hub) renewals(now time.Time) (due []smartmeter.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.nodes {
		if n.lease.until == 0 || !n.online || len(n.pending) > 0 {
			continue // an open command may be about to replace the lease
		}
		t, known := n.clock.now(h.at(now))
		switch {
		case !known:
		case n.clock.boot != n.lease.boot || t >= n.lease.until || n.relay == smartmeter.RelayOff:
			n.lease = lease{}
		case n.lease.renew(t):
			n.granted = n.lease
			due = append(due, smartmeter.Message{
				Topic:   h.topics.Topic(n.id, wire.KindRelayLease, 0),
				Payload: wire.AppendLease(nil, wire.Lease{Boot: n.lease.boot, LeaseUntilT: n.lease.until}),
				QoS:     1,
			})
		}
	}
	return due
}
