package sim

import (
	"encoding/binary"
	"hash/fnv"
	"sync/atomic"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// device is one meter of the house, with the node that reads it and switches
// what is behind it.
type device struct {
	place
	module *module
	relay  relay
	core   core
	due    smartmeter.Millis // when the core wants to be stepped
	link   Link              // nil until the device is connected
	// linked is whether the link works.
	linked atomic.Bool
	// insist has Publish wait until the link takes a message, while this
	// channel is open and the link works; nil has it wait for nothing.
	insist <-chan struct{}
}

// core is what makes a node of a meter, a relay and a link: a *node.Node, or a
// *sketch.
type core interface {
	Will() smartmeter.Message
	Subscriptions() []string
	Connected(t smartmeter.Millis)
	Disconnected(t smartmeter.Millis)
	Receive(t smartmeter.Millis, topic string, payload []byte, retained bool)
	Step(t smartmeter.Millis, at smartmeter.Instant) smartmeter.Millis
}

// newDevice builds a device, not connected yet.
func newDevice(c *Config, at place) (*device, error) {
	d := &device{place: at}
	var err error
	if d.module, err = newModule(at); err != nil {
		return nil, err
	}
	master, err := pzem.NewMaster(d.module.slave, moduleAddress)
	if err != nil {
		return nil, err
	}
	if at.fielded {
		d.core = newSketch(c.Topics, d.Node, master, d, &d.relay)
		return d, nil
	}
	of := node.Config{
		ID:       d.Node,
		Boot:     bootOf(c.Seed, c.Start, d.Node),
		Topics:   c.Topics,
		Meter:    master,
		Link:     d,
		Settings: delivered(c.Interval),
		Firmware: "simulated",
		Model:    "sim",
	}
	if at.outlet != mainPlace {
		of.Relay = &d.relay
	}
	d.core, err = node.New(of)
	d.relay.moved.Store(0) // to where it belongs after power-up is no transition
	return d, err
}

// Publish is the core's way out, before there is a link, too.
func (d *device) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	if d.link == nil {
		return false
	}
	for !d.link.Publish(topic, payload, qos, retained) {
		if !d.patient() {
			return false
		}
	}
	return true
}

// patient reports, after a moment, whether to offer a message again.
func (d *device) patient() bool {
	if d.insist == nil || !d.linked.Load() {
		return false
	}
	select {
	case <-d.insist:
		return false
	case <-time.After(time.Millisecond):
		return true
	}
}

// relay is the simulated switch between meter and load.
type relay struct {
	on    bool
	moved atomic.Uint64
	// watch is told of every movement; nil for nobody.
	watch func(on bool)
}

// Set moves the relay.
func (r *relay) Set(on bool) error {
	moves := on != r.on
	r.on = on
	if moves {
		r.moved.Add(1)
	}
	if moves && r.watch != nil {
		r.watch(on)
	}
	return nil
}

// settings is a node's memory while the simulation lives.
type settings map[string][]byte

// delivered returns the settings that a node comes with: the relay on, as
// someone left it, so that there is something to see.
func delivered(interval time.Duration) settings {
	c := node.DefaultConfig()
	c.Metrics = smartmeter.Millis(interval.Milliseconds())
	c.Relay.PowerUp = wire.PositionLast
	return settings{
		node.SavedConfig: wire.AppendConfig(nil, &c),
		node.SavedRelay:  wire.AppendRelayState(nil, true),
	}
}

// Load returns what was saved.
func (s settings) Load(name string) ([]byte, error) { return s[name], nil }

// Save keeps data.
func (s settings) Save(name string, data []byte) error {
	s[name] = append([]byte(nil), data...)
	return nil
}

// Erase forgets everything.
func (s settings) Erase() error {
	clear(s)
	return nil
}

// bootOf returns a boot id that differs between simulations begun at different
// times, though seed and node be the same: their samples are different ones.
func bootOf(seed uint64, start time.Time, id smartmeter.NodeID) smartmeter.BootID {
	h := fnv.New32a()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], seed)
	binary.BigEndian.PutUint64(b[8:], uint64(start.UnixNano()))
	h.Write(b[:])
	h.Write([]byte(id))
	return max(smartmeter.BootID(h.Sum32())&^pastFlag, 1) // 0 is no boot id
}
