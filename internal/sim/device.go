package sim

import (
	"encoding/binary"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// device is one appliance on one outlet, with the node that meters and
// switches it.
type device struct {
	smartmeter.Device
	appliance Appliance
	rand      *rand.Rand
	relay     relay
	meter     *meter
	core      *node.Node
	due       smartmeter.Millis // when the core wants to be stepped
	link      Link              // nil until the device is connected
}

// newDevice builds device n of the house, not connected yet.
func newDevice(c *Config, n int) (*device, error) {
	d := &device{Device: describe(n)}
	d.rand = random(c.Seed, string(d.Node))
	d.appliance = roster[n%len(roster)].build(d.rand)
	var err error
	if d.meter, err = newMeter(); err != nil {
		return nil, err
	}
	master, err := pzem.NewMaster(d.meter.module, moduleAddress)
	if err != nil {
		return nil, err
	}
	d.core, err = node.New(node.Config{
		ID:       d.Node,
		Boot:     bootOf(c.Seed, c.Start, d.Node),
		Topics:   c.Topics,
		Meter:    master,
		Link:     d,
		Relay:    &d.relay,
		Settings: delivered(c.Interval),
		Firmware: "simulated",
		Model:    "sim",
	})
	return d, err
}

// describe returns the name and place of device n.
func describe(n int) smartmeter.Device {
	d := roster[n%len(roster)].device
	if again := n / len(roster); again > 0 {
		suffix := strconv.Itoa(again + 1)
		d.Node += smartmeter.NodeID("-" + suffix)
		d.Name += " " + suffix
	}
	d.ID = smartmeter.DefaultDeviceID(d.Node, 0)
	return d
}

// Publish is the core's way out, before there is a link, too.
func (d *device) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	return d.link != nil && d.link.Publish(topic, payload, qos, retained)
}

// draw lets a second pass at the outlet and returns the current drawn.
func (d *device) draw(now *Moment) smartmeter.Milliamp {
	now.Powered = d.relay.on
	now.Rand = d.rand
	load := d.appliance.Second(now)
	if !d.relay.on {
		load = Load{}
	}
	return d.meter.measure(now, load)
}

// relay is the simulated switch between meter and load.
type relay struct{ on bool }

// Set moves the relay.
func (r *relay) Set(on bool) error {
	r.on = on
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

// random returns a source of chance that belongs to name alone, so that no
// device's day depends on which others there are.
func random(seed uint64, name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
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
	return smartmeter.BootID(max(h.Sum32(), 1)) // 0 is no boot id
}
