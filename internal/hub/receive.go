package hub

import (
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// receive is the way of everything that nodes say. It runs on the publisher's
// time, so it never waits: the store takes writes into memory, and watchers
// that cannot keep up are let go.
func (h *Hub) receive(m smartmeter.Message) {
	addr, err := h.topics.Parse(m.Topic)
	switch {
	case err != nil:
	case addr.Kind.ToNode() || addr.Kind == wire.KindThresholdAlert:
		return // what hubs and people say to nodes, not what a node says
	case m.Retained:
		err = h.recall(addr, m.Payload)
	default:
		err = h.hear(addr, m.Payload, time.Now())
	}
	if err != nil {
		h.refused.add(addr.Node, err, m, time.Now())
	}
}

// recall takes what the broker had kept from before we listened. It is no sign
// of life and no sample: only what a node is and where its relay stood.
func (h *Hub) recall(addr wire.Address, payload []byte) error {
	if addr.Kind != wire.KindInfo && addr.Kind != wire.KindRelayState {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	n := h.nodes[addr.Node]
	if n == nil || len(payload) == 0 {
		return nil
	}
	if addr.Kind == wire.KindInfo {
		return n.introduce(payload)
	}
	on, err := wire.DecodeRelayState(payload)
	if err == nil {
		h.setRelay(n, smartmeter.RelayStateOf(on))
	}
	return err
}

// hear takes what a node says now.
func (h *Hub) hear(addr wire.Address, payload []byte, now time.Time) error {
	switch addr.Kind {
	case wire.KindMetrics:
		return h.hearMetrics(addr, payload, now)
	case wire.KindBacklog:
		return h.hearBacklog(addr, payload, now)
	case wire.KindEnergy:
		return h.hearEnergy(addr, payload, now)
	case wire.KindStatus:
		return h.hearStatus(addr, payload, now)
	case wire.KindHeartbeat:
		return h.hearHeartbeat(addr, payload, now)
	case wire.KindRelayState:
		return h.hearRelayState(addr, payload, now)
	case wire.KindRelayAck:
		return h.hearRelayAck(addr, payload, now)
	case wire.KindInfo:
		return h.hearInfo(addr, payload, now)
	case wire.KindEvent:
		return h.hearEvent(addr, payload, now)
	case wire.KindConfigAck:
		_, err := wire.DecodeConfigAck(payload) // nothing here configures nodes yet
		return err
	default:
		return nil
	}
}

func (h *Hub) hearMetrics(addr wire.Address, payload []byte, now time.Time) error {
	var s smartmeter.Sample
	if err := wire.DecodeMetrics(payload, &s); err != nil {
		return err
	}
	return h.take(addr, s, now)
}

// hearBacklog takes samples from before a connection was lost. They feed the
// history alone. One that cannot be placed in time is refused: a guess would
// be worse than a gap.
func (h *Hub) hearBacklog(addr wire.Address, payload []byte, now time.Time) error {
	samples, refused := wire.DecodeBacklog(payload, nil)
	if len(samples) == 0 {
		return refused
	}
	h.mu.Lock()
	c, err := h.heard(addr, now)
	if err != nil {
		h.mu.Unlock()
		return err
	}
	readings := make([]smartmeter.Reading, 0, len(samples))
	for _, s := range samples {
		at, known := c.node.clock.placeOld(s, smartmeter.InstantOf(now))
		switch {
		case s.Seq == 0 || s.Implausible() != 0: // refused says so
		case !known:
			refused = errNoTime
		default:
			readings = append(readings, c.reading(s, at, smartmeter.ByNode))
		}
	}
	h.mu.Unlock()
	h.keep(h.store.AppendReadings(readings...))
	return refused
}

// hearEnergy takes the register of a node that sends it apart.
func (h *Hub) hearEnergy(addr wire.Address, payload []byte, now time.Time) error {
	energy, err := wire.DecodeEnergy(payload)
	if err != nil {
		return err
	}
	h.mu.Lock()
	n := h.nodes[addr.Node]
	finer := n != nil && n.info != nil // its samples carry the register to the Wh
	h.mu.Unlock()
	if finer {
		return nil
	}
	register := smartmeter.Measurement{Has: smartmeter.Energy, Energy: energy}
	return h.take(addr, smartmeter.Sample{Measurement: register}, now)
}

// take turns a sample into a reading, shows it if it is fresh and keeps it.
func (h *Hub) take(addr wire.Address, s smartmeter.Sample, now time.Time) error {
	h.mu.Lock()
	c, err := h.heard(addr, now)
	if err != nil {
		h.mu.Unlock()
		return err
	}
	r := c.read(s, smartmeter.InstantOf(now))
	age := now.Sub(r.At.Time())
	if newest := c.latest == nil || r.At >= c.latest.At; newest && age < freshFor {
		h.show(c, r)
	}
	h.mu.Unlock()
	h.keep(h.store.AppendReadings(r))
	return nil
}

// read places a sample that was just measured in time.
func (c *channel) read(s smartmeter.Sample, arrival smartmeter.Instant) smartmeter.Reading {
	if s.Seq == 0 {
		return c.reading(s, arrival, smartmeter.ByArrival)
	}
	return c.reading(s, c.node.clock.place(s, arrival), smartmeter.ByNode)
}

func (c *channel) reading(s smartmeter.Sample, at smartmeter.Instant, timing smartmeter.Timing) smartmeter.Reading {
	return smartmeter.Reading{
		Node:        c.node.id,
		Channel:     c.device.Channel,
		At:          at,
		Timing:      timing,
		Boot:        s.Boot,
		Seq:         s.Seq,
		Measurement: s.Measurement,
	}
}

// hearStatus takes Online, and Offline from the last will or a node that says
// goodbye.
func (h *Hub) hearStatus(addr wire.Address, payload []byte, now time.Time) error {
	online, err := wire.DecodeStatus(payload)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if online {
		_, err := h.heard(addr, now)
		return err
	}
	if n := h.nodes[addr.Node]; n != nil && n.online {
		h.setOnline(n, false)
	}
	return nil
}

func (h *Hub) hearHeartbeat(addr wire.Address, payload []byte, now time.Time) error {
	if err := wire.DecodeHeartbeat(payload); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := h.heard(addr, now)
	return err
}

func (h *Hub) hearInfo(addr wire.Address, payload []byte, now time.Time) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	info, err := wire.DecodeInfo(payload)
	if err != nil {
		return err
	}
	c, err := h.heard(addr, now)
	if err != nil {
		return err
	}
	c.node.info = &info
	c.node.clock.hear(info.Boot, info.T, smartmeter.InstantOf(now))
	return nil
}

// introduce takes an info that may be from long ago: what the node is, not
// what its clock shows.
func (n *node) introduce(payload []byte) error {
	info, err := wire.DecodeInfo(payload)
	if err == nil {
		n.info = &info
	}
	return err
}

func (h *Hub) hearEvent(addr wire.Address, payload []byte, now time.Time) error {
	e, err := wire.DecodeEvent(payload)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.heard(addr, now)
	if err != nil {
		return err
	}
	switch e.Kind {
	case wire.NodeMeterSilent, wire.NodeMeterBack:
		c.node.silent = e.Kind == wire.NodeMeterSilent
		h.events.publish(smartmeter.EventDevice, c.status(), nil)
	}
	if e.Relay != smartmeter.RelayUnknown {
		h.setRelay(c.node, e.Relay)
	}
	return nil
}
