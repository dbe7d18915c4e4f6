package node

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// topics are the node's own, spelled once.
type topics struct {
	status, heartbeat, info  string
	metrics, energy, backlog string
	relayState, relayAck     string
	configAck, event         string
	commands, config, legacy string
	acknowledgement          string
	lease, reset             string
}

// topicsOf spells the topics of node id.
func topicsOf(spelling wire.Topics, id smartmeter.NodeID) topics {
	of := func(kind wire.Kind) string { return spelling.Topic(id, kind, 0) }
	return topics{
		status:          of(wire.KindStatus),
		heartbeat:       of(wire.KindHeartbeat),
		info:            of(wire.KindInfo),
		metrics:         of(wire.KindMetrics),
		energy:          of(wire.KindEnergy),
		backlog:         of(wire.KindBacklog),
		relayState:      of(wire.KindRelayState),
		relayAck:        of(wire.KindRelayAck),
		configAck:       of(wire.KindConfigAck),
		event:           of(wire.KindEvent),
		commands:        of(wire.KindRelayCommands),
		config:          of(wire.KindConfig),
		legacy:          of(wire.KindLegacyConfig),
		acknowledgement: of(wire.KindAck),
		lease:           of(wire.KindRelayLease),
		reset:           of(wire.KindProtectionReset),
	}
}

// pending is the set of messages that the hub must get sooner or later.
type pending uint8

const (
	pendingOnline pending = 1 << iota
	pendingInfo
	pendingRelay
	pendingMeter  // that the meter fell silent, or is back
	pendingCutOff // that the node cut off, until a person resets it
	pendingEvents // what else happened
)

// Will is what the broker shall publish when the node is gone, and what a node
// that leaves in good order publishes itself.
func (n *Node) Will() smartmeter.Message {
	return smartmeter.Message{Topic: n.topics.status, Payload: []byte(wire.Offline), QoS: 1, Retained: true}
}

// Subscriptions returns the topics to subscribe to, with QoS 1, at every
// connect. The node's own relay/state is not among them.
func (n *Node) Subscriptions() []string {
	return []string{n.topics.commands, n.topics.config, n.topics.legacy, n.topics.acknowledgement, n.topics.lease, n.topics.reset}
}

// Connected tells the node that the link works, with subscriptions made. It
// introduces itself.
func (n *Node) Connected(t smartmeter.Millis) {
	n.connected = true
	n.pending |= pendingOnline | pendingInfo
	if n.relay != nil {
		n.pending |= pendingRelay
	}
	n.tellTrouble()
	n.due.energy, n.due.heartbeat = t, t
	_, kept := n.buffer.Bounds()
	n.rewind(t, kept)
	n.out.patience = resendAfter
	// Nodes that return together do not send in step.
	n.due.backlog = t + backlogWait + smartmeter.Millis(n.boot)%n.out.pause
	n.publishPending(t)
}

// tellTrouble has what is wrong told once more: who listens now may not have
// heard.
func (n *Node) tellTrouble() {
	if n.metering.silent {
		n.pending |= pendingMeter
	}
	if n.protection.latched() {
		n.pending |= pendingCutOff
	}
}

// Disconnected tells the node that the link is down. It goes on sampling.
func (n *Node) Disconnected(smartmeter.Millis) {
	n.connected = false
	n.metering.wanted &^= wantEnergy
}

// beat publishes a heartbeat if it is due.
func (n *Node) beat(t smartmeter.Millis) {
	if t < n.due.heartbeat {
		return
	}
	n.due.heartbeat = following(n.due.heartbeat, n.conf.Heartbeat, t)
	n.link.Publish(n.topics.heartbeat, wire.AppendHeartbeat(n.payload[:0]), 0, false)
}

// publishPending publishes what is pending, and stops at the first message
// that is not taken.
func (n *Node) publishPending(t smartmeter.Millis) {
	n.due.retry = t + linkRetry
	for what := pendingOnline; what <= pendingEvents && n.connected; what <<= 1 {
		if n.pending&what == 0 {
			continue
		}
		if !n.publish(what, t) {
			return
		}
		n.pending &^= what
	}
}

// publish publishes one pending message as it reads now, and reports whether
// it was taken.
func (n *Node) publish(what pending, t smartmeter.Millis) bool {
	switch what {
	case pendingOnline:
		return n.link.Publish(n.topics.status, wire.AppendStatus(n.payload[:0], true), 1, true)
	case pendingInfo:
		info := n.info(t)
		return n.link.Publish(n.topics.info, wire.AppendInfo(n.payload[:0], &info), 1, true)
	case pendingRelay:
		on := n.position == smartmeter.RelayOn
		return n.link.Publish(n.topics.relayState, wire.AppendRelayState(n.payload[:0], on), 1, true)
	case pendingMeter:
		event := wire.NodeEvent{Kind: wire.NodeMeterBack, Boot: n.boot, T: n.metering.changedAt}
		if n.metering.silent {
			event.Kind = wire.NodeMeterSilent
		}
		return n.publishEvent(&event)
	case pendingCutOff:
		return n.publishEvent(&n.protection.cutOff)
	default:
		return n.publishEvents()
	}
}

// info is how the node introduces itself.
func (n *Node) info(t smartmeter.Millis) wire.Info {
	return wire.Info{
		Proto:     wire.Protocol,
		Firmware:  n.firmware,
		Model:     n.model,
		Boot:      n.boot,
		T:         t,
		ConfigRev: n.conf.Rev,
		Caps:      n.caps(),
		Channels:  1,
	}
}

// caps returns what the node announces: what it honours.
func (n *Node) caps() []wire.Capability {
	if n.relay == nil {
		return []wire.Capability{wire.CapBacklog}
	}
	return []wire.Capability{wire.CapBacklog, wire.CapRelay, wire.CapLease, wire.CapLimits}
}
