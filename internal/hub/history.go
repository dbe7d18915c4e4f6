package hub

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// A relay moves without the hub, too: other clients command it, a person
// presses the button, the node protects the load. All of that belongs in the
// device's history, with its cause. Three things tell of it: the commands of
// others pass by on their way to the node, the node sends an event for what it
// did by itself, and where neither explains it, the relay is elsewhere than it
// was.

const (
	// explainWithin is how long after a movement its explanation may come: a node
	// tells where its relay is first, and why after that.
	explainWithin = 2 * time.Second
	// powerUpWithin is how long after a node's boot its relay may come to where
	// it belongs then.
	powerUpWithin = 10 * time.Second
	// maxOthers is how many commands of others are waited for, of each node.
	maxOthers = 8
	// maxTold is how many of a node's events are known again.
	maxTold = 32
)

// history is what is known of a relay's movements that the hub did not ask for.
type history struct {
	others []other   // commands of other clients without an answer
	moved  *movement // without an explanation; nil if there is none
	told   []string  // the events that are in the history, by id
	booted time.Time // when the node was heard to be in another boot
	ours   ours
	budget budget
	unkept int // movements that were too many to be kept
}

// other is a command of another client. One that was too many to be kept still
// explains what follows.
type other struct {
	command smartmeter.Command
	id      string // on the wire; "" for the fielded form
	at      time.Time
	kept    bool
}

type movement struct {
	command smartmeter.Command
	at      time.Time
}

// overhear takes a command that passes by on its way to a node: if it is not
// the hub's own, another client gave it.
func (h *Hub) overhear(id smartmeter.NodeID, m smartmeter.Message, now time.Time) error {
	order, err := wire.DecodeCommand(m.Payload)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.nodes[id]
	if n == nil || n.history.ours.knows(order, m.From, now) {
		return nil
	}
	c := n.channels[0]
	if c == nil || !c.hasRelay() || c.erasing {
		return nil
	}
	n.lease = lease{} // something else was asked for: what was granted runs out
	n.requests++
	if !order.Text {
		n.takePlace(now)
	}
	command := h.unasked(c, order.On, causeOther(m.From), now)
	command.State = smartmeter.CommandSent
	o := other{command: command, id: order.ID, at: now, kept: h.keepMove(c, &command, now)}
	if len(n.history.others) == maxOthers {
		h.endOther(c, 0)
	}
	o.command = command
	n.history.others = append(n.history.others, o)
	return nil
}

// causeOther names the client where the broker tells. It chose its name itself.
func causeOther(from smartmeter.Identity) smartmeter.Cause {
	name := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, from.ClientID))
	if len(name) == 0 {
		return smartmeter.CauseExternal
	}
	return smartmeter.CauseExternal + ", by " + smartmeter.Cause(name[:min(len(name), 64)])
}

// unasked returns a movement that the hub did not ask for.
func (h *Hub) unasked(c *channel, on bool, cause smartmeter.Cause, now time.Time) smartmeter.Command {
	return smartmeter.Command{
		ID: rand.Text(), Device: c.device.ID, On: on, Cause: cause,
		AskedAt: h.at(now).wall, State: smartmeter.CommandAcknowledged,
	}
}

// hearPosition takes a relay's position as its node reports it now. The caller
// knows whether a command explains it.
func (h *Hub) hearPosition(c *channel, state smartmeter.RelayState, explained bool, now time.Time) {
	n := c.node
	before := n.relay
	n.relayHeard = true
	h.setRelay(n, state)
	if explained || before == smartmeter.RelayUnknown || before == state || c.erasing {
		return
	}
	h.endMove(c)
	n.history.moved = &movement{command: h.unasked(c, state == smartmeter.RelayOn, smartmeter.CauseNode, now), at: now}
	if !n.history.booted.IsZero() && now.Sub(n.history.booted) < powerUpWithin {
		n.history.moved.command.Cause = smartmeter.CausePowerUp
		h.endMove(c)
	}
}

// awaits reports whether a command that the node may have asks for a position.
func (n *node) awaits(on bool) bool {
	for _, p := range n.pending {
		if p.sent && p.command.On == on {
			return true
		}
	}
	return slices.ContainsFunc(n.history.others, func(o other) bool { return o.command.On == on })
}

// answerOther takes a node's answer to another client's command and reports
// whether it was that.
func (h *Hub) answerOther(c *channel, ack wire.CommandAck, now time.Time) bool {
	i := slices.IndexFunc(c.node.history.others, func(o other) bool { return o.id != "" && o.id == ack.ID })
	if i < 0 {
		return false
	}
	state := stateOf(ack.Result)
	h.settleOther(c, i, state, reasonOf(ack), now)
	return true
}

