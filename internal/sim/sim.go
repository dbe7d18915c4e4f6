// Package sim plays a household: meter nodes with appliances behind them, for
// demonstrations and for tests of everything above a node.
//
// What it simulates is the world around the nodes, and only that. Each device
// is the same node core that runs on real hardware. It reads a simulated
// PZEM-004T over a line of real frames, switches a simulated relay, and speaks
// to a real broker, or to whatever Config.Connect gives it. So a command, a
// configuration or a lost connection has the effect here that it has in the
// field. Only the nodes of the first generation, whose program is not ours, are
// played: see Config.Fielded.
//
// The world is a family that gets up, goes to work and comes home. What they do
// switches the appliances; a main meter in front of all measures the sum, and
// what nobody else measures. A house file may describe another household, see
// [ReadHousehold].
//
// The world is made of integers and moves in steps of one second. What is left
// to chance is a function of seed and time: equal seeds and starting times give
// equal days, byte for byte, on every machine, and the days before the start
// can be told as well ([House.History]). [House.Step] runs a day in seconds,
// [House.Run] in a day. One goroutine moves all devices, be they eight or eight
// hundred.
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
	// Household is what there is in each home; nil means [DefaultHousehold].
	Household *Household
	// Devices is how many appliances there are; 0 means one home's. When a
	// home's are used up, they begin again in the next home, which has mains and
	// people of its own. The main meter of each home comes on top.
	Devices int
	// Fielded is how many of them, from the last, hang on nodes of the first
	// generation, as many are in the field.
	Fielded int
	// Seed decides all that is left to chance.
	Seed uint64
	// Start is the time of day at which the simulation begins, in the zone
	// whose clock people live by. It must be given.
	Start time.Time
	// Interval is how often the nodes sample until a hub configures them: whole
	// seconds, from one second to one hour. 0 means 5 s.
	Interval time.Duration
	// Fast has Run go on to the next second as soon as all messages of the last
	// are taken. It is for load, not for history: the nodes then claim to know
	// no time of day, and a hub goes by when their messages arrive.
	Fast bool
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
// goroutine, where they do not say otherwise.
type House struct {
	start   time.Time
	sites   []*site
	homes   []*metered
	devices []*device
	inbox   *inbox
	log     *slog.Logger
	fast    bool
	// next is the first second that has not been simulated.
	next smartmeter.Millis
}

// metered is a home with its devices.
type metered struct {
	*home
	devices []*device
}

const second smartmeter.Millis = 1000

// New builds the house, as it is at the start, and begins to connect its nodes.
// Close it, or Run it to its end.
func New(c Config) (*House, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	h := &House{start: c.Start, sites: sitesOf(&c), inbox: newInbox(), log: c.Logger, fast: c.Fast}
	taken := map[smartmeter.NodeID]bool{}
	for _, s := range h.sites {
		h.homes = append(h.homes, &metered{home: s.at(c.Start.Unix())})
		for _, at := range s.places() {
			err := h.add(&c, at)
			if err == nil && taken[at.Node] {
				err = invalid("appliances", "the id "+string(at.Node)+" comes twice when they are repeated: choose other ids")
			}
			if err != nil {
				return nil, errors.Join(err, h.Close())
			}
			taken[at.Node] = true
		}
	}
	return h, nil
}

// complete checks a configuration and fills in what is left open.
func (c *Config) complete() error {
	if c.Start.IsZero() || c.Connect == nil || c.Logger == nil {
		return errors.New("sim: Start, Connect and Logger must be given")
	}
	if c.Household == nil {
		c.Household = DefaultHousehold()
	}
	var err error
	if c.Household, err = c.Household.completed(); err != nil {
		return err
	}
	if c.Devices == 0 {
		c.Devices = len(c.Household.Appliances)
	}
	if c.Devices < 0 || c.Fielded < 0 || c.Fielded > c.Devices {
		return errors.New("sim: there must be some devices, and at most all of them fielded")
	}
	if c.Interval == 0 {
		c.Interval = 5 * time.Second
	}
	if c.Interval%time.Second != 0 || c.Interval < time.Second || c.Interval > time.Hour {
		return errors.New("sim: the interval must be whole seconds, from 1s to 1h")
	}
	return nil
}

// add builds the device at a place of the last home, and begins to connect it.
func (h *House) add(c *Config, at place) error {
	d, err := newDevice(c, at)
	if err != nil {
		return err
	}
	home := h.homes[len(h.homes)-1]
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
// hub discovers. A main meter comes before those that it measures.
func (h *House) Devices() []smartmeter.Device {
	all := make([]smartmeter.Device, 0, len(h.devices))
	for _, d := range h.devices {
		all = append(all, d.Device)
	}
	return all
}

// Resume lets a node's meter go on from what it showed in an earlier life: a
// real one forgets nothing. It has an effect before the first step only.
func (h *House) Resume(node smartmeter.NodeID, register smartmeter.WattHour) {
	for _, d := range h.devices {
		if d.Node == node && h.next == 0 {
			d.module.resume(register)
		}
	}
}

// Transitions returns how often a node's relay has moved since the start. It
// may be called from any goroutine.
func (h *House) Transitions(node smartmeter.NodeID) uint64 {
	for _, d := range h.devices {
		if d.Node == node {
			return d.relay.moved.Load()
		}
	}
	return 0
}

// Step moves the world to t, the time since the start, and lets the nodes do
// what is due. What came in meanwhile is received before the next second
// begins, or at t if none does.
func (h *House) Step(t smartmeter.Millis) {
	for ; h.next <= t; h.next += second {
		h.receive(h.next)
		at := smartmeter.InstantOf(h.start) + smartmeter.Instant(h.next)
		if h.fast {
			at = 0
		}
		for _, home := range h.homes {
			home.second(h.next, at)
		}
	}
	h.receive(t)
}

// second lets the second that begins at t pass in a home, and its nodes do what
// is due then.
func (m *metered) second(t smartmeter.Millis, at smartmeter.Instant) {
	for _, d := range m.devices {
		if d.outlet != mainPlace {
			m.outlets[d.outlet].off = !d.relay.on
		}
	}
	m.home.second()
	for _, d := range m.devices {
		d.module.measure(&m.now, m.loadAt(d.outlet))
		if t >= d.due {
			d.due = d.core.Step(t, at)
		}
	}
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

// Run moves the world until ctx ends, in real time unless Config.Fast is set,
// and closes the house then.
func (h *House) Run(ctx context.Context) error {
	h.log.Info("simulating", "devices", len(h.devices))
	if h.fast {
		h.hurry(ctx)
		return h.Close()
	}
	begin := time.Now()
	h.gather(ctx, time.After(patience))
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
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

// patience is for how long a house waits for its nodes to be connected, so that
// the first thing that they measure is heard.
const patience = 500 * time.Millisecond

// hurry moves the world as fast as its messages are taken, until ctx ends.
// While a node has no connection, time stands still.
func (h *House) hurry(ctx context.Context) {
	for _, d := range h.devices {
		d.insist = ctx.Done()
	}
	for ctx.Err() == nil {
		h.gather(ctx, nil)
		h.Step(h.next)
	}
}

// gather waits until all nodes are connected, but no longer than until ctx or
// time is up.
func (h *House) gather(ctx context.Context, timeUp <-chan time.Time) {
	for !h.allLinked() {
		h.receive(h.next)
		select {
		case <-ctx.Done():
			return
		case <-timeUp:
			return
		case <-h.inbox.arrived:
		}
	}
}

func (h *House) allLinked() bool {
	for _, d := range h.devices {
		if !d.linked.Load() {
			return false
		}
	}
	return true
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
