package sim

import (
	"bytes"
	"fmt"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// sketch is a node of the first generation, as many are in the field: an ESP32
// with a program of a few pages. It is played with all its habits, for a hub
// has to live with them:
//   - It retains everything that it publishes, and publishes at QoS 0.
//   - It knows neither the time nor numbers for its samples, and measures
//     voltage, current and power only; the register goes out apart, in steps of
//     10 Wh.
//   - It cannot tell a retained message from a fresh one, and obeys both.
//   - It subscribes to its own relay/state and obeys it like a command. So it
//     finds its position again after a power cut, and so its own word from a
//     moment ago may move its relay back.
//   - It takes any interval.
type sketch struct {
	meter node.Meter
	link  node.Link
	relay *relay

	status, heartbeat, metrics, energy, state, commands, config string

	connected bool
	every     wire.LegacyConfig
	// When it last published, in milliseconds since boot.
	sampled, counted, beaten smartmeter.Millis

	payload [128]byte // where messages are put together
}

// How often a sketch publishes until it is told otherwise, in milliseconds.
const (
	sketchMetrics   smartmeter.Millis = 3000
	sketchEnergy    smartmeter.Millis = 60_000
	sketchHeartbeat smartmeter.Millis = 30_000
)

// newSketch returns a sketch whose relay is on, as someone left it.
func newSketch(topics wire.Topics, id smartmeter.NodeID, meter node.Meter, link node.Link, r *relay) *sketch {
	r.on = true
	of := func(kind wire.Kind) string { return topics.Topic(id, kind, 0) }
	return &sketch{
		meter: meter, link: link, relay: r,
		status:    of(wire.KindStatus),
		heartbeat: of(wire.KindHeartbeat),
		metrics:   of(wire.KindMetrics),
		energy:    of(wire.KindEnergy),
		state:     of(wire.KindRelayState),
		commands:  of(wire.KindRelayCommands),
		config:    of(wire.KindLegacyConfig),
		every:     wire.LegacyConfig{Metrics: sketchMetrics, Energy: sketchEnergy},
	}
}

// sketchID returns the id of the n-th sketch. Real ones take theirs from four of
// the six bytes of their address, of which three are the chip's maker.
func sketchID(n int) smartmeter.NodeID {
	maker := 0xc40a24 + n>>8
	return smartmeter.NodeID(fmt.Sprintf("ESP32-%02x%06x", n&0xff, maker))
}

// Will is what the broker publishes when the sketch is gone.
func (s *sketch) Will() smartmeter.Message {
	return smartmeter.Message{Topic: s.status, Payload: []byte(wire.Offline), QoS: 1, Retained: true}
}

// Subscriptions returns the topics that it listens to, its own state among them.
func (s *sketch) Subscriptions() []string { return []string{s.commands, s.state, s.config} }

// Connected says hello.
func (s *sketch) Connected(smartmeter.Millis) {
	s.connected = true
	s.publish(s.status, wire.AppendStatus(s.payload[:0], true))
	s.tellState()
}

// Disconnected ends all publishing.
func (s *sketch) Disconnected(smartmeter.Millis) { s.connected = false }

// Receive obeys, however old the message is.
func (s *sketch) Receive(_ smartmeter.Millis, topic string, payload []byte, _ bool) {
	switch topic {
	case s.commands:
		s.command(payload)
	case s.state:
		if on, err := wire.DecodeRelayState(payload); err == nil {
			s.relay.Set(on)
		}
	case s.config:
		s.configure(payload)
	}
}

// command moves the relay and says where it is.
func (s *sketch) command(payload []byte) {
	switch {
	case bytes.EqualFold(payload, []byte(wire.TextOn)):
		s.relay.Set(true)
	case bytes.EqualFold(payload, []byte(wire.TextOff)):
		s.relay.Set(false)
	default:
		return
	}
	s.tellState()
}

// configure takes the intervals that it is given.
func (s *sketch) configure(payload []byte) {
	wanted, err := wire.DecodeLegacyConfig(payload)
	if err != nil {
		return
	}
	if wanted.Metrics != 0 {
		s.every.Metrics = wanted.Metrics
	}
	if wanted.Energy != 0 {
		s.every.Energy = wanted.Energy
	}
}

// Step publishes what is due.
func (s *sketch) Step(t smartmeter.Millis, _ smartmeter.Instant) smartmeter.Millis {
	if isDue(&s.beaten, sketchHeartbeat, t) {
		s.publish(s.heartbeat, wire.AppendHeartbeat(s.payload[:0]))
	}
	sample, count := isDue(&s.sampled, s.every.Metrics, t), isDue(&s.counted, s.every.Energy, t)
	var m smartmeter.Measurement
	if (sample || count) && s.meter.Read(&m) == nil {
		if count {
			s.publish(s.energy, wire.AppendEnergy(s.payload[:0], m.Energy))
		}
		if sample {
			m.Has = smartmeter.Voltage | smartmeter.Current | smartmeter.Power
			s.publish(s.metrics, wire.AppendMetrics(s.payload[:0], &smartmeter.Sample{Measurement: m}))
		}
	}
	return min(s.beaten+sketchHeartbeat, s.sampled+s.every.Metrics, s.counted+s.every.Energy)
}

// isDue reports whether the interval has passed since the last time, and takes
// t for the last time if so.
func isDue(last *smartmeter.Millis, interval, t smartmeter.Millis) bool {
	if t-*last < interval {
		return false
	}
	*last = t
	return true
}

func (s *sketch) tellState() { s.publish(s.state, wire.AppendRelayState(s.payload[:0], s.relay.on)) }

// publish retains the message, and does not look whether it was taken.
func (s *sketch) publish(topic string, payload []byte) {
	if s.connected {
		s.link.Publish(topic, payload, 0, true)
	}
}
