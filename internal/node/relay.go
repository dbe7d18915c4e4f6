package node

import (
	"strconv"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// MaxSwitches is the most that a configuration may allow per minute.
const MaxSwitches = 60

// relayRetry is the wait after the relay could not be moved.
const relayRetry smartmeter.Millis = 500

// contact is the relay's history, as far as it decides what may happen next.
type contact struct {
	// since is when it moved last. At first that is the boot: how long it had
	// been off before, nobody knows.
	since smartmeter.Millis
	// moves are the times of the last movements, a ring with the next at count.
	moves [MaxSwitches]smartmeter.Millis
	count int
	// lease is when an ON ends that nobody renews, 0 for never.
	lease smartmeter.Millis
	// resting is set after a power-up that belongs on, while the load has not
	// had its minimum off-time for certain.
	resting bool
}

// moved notes a movement.
func (c *contact) moved(t smartmeter.Millis) {
	c.since = t
	c.moves[c.count%MaxSwitches] = t
	c.count++
}

// within returns when the limit-th movement from the last was; ok is false if
// there were fewer.
func (c *contact) within(limit int32) (t smartmeter.Millis, ok bool) {
	if limit == 0 || c.count < int(limit) {
		return 0, false
	}
	return c.moves[(c.count-int(limit))%MaxSwitches], true
}

// on reports whether the load has power.
func (n *Node) on() bool { return n.position == smartmeter.RelayOn }

// switchTo sets the relay and sees to it that its position is published. An ON
// lasts until lease, or for ever if that is 0.
func (n *Node) switchTo(t smartmeter.Millis, on bool, lease smartmeter.Millis) error {
	if err := n.relay.Set(on); err != nil {
		return err
	}
	if on != n.on() {
		n.contact.moved(t)
		n.protection.forget()
	}
	if !on {
		lease = 0
	}
	n.position = smartmeter.RelayStateOf(on)
	n.contact.lease, n.contact.resting = lease, false
	n.savePosition()
	n.pending |= pendingRelay
	return nil
}

// objectionToOn returns why the relay must not be switched on at t, "" if it
// may. That it is on already needs no reason.
func (n *Node) objectionToOn(t smartmeter.Millis) string {
	c := &n.conf.Relay
	last, many := n.contact.within(c.MaxSwitchesPerMin)
	switch {
	case n.protection.latched():
		return "cut off by its own protection: reset that first"
	case n.on():
		return ""
	case t < n.contact.since+millisOf(c.MinOff):
		return "must stay off for another " + secondsText(n.contact.since+millisOf(c.MinOff)-t)
	case many && t < last+msPerMinute:
		return "switched too often: wait another " + secondsText(last+msPerMinute-t)
	default:
		return ""
	}
}

// objectionToOff returns why the relay must not be switched off at t by a
// command that can be answered, "" if it may.
func (n *Node) objectionToOff(t smartmeter.Millis) string {
	if until := n.contact.since + millisOf(n.conf.Relay.MinOn); n.on() && t < until {
		return "must stay on for another " + secondsText(until-t)
	}
	return ""
}

// millisOf converts seconds.
func millisOf(s wire.Seconds) smartmeter.Millis { return smartmeter.Millis(s) * 1000 }

// secondsText rounds up, so that who waits so long waits long enough.
func secondsText(d smartmeter.Millis) string {
	return strconv.FormatInt(int64(d+999)/1000, 10) + " s"
}

// powerUp sets the relay to where it belongs after power-up. A load with a
// minimum off-time stays off for so long first: the power may have been gone
// for a second only.
func (n *Node) powerUp() error {
	if n.relay == nil {
		return nil
	}
	n.loadCutOff()
	on := n.conf.Relay.PowerUp == wire.PositionOn
	if n.conf.Relay.PowerUp == wire.PositionLast {
		on = n.loadPosition()
	}
	on = on && !n.protection.latched()
	n.contact.resting = on && n.conf.Relay.MinOff > 0
	on = on && !n.contact.resting
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
	if err == nil {
		n.saved = smartmeter.RelayStateOf(on)
	}
	return err == nil && on
}

// savePosition keeps the position where the configuration asks for it. An ON
// with a lease is kept as what follows it: no lease outlives its boot. That it
// could not be kept is no reason not to switch.
func (n *Node) savePosition() {
	if n.relay == nil || n.settings == nil || n.conf.Relay.PowerUp != wire.PositionLast {
		return
	}
	on := n.on() || n.contact.resting
	if n.contact.lease != 0 {
		on = n.conf.Relay.Fallback == wire.PositionOn
	}
	if n.saved == smartmeter.RelayStateOf(on) {
		return // said again: spare the memory
	}
	n.trouble = n.settings.Save(SavedRelay, wire.AppendRelayState(n.payload[:0], on))
	if n.saved = smartmeter.RelayUnknown; n.trouble == nil {
		n.saved = smartmeter.RelayStateOf(on)
	}
}
