package hub

import (
	"errors"
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
	case addr.Kind == wire.KindRelayCommands && !m.Retained:
		err = h.overhear(addr.Node, m, time.Now())
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
	if len(payload) == 0 {
		return nil
	}
	if addr.Kind != wire.KindInfo && addr.Kind != wire.KindRelayState {
		return readable(addr.Kind, payload)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.admits(addr.Node) {
		return errTooMany
	}
	if addr.Kind == wire.KindInfo {
		info, err := wire.DecodeInfo(payload)
		if err == nil { // what it is; what its clock showed is from long ago
			n := h.addNode(addr.Node)
			n.introduced(info)
			h.greet(n)
		}
		return err
	}
	on, err := wire.DecodeRelayState(payload)
	if err == nil {
		h.setRelay(h.addNode(addr.Node), smartmeter.RelayStateOf(on))
	}
	return err
}

// hear takes what a node says now.
func (h *Hub) hear(addr wire.Address, payload []byte, now time.Time) error {
	said := statement{h, addr, payload, now}
	switch addr.Kind {
	case wire.KindMetrics:
		return understand(said, decodeSample, h.takeSample)
	case wire.KindEnergy:
		return understand(said, wire.DecodeEnergy, h.takeEnergy)
	case wire.KindBacklog:
		return h.hearBacklog(said)
	case wire.KindStatus:
		return h.hearStatus(said)
	case wire.KindHeartbeat:
		return understand(said, decodeHeartbeat, nothingMore)
	case wire.KindInfo:
		return understand(said, wire.DecodeInfo, h.takeInfo)
	case wire.KindEvent:
		return understand(said, wire.DecodeEvent, h.takeEvent)
	case wire.KindRelayState:
		return understand(said, wire.DecodeRelayState, h.takeRelayState)
	case wire.KindRelayAck:
		return understand(said, wire.DecodeCommandAck, h.takeRelayAck)
	case wire.KindConfigAck:
		return understand(said, wire.DecodeConfigAck, h.takeConfigAck)
	default:
		return nil
	}
}

// statement is one message of a node.
type statement struct {
	hub     *Hub
	addr    wire.Address
	payload []byte
	now     time.Time
}

// understand decodes a statement and, if it makes sense, takes it for a sign of
// life and lets take act on the channel that it is about. take holds mu.
func understand[T any](s statement, decode func([]byte) (T, error), take func(*channel, T, time.Time)) error {
	content, err := decode(s.payload)
	if err != nil {
		return err
	}
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	c, err := s.hub.heard(s.addr, s.now)
	if err != nil {
		return err
	}
	take(c, content, s.now)
	return nil
}

func decodeSample(payload []byte) (s smartmeter.Sample, err error) {
	err = wire.DecodeMetrics(payload, &s)
	return s, err
}

func decodeHeartbeat(payload []byte) (struct{}, error) {
	return struct{}{}, wire.DecodeHeartbeat(payload)
}

func nothingMore[T any](*channel, T, time.Time) {}

// takeSample turns a sample into a reading, shows it if it is fresh and keeps
// it.
func (h *Hub) takeSample(c *channel, s smartmeter.Sample, now time.Time) {
	arrival := h.at(now)
	r := c.read(s, arrival)
	if c.isNews(r, arrival.wall) {
		h.show(c, r)
	}
	h.noteMeasured(c)
	h.keep(h.save(r, s.At, arrival))
	h.noteLost(c, s)
}

// isNews reports whether a reading is fresh and newer than what is shown. A
// reading from the future is old news: a clock was set back.
func (c *channel) isNews(r smartmeter.Reading, now smartmeter.Instant) bool {
	fresh := now-r.At < smartmeter.Instant(freshFor.Milliseconds())
	return fresh && (c.latest == nil || r.At >= c.latest.At || c.latest.At > now+clockTolerance)
}

// takeEnergy takes the register of a node that sends it apart. The samples of
// others carry it to the Wh.
func (h *Hub) takeEnergy(c *channel, register smartmeter.WattHour, now time.Time) {
	if c.node.info == nil && !c.node.numbered {
		h.takeSample(c, smartmeter.Sample{Measurement: smartmeter.Measurement{Has: smartmeter.Energy, Energy: register}}, now)
	}
}

// hearBacklog takes samples from before a connection was lost. They feed the
// history alone. One that cannot be placed in time is refused: a guess would
// be worse than a gap.
func (h *Hub) hearBacklog(said statement) error {
	samples, refused := wire.DecodeBacklog(said.payload, nil)
	if len(samples) == 0 {
		return refused
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.heard(said.addr, said.now)
	if err != nil {
		return err
	}
	now := h.at(said.now)
	var kept []error // one for each reading, nil if the store took it
	for _, s := range samples {
		at, known := c.node.clock.placeOld(s, now)
		switch {
		case s.Seq == 0 || s.Implausible() != 0: // refused says so
		case !known:
			refused = errNoTime
			h.abandon(c, s)
		default:
			h.noteMeasured(c)
			kept = append(kept, h.save(c.reading(s, at, smartmeter.ByNode), s.At, now))
		}
	}
	if len(kept) > 0 {
		h.keep(errors.Join(kept...))
		h.noteBoots(c, samples)
	}
	return refused
}

// noteBoots takes what a backlog says of the boots that it is of: the last
// sample of each tells which of them the node has lost.
func (h *Hub) noteBoots(c *channel, samples []smartmeter.Sample) {
	for i, s := range samples {
		if s.Seq != 0 && (i+1 == len(samples) || samples[i+1].Boot != s.Boot) {
			h.noteLost(c, s)
			h.repeatAck(c, s.Boot)
		}
	}
}

// read places a sample that was just measured in time.
func (c *channel) read(s smartmeter.Sample, arrival moment) smartmeter.Reading {
	if s.Seq == 0 {
		return c.reading(s, arrival.wall, smartmeter.ByArrival)
	}
	c.node.numbered = true
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
// goodbye, which is no sign of life.
func (h *Hub) hearStatus(said statement) error {
	online, err := wire.DecodeStatus(said.payload)
	if err != nil || online {
		return understand(said, wire.DecodeStatus, func(c *channel, _ bool, _ time.Time) { c.node.reconfigure() })
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if n := h.nodes[said.addr.Node]; n != nil && n.online {
		h.setOnline(n, false)
	}
	return nil
}

func (h *Hub) takeInfo(c *channel, info wire.Info, now time.Time) {
	c.node.clock.hear(info.Boot, info.T, h.at(now))
	if before := c.node.info; before != nil && before.Boot != info.Boot {
		c.node.history.booted = now
	}
	had := c.hasRelay()
	c.node.introduced(info)
	c.node.reconfigure()
	h.repeatAcks(c.node)
	if c.hasRelay() != had {
		h.events.publish(smartmeter.EventRelay, c.status(), nil)
	}
	if c.hasRelay() {
		h.persist(c)
	}
}

func (h *Hub) takeEvent(c *channel, e wire.NodeEvent, now time.Time) {
	switch e.Kind {
	case wire.NodeMeterSilent:
		h.setSilent(c, true)
	case wire.NodeMeterBack:
		h.setSilent(c, false)
	}
	if c.hasRelay() {
		h.takeDeed(c, e, now)
		h.noteCutOff(c, e)
	}
	if e.Relay != smartmeter.RelayUnknown {
		h.setRelay(c.node, e.Relay)
	}
}
