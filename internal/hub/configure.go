package hub

import (
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// configAgain is how often a node that is there is told a configuration that it
// has not answered.
const configAgain = 30 * time.Second

// configuring is how far a node's configuration has come.
type configuring struct {
	rev     uint32 // that it was told last
	toldAt  time.Time
	refused *wire.ConfigAck // the node's last word if that was no
}

// configure tells nodes what they are to be configured to, as long as they say
// that it is something else.
func (h *Hub) configure(now time.Time) {
	for _, m := range h.configurations(now) {
		if err := h.bus.Publish(m); err != nil {
			h.log.Debug("a configuration is not on its way; it comes again", "topic", m.Topic, "err", err)
		}
	}
}

func (h *Hub) configurations(now time.Time) (due []smartmeter.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.nodes {
		c := n.channels[0]
		if c == nil || !n.online || c.erasing || c.configured().State != smartmeter.ConfigSent {
			continue
		}
		if n.config.rev == c.device.Settings.Rev && now.Sub(n.config.toldAt) < configAgain {
			continue
		}
		n.config = configuring{rev: c.device.Settings.Rev, toldAt: now}
		due = append(due, h.configuration(c))
		h.events.publish(smartmeter.EventDevice, c.status(), nil)
	}
	return due
}

// configuration returns what a node is told, in the form that it understands.
func (h *Hub) configuration(c *channel) smartmeter.Message {
	s := EffectiveSettings(c.device)
	m := smartmeter.Message{QoS: 1}
	if c.node.info != nil {
		config := configOf(s)
		m.Topic, m.Payload = h.topics.Topic(c.node.id, wire.KindConfig, 0), wire.AppendConfig(nil, &config)
		return m
	}
	var legacy wire.LegacyConfig
	if s.Metrics != nil {
		legacy.Metrics = *s.Metrics
	}
	if s.Energy != nil {
		legacy.Energy = *s.Energy
	}
	m.Topic, m.Payload = h.topics.Topic(c.node.id, wire.KindLegacyConfig, 0), wire.AppendLegacyConfig(nil, legacy)
	return m
}

// configured says how far a device's settings have come. The caller holds mu.
func (c *channel) configured() smartmeter.Configured {
	n, rev := c.node, c.device.Settings.Rev
	told := n.config.rev == rev
	state := smartmeter.ConfigSent
	switch {
	case rev == 0 || c.device.Channel != 0:
		state = smartmeter.ConfigNone
	case n.info != nil && n.info.ConfigRev == rev:
		state = smartmeter.ConfigInForce
	case told && n.config.refused != nil:
		return smartmeter.Configured{State: smartmeter.ConfigRefused, Field: apiField(n.config.refused.Field), Reason: n.config.refused.Reason}
	case n.info == nil && !n.numbered && c.device.Settings.Metrics == nil && c.device.Settings.Energy == nil:
		state = smartmeter.ConfigNone // nothing that such a node knows
	case n.info == nil && !n.numbered && told:
		state = smartmeter.ConfigTold
	case !n.online || n.info == nil && n.numbered:
		state = smartmeter.ConfigWaiting
	}
	return smartmeter.Configured{State: state}
}

// takeConfigAck takes a node's answer to a configuration.
func (h *Hub) takeConfigAck(c *channel, ack wire.ConfigAck, _ time.Time) {
	n := c.node
	if ack.Rev == 0 || ack.Rev != n.config.rev {
		return // another client's
	}
	if ack.OK && n.info != nil { // it says the same in its next info
		info := *n.info
		info.ConfigRev = ack.Rev
		n.info = &info
	}
	n.config.refused = nil
	if !ack.OK {
		n.config.refused = &ack
	}
	h.events.publish(smartmeter.EventDevice, c.status(), nil)
}

// reconfigure has a node that is there anew told its configuration at once. The
// caller holds mu.
func (n *node) reconfigure() { n.config = configuring{} }
