package hub

import (
	"slices"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/alert"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// node is the live picture of one node. The hub's mu guards it.
type node struct {
	id       smartmeter.NodeID
	online   bool
	lastSeen time.Time
	info     *wire.Info // nil: protocol 0
	caps     []string   // as info has them
	clock    bootClock
	silent   bool // the meter does not answer
	numbered bool // it numbers its samples, so it is no node of protocol 0
	relay    smartmeter.RelayState
	channels map[uint8]*channel

	requests    uint64                      // how many commands were asked for, by anybody
	asked       [maxValidCommands]time.Time // when the last ones with an id were
	places      uint64                      // how many those were
	pending     map[string]*pending         // commands without an answer, by id
	lastCommand *smartmeter.Command
	wanted      bool  // a person has moved its relay through the hub
	deaf        int   // commands in a row that it left without an answer
	relayHeard  bool  // the node itself has said where its relay is
	lease       lease // of the ON that the node acknowledged last
	granted     lease // the same, also when that is over
	history     history
	config      configuring
	resets      map[string]chan wire.CommandAck // without an answer, by id
}

// channel is the live picture of one metering input and its device.
type channel struct {
	node    *node
	device  smartmeter.Device
	erasing bool // nothing more is taken
	// The node has said that it has no samples of lostBoot below lostBelow.
	lostBoot  smartmeter.BootID
	lostBelow uint32
	// stored says that the store has the device, measured that it has readings
	// of it.
	stored, measured bool
	latest           *smartmeter.Reading
	verdict          verdict
	watch            alert.Relay
	pace             readingPace
	// lastPower is when power was last measured, interval how long after the
	// time before that.
	lastPower smartmeter.Instant
	interval  smartmeter.Millis
}

func (h *Hub) addNode(id smartmeter.NodeID) *node {
	n := h.nodes[id]
	if n == nil {
		id = smartmeter.NodeID(strings.Clone(string(id))) // it may be part of a longer topic
		n = &node{id: id, channels: make(map[uint8]*channel), pending: make(map[string]*pending), resets: make(map[string]chan wire.CommandAck)}
		h.nodes[id] = n
	}
	return n
}

// introduced notes what a node says that it is.
func (n *node) introduced(info wire.Info) {
	n.info, n.caps = &info, make([]string, len(info.Caps))
	for i, c := range info.Caps {
		n.caps[i] = string(c)
	}
}

func (h *Hub) addChannel(n *node, d smartmeter.Device) *channel {
	c := &channel{node: n, device: d}
	n.channels[d.Channel] = c
	h.devices[d.ID] = c
	return c
}

// heard notes a sign of life of a node and returns it, or the refusal when
// there are too many. A node that is new gets its device.
func (h *Hub) heard(addr wire.Address, now time.Time) (*channel, error) {
	if addr.Channel >= maxChannels || !h.admits(addr.Node) {
		return nil, errTooMany
	}
	n := h.addNode(addr.Node)
	c := n.channels[addr.Channel]
	if c == nil {
		c = h.addChannel(n, h.newDevice(n.id, addr.Channel))
		h.log.Info("met a new device", "device", c.device.ID, "node", n.id, "channel", addr.Channel)
	}
	if c.erasing {
		return nil, errErasing
	}
	n.lastSeen = now
	if !n.online {
		h.setOnline(n, true)
	}
	return c, nil
}

func (h *Hub) newDevice(id smartmeter.NodeID, ch uint8) smartmeter.Device {
	device := smartmeter.DefaultDeviceID(id, ch)
	d, described := h.describe(device)
	if !described {
		d.Name, d.Kind = string(device), smartmeter.Generic
	}
	d.ID, d.Node, d.Channel = device, id, ch
	return d
}

// setOnline changes what is said of a node's presence, and tells.
func (h *Hub) setOnline(n *node, online bool) {
	n.online = online
	if !online {
		n.silent = false
		n.clock = bootClock{}
		for _, c := range n.channels {
			c.lastPower = 0 // the pause is no interval
			c.watch.Pause()
		}
	}
	for _, c := range n.channels {
		h.events.publish(smartmeter.EventDevice, c.status(), nil)
	}
}

// setRelay notes a relay's position as its node reports it, and tells.
func (h *Hub) setRelay(n *node, state smartmeter.RelayState) {
	if n.relay == state {
		return
	}
	n.relay = state
	if c := n.channels[0]; c != nil {
		h.events.publish(smartmeter.EventRelay, c.status(), nil)
	}
}

// setSilent notes whether a node's meter answers, and tells.
func (h *Hub) setSilent(c *channel, silent bool) {
	if c.node.silent != silent {
		c.node.silent = silent
		c.watch.Pause()
		h.events.publish(smartmeter.EventDevice, c.status(), nil)
	}
}

// show makes r the newest reading of the live picture, and tells.
func (h *Hub) show(c *channel, r smartmeter.Reading) {
	if r.Has.Has(smartmeter.Voltage) {
		h.setSilent(c, false) // it speaks, whether or not we heard that it is back
	}
	latest := r.After(c.latest)
	c.latest = &latest
	if r.Has.Has(smartmeter.Power) {
		if apart := smartmeter.Millis(r.At - c.lastPower); c.lastPower != 0 && apart > 0 {
			c.interval = apart
		}
		c.lastPower = r.At
	}
	h.judgeWatts(c, r)
	h.watchRelay(c, r)
	h.events.publishReading(c)
}

// status returns all that is known of a device now.
func (c *channel) status() smartmeter.DeviceStatus {
	n := c.node
	s := smartmeter.DeviceStatus{
		Device:      c.device,
		Online:      n.online,
		MeterSilent: n.silent,
		Latest:      c.latest, // replaced, never changed
		Interval:    c.interval,
	}
	if !n.lastSeen.IsZero() {
		s.LastSeen = smartmeter.InstantOf(n.lastSeen)
	}
	s.Relay.State = smartmeter.RelayNone
	if c.hasRelay() {
		s.Relay = smartmeter.Relay{State: n.relay, Command: n.lastCommand}
		if n.relay != smartmeter.RelayOff {
			s.Relay.Lease, s.Relay.OffAt = n.lease.shown()
		}
	}
	if n.info != nil {
		s.Protocol, s.Caps = n.info.Proto, n.caps
	}
	s.Configured = c.configured()
	return s
}

// hasRelay reports whether a device can be switched: a node's relay belongs to
// its first channel, and protocol 0 does not tell, so its nodes have one.
func (c *channel) hasRelay() bool {
	info := c.node.info
	return c.device.Channel == 0 && (info == nil || info.Has(wire.CapRelay))
}

// Devices returns all devices, by room and name.
func (h *Hub) Devices() []smartmeter.DeviceStatus {
	h.mu.Lock()
	all := make([]smartmeter.DeviceStatus, 0, len(h.devices))
	for _, c := range h.devices {
		all = append(all, c.status())
	}
	h.mu.Unlock()
	for i := range all {
		all[i].Refused = h.refused.of(all[i].Node)
	}
	slices.SortFunc(all, func(a, b smartmeter.DeviceStatus) int {
		return strings.Compare(a.Room+"\x00"+a.Name+"\x00"+string(a.ID), b.Room+"\x00"+b.Name+"\x00"+string(b.ID))
	})
	return all
}

// Device returns one device.
func (h *Hub) Device(id smartmeter.DeviceID) (smartmeter.DeviceStatus, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(id)
	if err != nil {
		return smartmeter.DeviceStatus{}, err
	}
	s := c.status()
	s.Refused = h.refused.of(s.Node)
	return s, nil
}
