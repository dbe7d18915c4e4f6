// Package sim plays a household: meter nodes with appliances behind them, for
// demonstrations and for tests of everything above a node.
//
// What it simulates is the world around the nodes, and only that. Each device
// is the same node core that runs on real hardware. It reads a simulated
// PZEM-004T over a line of real frames, switches a simulated relay, and speaks
// to a real broker, or to whatever Config.Connect gives it. So a command, a
// configuration or a lost connection has the effect here that it has in the
// field.
//
// The world is made of integers and moves in steps of one second of virtual
// time. Equal seeds and starting times give equal days, byte for byte, on
// every machine; [House.Step] runs a day in seconds, [House.Run] in a day. One
// goroutine moves all devices, be they eight or eight hundred.
//
// It is no model of a grid or of a building. Numbers are plausible, not
// measured: a fridge cycles, a kettle boils at breakfast, the voltage sags when
// the heater comes on.
package sim

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// Config is what a House is made of.
type Config struct {
	// Devices is how many there are, from 1. After each eight the appliances
	// repeat in the next household, with mains of its own.
	Devices int
	// Seed decides all that is left to chance.
	Seed uint64
	// Start is the time of day at which the simulation begins, in the zone
	// whose clock people live by. It must be given.
	Start time.Time
	// Interval is how often the nodes sample until a hub configures them: whole
	// seconds, from one second to one hour. 0 means 5 s.
	Interval time.Duration
	// Topics is how topics are spelled; the zero value is the fielded form.
	Topics wire.Topics
	// Connect connects one node, see Link. It must not be nil.
	Connect func(Peer) (Link, error)
	// Logger must not be nil.
	Logger *slog.Logger
}

// Link is one node's connection to its broker. Whoever made it keeps it up:
// connects again when it is lost, subscribes again, and tells the Peer. Making
// it must not wait for the broker.
type Link interface {
	node.Link
	// Close leaves in good order: it publishes the peer's will, sends what is
	// queued, and returns soon whatever the broker does.
	Close() error
}

// House is all simulated devices. Make one with New; its methods are for one
// goroutine.
type House struct {
	start      time.Time
	households []*household
	devices    []*device
	inbox      *inbox
	log        *slog.Logger
	// next is the first second that has not been simulated.
	next smartmeter.Millis
}

const second smartmeter.Millis = 1000

// New builds the house and begins to connect its nodes. Close it, or Run it to
// its end.
func New(c Config) (*House, error) {
	if c.Devices < 1 || c.Start.IsZero() || c.Connect == nil || c.Logger == nil {
		return nil, errors.New("sim: Devices, Start, Connect and Logger must be given")
	}
	if c.Interval == 0 {
		c.Interval = 5 * time.Second
	}
	if c.Interval%time.Second != 0 || c.Interval < time.Second || c.Interval > time.Hour {
		return nil, errors.New("sim: the interval must be whole seconds, from 1s to 1h")
	}
	h := &House{start: c.Start, inbox: newInbox(), log: c.Logger}
	for n := range c.Devices {
		if n%len(roster) == 0 {
			h.households = append(h.households, newHousehold(c.Seed, n/len(roster)))
		}
		if err := h.add(&c, n); err != nil {
			return nil, errors.Join(err, h.Close())
		}
	}
	return h, nil
}

// add builds device n and begins to connect it.
func (h *House) add(c *Config, n int) error {
	d, err := newDevice(c, n)
	if err != nil {
		return err
	}
	home := h.households[len(h.households)-1]
	home.devices = append(home.devices, d)
	h.devices = append(h.devices, d)
	link, err := c.Connect(Peer{d, h.inbox})
	if err != nil {
		return err // what link is then is of no use
	}
	d.link = link
	return nil
}

// Devices describes the simulated devices, for whoever gives names to what a
// hub discovers.
func (h *House) Devices() []smartmeter.Device {
	all := make([]smartmeter.Device, 0, len(h.devices))
	for _, d := range h.devices {
		all = append(all, d.Device)
	}
	return all
}

// Step moves the world to t, the time since the start, and lets the nodes do
// what is due. What came in meanwhile is received before the next second
// begins, or at t if none does.
func (h *House) Step(t smartmeter.Millis) {
	for ; h.next <= t; h.next += second {
		h.receive(h.next)
		now := h.start.Add(time.Duration(h.next) * time.Millisecond)
		for _, home := range h.households {
			home.second(h.next, now)
		}
	}
	h.receive(t)
}

// receive lets happen at t what connections said.
func (h *House) receive(t smartmeter.Millis) {
	for _, e := range h.inbox.take() {
		e.happen(t)
	}
	if lost := h.inbox.lost(); lost > 0 {
		h.log.Warn("messages came in faster than they were received", "lost", lost)
	}
}

// Run moves the world in real time until ctx ends, and closes the house then.
func (h *House) Run(ctx context.Context) error {
	begin := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	h.log.Info("simulating", "devices", len(h.devices))
	for {
		h.Step(smartmeter.Millis(time.Since(begin).Milliseconds()))
		select {
		case <-ctx.Done():
			return h.Close()
		case <-tick.C:
		case <-h.inbox.arrived:
		}
	}
}

// Close closes all connections, all at the same time, for each may take a
// moment.
func (h *House) Close() error {
	var wg sync.WaitGroup
	failed := make([]error, len(h.devices))
	for i, d := range h.devices {
		if d.link != nil {
			wg.Go(func() { failed[i] = d.link.Close() })
		}
	}
	wg.Wait()
	return errors.Join(failed...)
}
