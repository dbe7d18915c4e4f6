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

// receiveCommand obeys a command, or says why not.
func (n *Node) receiveCommand(t smartmeter.Millis, payload []byte) error {
	command, err := wire.DecodeCommand(payload)
	if err != nil {
		return err
	}
	if command.Text { // the fielded form: no id, so relay/state is the answer
		n.obey(&command)
	} else {
		n.answer(n.decide(t, &command))
	}
	n.publishPending(t)
	return nil
}

// decide obeys or refuses a command and returns the answer to it.
func (n *Node) decide(t smartmeter.Millis, c *wire.Command) wire.CommandAck {
	ack := wire.CommandAck{ID: c.ID, Result: wire.ResultRejected}
	done, found := n.commands.find(c.ID)
	switch {
	case done:
		ack.Result = wire.ResultDuplicate
	case found:
		ack.Reason = "refused before"
	case c.Boot != n.boot:
		ack.Result, ack.Reason = wire.ResultExpired, "meant for another boot"
	case t >= c.BeforeT:
		ack.Result, ack.Reason = wire.ResultExpired, "came too late"
	default:
		ack.Reason = n.obey(c)
		if ack.Reason == "" {
			ack.Result = wire.ResultDone
		}
		n.commands.remember(c.ID, ack.Result == wire.ResultDone)
	}
	ack.State = n.position
	return ack
}

// obey moves the relay and returns "", or why it cannot.
func (n *Node) obey(c *wire.Command) string {
	if n.relay == nil {
		return "this node has no relay"
	}
	if c.On && c.LeaseUntilT != 0 {
		return "this node has no leases"
	}
	if err := n.switchTo(c.On); err != nil {
		return shorten("the relay failed: " + err.Error())
	}
	return ""
}

// answer publishes what became of a command. An answer that is not taken is
// not repeated: the hub asks again, or learns it from relay/state.
func (n *Node) answer(ack wire.CommandAck) {
	n.link.Publish(n.topics.relayAck, wire.AppendCommandAck(n.payload[:0], &ack), 1, false)
}

// switchTo sets the relay and sees to it that its position is published.
func (n *Node) switchTo(on bool) error {
	if err := n.relay.Set(on); err != nil {
		return err
	}
	n.position = smartmeter.RelayStateOf(on)
	n.savePosition()
	n.pending |= pendingRelay
	return nil
}

// powerUp sets the relay to where it belongs after power-up.
func (n *Node) powerUp() error {
	if n.relay == nil {
		return nil
	}
	on := n.conf.Relay.PowerUp == wire.PositionOn
	if n.conf.Relay.PowerUp == wire.PositionLast {
		on = n.loadPosition()
	}
	if err := n.relay.Set(on); err != nil {
		return &smartmeter.Error{Code: smartmeter.Unavailable, Field: "relay", Message: "it cannot be set after power-up", Err: err}
	}
	n.position = smartmeter.RelayStateOf(on)
	return nil
}

// loadPosition returns where the relay was last; off if nobody knows.
func (n *Node) loadPosition() bool {
	saved, err := n.settings.Load(SavedRelay)
	if err != nil {
		n.trouble = err
		return false
	}
	on, err := wire.DecodeRelayState(saved)
	return err == nil && on
}

// savePosition keeps the position where the configuration asks for it. That it
// could not be kept is no reason not to switch.
func (n *Node) savePosition() {
	if n.settings == nil || n.conf.Relay.PowerUp != wire.PositionLast {
		return
	}
	on := n.position == smartmeter.RelayOn
	n.trouble = n.settings.Save(SavedRelay, wire.AppendRelayState(n.payload[:0], on))
}
