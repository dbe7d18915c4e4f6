package node

import (
	"strconv"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// The intervals that a node takes, in milliseconds: 1 s to 1 h.
const (
	MinInterval smartmeter.Millis = 1000
	MaxInterval smartmeter.Millis = 3_600_000
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
	if err != nil || saved == nil {
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
	n.pending |= pendingInfo // it tells the revision
	if n.relay != nil {
		n.savePosition()
	}
}

// saveConfig keeps a configuration across power cuts.
func (n *Node) saveConfig(c *wire.Config) error {
	if n.settings == nil {
		return nil
	}
	n.trouble = n.settings.Save(SavedConfig, wire.AppendConfig(n.payload[:0], c))
	return n.trouble
}

// objection returns what the node cannot honour in a configuration, and why;
// "" if it can honour all of it. A limit that is accepted and then not watched
// would be worse than none.
func (n *Node) objection(c *wire.Config) (field, reason string) {
	for _, interval := range [...]struct {
		field string
		value smartmeter.Millis
	}{{"metrics", c.Metrics}, {"energy", c.Energy}, {"heartbeat", c.Heartbeat}} {
		if reason := outside(interval.value, MinInterval, MaxInterval); reason != "" {
			return interval.field, reason
		}
	}
	switch c.Relay.PowerUp {
	case wire.PositionOff, wire.PositionOn, wire.PositionLast:
	default:
		return "relay.power_up", "not off, on or last"
	}
	if c.Relay.PowerUp == wire.PositionLast && n.settings == nil {
		return "relay.power_up", "this node keeps nothing across power cuts"
	}
	if c.Relay.Fallback != wire.PositionOff {
		return "relay.fallback", notSupported
	}
	return unsupported(c)
}

const notSupported = "not supported"

// unsupported returns the first limit that is set: the node has none yet.
func unsupported(c *wire.Config) (field, reason string) {
	for _, limit := range [...]struct {
		field string
		set   bool
	}{
		{"relay.min_on_s", c.Relay.MinOn != 0},
		{"relay.min_off_s", c.Relay.MinOff != 0},
		{"relay.max_on_s", c.Relay.MaxOn != 0},
		{"relay.max_switches_per_min", c.Relay.MaxSwitchesPerMin != 0},
		{"limits.current_ma", c.Limits.Current != 0},
		{"limits.power_dw", c.Limits.Power != 0},
	} {
		if limit.set {
			return limit.field, notSupported
		}
	}
	return "", ""
}

// outside returns "" if low <= value <= high, else the reason to refuse it.
func outside(value, low, high smartmeter.Millis) string {
	switch {
	case value < low:
		return "below " + strconv.FormatInt(int64(low), 10)
	case value > high:
		return "above " + strconv.FormatInt(int64(high), 10)
	default:
		return ""
	}
}
