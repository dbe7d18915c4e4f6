package node

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// remembered is how many command ids a node remembers.
const remembered = 16

// commandLog holds the ids of the last commands that were decided, so that a
// repetition changes nothing.
type commandLog struct {
	decided [remembered]struct {
		id   string
		done bool
	}
	next int
}

// remember notes the decision about a command.
func (l *commandLog) remember(id string, done bool) {
	l.decided[l.next].id, l.decided[l.next].done = id, done
	l.next = (l.next + 1) % remembered
}

// find returns the earlier decision about a command, if there was one.
func (l *commandLog) find(id string) (done, found bool) {
	for i := range l.decided {
		if l.decided[i].id == id {
			return l.decided[i].done, true
		}
	}
	return false, false
}

// order is what makes a command expire, and known again.
type order struct {
	id      string
	boot    smartmeter.BootID
	beforeT smartmeter.Millis
}

// receiveCommand obeys a command, or says why not.
func (n *Node) receiveCommand(t smartmeter.Millis, payload []byte) error {
	command, err := wire.DecodeCommand(payload)
	if err != nil {
		return err
	}
	if command.Text {
		n.obeyText(t, command.On)
	} else {
		n.answer(n.decide(t, order{command.ID, command.Boot, command.BeforeT}, func() string { return n.obey(t, &command) }))
	}
	n.publishPending(t)
	return nil
}

// decide obeys or refuses an order and returns the answer to it. obey returns
// "", or why it cannot be done.
func (n *Node) decide(t smartmeter.Millis, o order, obey func() string) wire.CommandAck {
	ack := wire.CommandAck{ID: o.id, Result: wire.ResultRejected}
	done, found := n.commands.find(o.id)
	switch {
	case done:
		ack.Result = wire.ResultDuplicate
	case found:
		ack.Reason = "refused before"
	case o.boot != n.boot:
		ack.Result, ack.Reason = wire.ResultExpired, "meant for another boot"
	case t >= o.beforeT:
		ack.Result, ack.Reason = wire.ResultExpired, "came too late"
	default:
		ack.Reason = obey()
		if ack.Reason == "" {
			ack.Result = wire.ResultDone
		}
		n.commands.remember(o.id, ack.Result == wire.ResultDone)
	}
	ack.State = n.position
	return ack
}

// obey moves the relay and returns "", or why it does not.
func (n *Node) obey(t smartmeter.Millis, c *wire.Command) string {
	switch {
	case n.relay == nil:
		return "this node has no relay"
	case !c.On:
		if reason := n.objectionToOff(t); reason != "" {
			return reason
		}
	case c.LeaseUntilT != 0 && t >= c.LeaseUntilT:
		return "its lease is over"
	default:
		if reason := n.objectionToOn(t); reason != "" {
			return reason
		}
	}
	if err := n.switchTo(t, c.On, c.LeaseUntilT); err != nil {
		n.counts.RelayFailed++
		return shorten("the relay failed: " + err.Error())
	}
	return ""
}

// obeyText obeys the fielded form. It has no id, so relay/state is the answer,
// in any case. Its OFF is a person's last resort, and not even a minimum time
// on stands in its way.
func (n *Node) obeyText(t smartmeter.Millis, on bool) {
	if n.relay == nil {
		return
	}
	n.pending |= pendingRelay
	if on && n.objectionToOn(t) != "" {
		return
	}
	if err := n.switchTo(t, on, 0); err != nil {
		n.counts.RelayFailed++
	}
}

// answer publishes what became of a command. An answer that is not taken is
// not repeated: the hub asks again, or learns it from relay/state.
func (n *Node) answer(ack wire.CommandAck) {
	n.link.Publish(n.topics.relayAck, wire.AppendCommandAck(n.payload[:0], &ack), 1, false)
}
