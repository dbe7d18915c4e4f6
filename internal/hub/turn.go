package hub

import (
	"context"
	"time"
)

// A node of protocol 0 subscribes to its own relay/state and obeys it. Two
// commands at once therefore move its relay four times: off, on, and off and on
// again by its own echo. So such a node gets one command at a time. When its
// word on the first is here, the broker has sent the echo on its way, and what
// follows arrives behind it.

// turnPatience is how long the node's word on a command is waited for, from when
// it was sent, before the next one follows. A person who taps again because nothing happens must not wait
// until that one is given up, and a node that said nothing has no echo.
const turnPatience = 2 * time.Second

// beginSending is the last moment at which a command can be stopped: recording
// it may have taken so long that nobody wants it any more. It reports whether
// the command is to be sent now; if not, it is in line and will be.
func (h *Hub) beginSending(ctx context.Context, p *pending) (now bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.devices[p.command.Device]
	switch {
	case p.command.State.Final() || c == nil:
		return false, errTooLate
	case ctx.Err() != nil:
		return false, ctx.Err()
	case p.text && c.node.isAsked(p):
		p.waits = true
		p.turn = time.AfterFunc(turnPatience, func() { h.sendInTurn(p) })
		return false, nil
	}
	p.sent, p.sentAt = true, time.Now()
	c.node.history.ours.told(p, p.sentAt)
	return true, nil
}

// isAsked reports whether a text command other than p is with the node, or in
// line for it.
func (n *node) isAsked(p *pending) bool {
	for _, other := range n.pending {
		if other != p && other.text && (other.sent || other.waits) {
			return true
		}
	}
	return false
}

// nextTurn lets the first text command in line go to the node, which has
// nothing else to answer now. The caller holds mu.
func (n *node) nextTurn() {
	var next *pending
	for _, p := range n.pending {
		switch {
		case p.text && p.sent:
			return
		case p.waits && (next == nil || p.number < next.number):
			next = p
		}
	}
	if next != nil {
		next.turn.Reset(0) // not here: whoever settles a command holds mu
	}
}

// sendInTurn sends a command that was in line.
func (h *Hub) sendInTurn(p *pending) {
	if !h.leaveLine(p) {
		return
	}
	if err := h.bus.Publish(p.message); err != nil {
		_, _ = h.fail(p, notTaken, err) // whoever asked finds it in the command
		return
	}
	h.noteSent(p)
}

// leaveLine reports whether p is still wanted, and is next. If it is not, it
// stays in line.
func (h *Hub) leaveLine(p *pending) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.devices[p.command.Device]
	if !p.waits || p.command.State.Final() || c == nil {
		return false
	}
	now := time.Now()
	if wait := c.node.turnIn(p, now); wait > 0 {
		p.turn.Reset(wait)
		return false
	}
	p.waits, p.sent, p.sentAt = false, true, now
	c.node.history.ours.told(p, now)
	return true
}

// turnIn returns how long p has to wait at most: for those before it in line, and
// for the node's word on what it was sent last.
func (n *node) turnIn(p *pending, now time.Time) (wait time.Duration) {
	for _, other := range n.pending {
		switch {
		case other == p || !other.text:
		case other.waits && other.number < p.number:
			wait = max(wait, turnPatience)
		case other.sent:
			wait = max(wait, turnPatience-now.Sub(other.sentAt))
		}
	}
	return wait
}
