package node

import (
	"strconv"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// DefaultConfig is in force until another is accepted.
func DefaultConfig() wire.Config {
	return wire.Config{
		Metrics:   5000,
		Energy:    60_000,
		Heartbeat: 30_000,
		Relay:     wire.RelayConfig{PowerUp: wire.PositionOff, Fallback: wire.PositionOff},
	}
}

// loadConfig takes up the configuration that was kept. One that cannot be read
// counts as none: with revision 0 the hub sends it again.
func (n *Node) loadConfig() {
	n.conf = DefaultConfig()
	if n.settings == nil {
		return
	}
	saved, err := n.settings.Load(SavedConfig)
	if err != nil || len(saved) == 0 {
		n.trouble = err
		return
	}
	kept := n.conf
	if err := wire.DecodeConfig(saved, &kept); err != nil {
		n.trouble = err
		return
	}
	if field, reason := n.objection(&kept); reason != "" {
		n.trouble = smartmeter.NewError(smartmeter.Invalid, field, reason)
		return
	}
	n.conf = kept
}

// overlaid returns c with the intervals that a fielded message gives.
func overlaid(c wire.Config, legacy wire.LegacyConfig) wire.Config {
	if legacy.Metrics != 0 {
		c.Metrics = legacy.Metrics
	}
	if legacy.Energy != 0 {
		c.Energy = legacy.Energy
	}
	return c
}

// receiveConfig takes up a configuration, or says what is wrong with it.
func (n *Node) receiveConfig(t smartmeter.Millis, payload []byte) error {
	wanted := n.conf
	if err := wire.DecodeConfig(payload, &wanted); err != nil {
		return err
	}
	ack := wire.ConfigAck{Rev: wanted.Rev}
	if wanted.Rev == 0 {
		ack.Field, ack.Reason = "rev", "below 1"
	} else {
		ack.Field, ack.Reason = n.configure(t, &wanted)
	}
	n.answerConfig(t, ack)
	return nil
}

// receiveLegacyConfig takes up the fielded form. It leaves the revision as it
// is and is answered with revision 0, for it is not the hub's own.
func (n *Node) receiveLegacyConfig(t smartmeter.Millis, payload []byte) error {
	legacy, err := wire.DecodeLegacyConfig(payload)
	if err != nil && err != wire.OutOfRange {
		return err
	}
	var ack wire.ConfigAck
	if err == nil {
		wanted := overlaid(n.conf, legacy)
		ack.Field, ack.Reason = n.configure(t, &wanted)
	} else {
		ack.Reason = "below " + strconv.FormatInt(int64(MinInterval), 10)
	}
	n.answerConfig(t, ack)
	return nil
}

// answerConfig publishes what became of a configuration: it was accepted if
// there is no reason against it.
func (n *Node) answerConfig(t smartmeter.Millis, ack wire.ConfigAck) {
	ack.OK = ack.Reason == ""
	n.link.Publish(n.topics.configAck, wire.AppendConfigAck(n.payload[:0], &ack), 1, false)
	n.publishPending(t)
}

// configure puts a configuration in force if the node can honour and keep it.
// Otherwise it returns why not, and the field in question, if it is one.
func (n *Node) configure(t smartmeter.Millis, wanted *wire.Config) (field, reason string) {
	if field, reason := n.objection(wanted); reason != "" {
		return field, reason
	}
	if *wanted == n.conf { // sent again: spare the memory, and the rhythm
		return "", ""
	}
	if err := n.saveConfig(wanted); err != nil {
		return "", shorten("cannot be kept: " + err.Error())
	}
	n.apply(t, wanted)
	return "", ""
}

// apply puts an accepted configuration in force.
func (n *Node) apply(t smartmeter.Millis, wanted *wire.Config) {
	n.conf = *wanted
	n.due.sample = t + n.conf.Metrics
	n.due.energy = t + n.conf.Energy
	n.due.heartbeat = t + n.conf.Heartbeat
	n.due.watch = t
	n.pending |= pendingInfo // it tells the revision
	n.savePosition()
}

// saveConfig keeps a configuration across power cuts.
func (n *Node) saveConfig(c *wire.Config) error {
	if n.settings == nil {
		return nil
	}
	n.trouble = n.settings.Save(SavedConfig, wire.AppendConfig(n.payload[:0], c))
	return n.trouble
}