// answerTexts takes a relay's position for the answer to the commands that have
// no id and asked for it.
func (h *Hub) answerTexts(c *channel, on bool, now time.Time) {
	for i := len(c.node.history.others) - 1; i >= 0; i-- {
		if o := c.node.history.others[i]; o.id == "" && o.command.On == on {
			h.settleOther(c, i, smartmeter.CommandAcknowledged, "", now)
		}
	}
}

// settleOther ends another client's command.
func (h *Hub) settleOther(c *channel, i int, state smartmeter.CommandState, reason string, now time.Time) {
	o := c.node.history.others[i]
	c.node.history.others = slices.Delete(c.node.history.others, i, i+1)
	if !o.kept || c.erasing {
		return
	}
	if reason != "" && o.command.Reason != "" {
		reason += "; "
	}
	o.command.State, o.command.Reason = state, reason+o.command.Reason
	h.putMove(c, o.command, now)
}

// endOther ends another client's command that nobody answered, by where the
// relay is.
func (h *Hub) endOther(c *channel, i int) {
	o := &c.node.history.others[i]
	if c.node.relay == smartmeter.RelayStateOf(o.command.On) {
		h.settleOther(c, i, smartmeter.CommandAcknowledged, "", o.at)
		return
	}
	h.settleOther(c, i, smartmeter.CommandUnknown, "the node did not answer it, and its relay is "+c.node.relay.String(), o.at)
}

// endMove keeps a movement that has no explanation, or has all it gets.
func (h *Hub) endMove(c *channel) {
	m := c.node.history.moved
	if c.node.history.moved = nil; m != nil {
		h.keepMove(c, &m.command, m.at)
	}
}

// explainMoves gives up waiting for explanations and answers.
func (h *Hub) explainMoves(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.nodes {
		c := n.channels[0]
		if c == nil {
			continue
		}
		if m := n.history.moved; m != nil && now.Sub(m.at) >= explainWithin {
			h.endMove(c)
		}
		for len(n.history.others) > 0 && now.Sub(n.history.others[0].at) >= commandValid+commandGrace {
			h.endOther(c, 0)
		}
	}
}

// takeDeed takes what a node did with its relay by itself into the history,
// once however often it tells of it.
func (h *Hub) takeDeed(c *channel, e wire.NodeEvent, now time.Time) {
	cause, reason := deedOf(e)
	id := fmt.Sprintf("%s%08x-%d-%s", eventID, e.Boot, e.T, e.Kind)
	told := &c.node.history.told
	if cause == "" || slices.Contains(*told, id) {
		return
	}
	if *told = append(*told, id); len(*told) > maxTold {
		*told = slices.Delete(*told, 0, 1)
	}
	command := h.unasked(c, e.Relay == smartmeter.RelayOn, cause, now)
	command.ID, command.Reason = id, reason
	if at, known := c.node.clock.when(e.Boot, e.T, h.at(now)); known {
		command.AskedAt = at
	}
	switch cause {
	case smartmeter.CauseLease:
		command.Reason = c.node.whyEnded(e)
	case smartmeter.CauseProtection:
		command.On = false
		if e.Relay == smartmeter.RelayOn {
			command.State, command.Reason = smartmeter.CommandUnknown, reason+"; but its relay does not open"
		}
	}
	if m := c.node.history.moved; m != nil && m.command.On == command.On {
		c.node.history.moved = nil // this is why
	}
	h.keepMove(c, &command, now)
}

// eventID begins the ids of movements that a node told of in an event.
const eventID = "event-"

// deedOf says what a node did with its relay, and why; "" for events that are
// about something else.
func deedOf(e wire.NodeEvent) (cause smartmeter.Cause, reason string) {
	switch e.Kind {
	case wire.NodeOvercurrent:
		return smartmeter.CauseProtection, "cut off " + amperes(e.Current)
	case wire.NodeOverpower:
		return smartmeter.CauseProtection, "cut off " + watts(e.Power)
	case wire.NodeLeaseExpired:
		return smartmeter.CauseLease, ""
	case wire.NodeMaxOn:
		return smartmeter.CauseMaxOn, "it was on for as long as it may"
	case wire.NodeButton:
		return smartmeter.CauseButton, ""
	default:
		return "", ""
	}
}

// amperes and watts write a quantity for people, and "too much" where it was
// not told.
func amperes(i smartmeter.Milliamp) string {
	if i == 0 {
		return "too much current"
	}
	return fmt.Sprintf("%.1f A", float64(i)/1000)
}

func watts(p smartmeter.Deciwatt) string {
	if p == 0 {
		return "too much power"
	}
	if p < 100 {
		return fmt.Sprintf("%.1f W", float64(p)/10)
	}
	return fmt.Sprintf("%.0f W", float64(p)/10)
}
