package sim_test

import (
	"context"
	"flag"
	"fmt"
	"hash"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

var (
	campaignSeed     = flag.Uint64("commands.seed", 1, "replays the campaign of commands with this seed")
	campaignCommands = flag.Int("commands", 50_000, "how many commands the campaign of commands gives")
)

// maxDrift is how wrong the nodes' clocks run at most, in millionths.
const maxDrift = 100

// campaign is a hub, a broker and some nodes in one world of faults, and people
// who ask for too much. What can be drawn is drawn from one seed.
type campaign struct {
	tally
	t      *testing.T
	seed   uint64
	agenda *sim.Agenda
	broker *sim.Broker
	people *rand.Rand
	judges []*judge
	book   *book
	given  int // commands that the hub took
	asked  int
	wall   atomic.Int64 // how wrong the hub's clock is, in ns

	hub     *hub.Hub        // nil while it is dead
	life    context.Context // of this hub
	killHub func()
	over    bool // nobody does anything any more
	ended   time.Duration

	noting sync.Mutex // for the digest

	mu     sync.Mutex
	told   int // answers, refusals among them
	digest hash.Hash64
	failed bool
}

// TestCommandsCampaign gives random commands to nodes behind faulty links, and
// kills what can be killed.
func TestCommandsCampaign(t *testing.T) {
	commands := *campaignCommands
	if testing.Short() { // the race detector takes its time
		commands = min(commands, 2000)
	}
	t.Logf("-commands.seed=%d -commands=%d", *campaignSeed, commands)
	c := runCampaign(t, *campaignSeed, commands)
	t.Logf("%d commands in %v of virtual time, digest %x: %+v", c.given, c.lasted().Round(time.Minute), c.digest.Sum64(), c.tally)
	for what, n := range map[string]int{
		"leases that ended": c.leaseEnds, "cut-offs": c.protected, "power cuts": c.powerCuts, "retained commands": c.retained,
		"duplicates": c.duplicates, "stale commands": c.stale, "late renewals": c.lateRenewal, "pieces of history": c.segments,
	} {
		if n < c.given/5000 {
			t.Errorf("only %d %s: the campaign was too quiet", n, what)
		}
	}
}

// runCampaign gives so many commands, and waits until all is quiet.
func runCampaign(t *testing.T, seed uint64, commands int) *campaign {
	cryptotest.SetGlobalRandom(t, seed) // the hub draws ids from there
	c := &campaign{t: t, seed: seed, people: rand.New(rand.NewPCG(seed, 1)), digest: fnv.New64a()}
	synctest.Test(t, func(t *testing.T) {
		c.t = t
		c.begin()
		for c.given < commands && !c.failed {
			c.agenda.Run(c.agenda.Now() + time.Minute)
			c.book.open(false)
		}
		c.end()
	})
	c.t = t
	return c
}

// begin builds the world.
func (c *campaign) begin() {
	c.agenda = sim.NewAgenda(c.settle)
	c.broker = sim.NewBroker(c.agenda)
	c.book = newBook(c)
	for i := range 16 {
		c.judges = append(c.judges, c.newJudge(i))
	}
	c.startHub()
	for _, j := range c.judges {
		c.check(j.PowerOn())
	}
	c.agenda.Run(30 * time.Second)
	c.agenda.After(time.Second, c.act)
}

// settle lets everybody come to rest. What they have done is ours to look at then,
// and what we did is theirs.
func (c *campaign) settle() {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
}

// newJudge builds the i-th node: each is another kind of trouble.
func (c *campaign) newJudge(i int) *judge {
	j := &judge{world: c, obeyed: make(map[string]bool), replays: make(map[string]bool)}
	conf := node.DefaultConfig()
	conf.Metrics = 10_000
	conf.Heartbeat = 30_000
	conf.Limits = wire.Limits{Current: 16_000, Hold: 500}
	links := []sim.Faults{sim.Hostile, sim.Hostile, sim.Wireless, sim.Wired}
	of := sim.StationConfig{
		ID: smartmeter.NodeID(fmt.Sprintf("n%d", i)), Seed: c.seed, Faults: links[i%len(links)],
		Drift: c.people.Int64N(2*maxDrift+1) - maxDrift, Witness: j.see, Load: load(3000),
	}
	switch i {
	case 3, 7: // one on a good line, one on a bad one
		of.ID, of.Fielded = smartmeter.NodeID(fmt.Sprintf("ESP32-%d", i)), true
		of.Faults = map[int]sim.Faults{3: sim.Wired, 7: sim.Wireless}[i]
	case 4:
		conf.Relay.PowerUp = wire.PositionLast
	case 5:
		conf.Relay.PowerUp = wire.PositionOn
	case 6:
		conf.Relay.MinOff, conf.Relay.MaxSwitchesPerMin = 5, 6
	case 8:
		conf.Relay.MinOn, conf.Relay.MaxOn = 3, 120
	case 9:
		of.Wall = func() smartmeter.Instant { return smartmeter.InstantOf(time.Now().Add(-72 * time.Hour)) }
	}
	of.Node = conf
	j.policy = conf.Relay.PowerUp == wire.PositionOn
	var err error
	j.Station, err = c.broker.NewStation(of)
	c.check(err)
	return j
}

// load is what draws so much current.
func load(current smartmeter.Milliamp) smartmeter.Measurement {
	return smartmeter.Measurement{Voltage: 2300, Current: current, Power: smartmeter.Deciwatt(current * 23 / 10), Frequency: 500, PowerFactor: 100}
}

// startHub starts a hub that knows what the disk knows.
func (c *campaign) startHub() {
	ctx, cancel := context.WithCancel(c.t.Context())
	h, err := hub.New(ctx, hub.Config{
		Bus: spiedBus{c.broker.Connect(), c}, Store: openBook{book: c.book, ctx: ctx}, Logger: slog.New(slog.DiscardHandler),
		Clock: hub.Clock{Wall: func() time.Time { return time.Now().Add(time.Duration(c.wall.Load())) }},
	})
	c.check(err)
	c.check(h.Start())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	c.hub, c.life, c.killHub = h, ctx, func() {
		c.broker.Disconnect()
		cancel()
		c.check(<-ended)
		c.settle() // whoever waited for it hears so now
		c.hub = nil
		c.book.lost()
	}
}

// spiedBus is the hub's bus, with an ear for what it says to nodes.
type spiedBus struct {
	*sim.Session
	world *campaign
}

// Publish notes when leases are renewed, and takes no command that is retained.
func (b spiedBus) Publish(m smartmeter.Message) error {
	if m.Retained {
		b.world.fail("the hub retains %s %s", m.Topic, m.Payload)
	}
	for _, j := range b.world.judges {
		if m.Topic == "dev/"+string(j.ID)+"/relay/lease" {
			j.renewal, j.renewed = j.now(), string(m.Payload)
		}
	}
	if c, err := wire.DecodeCommand(m.Payload); err == nil && c.ID != "" {
		b.world.book.sent(c.ID)
	}
	return b.Session.Publish(m)
}

// ask has somebody ask the hub, who waits for the answer.
func (c *campaign) ask(j *judge, on bool, lasts, lease time.Duration) {
	if c.hub == nil {
		return
	}
	c.asked++
	o := &order{number: c.asked, asked: c.agenda.Now(), on: on, lasts: lasts, lease: lease}
	c.book.expect(o)
	req := hub.SwitchRequest{
		Device: smartmeter.DeviceID(j.ID), On: on, For: lasts, Lease: lease,
		Cause: smartmeter.Cause(fmt.Sprint(o.number)), Wait: 20 * time.Second,
	}
	j.history.waiting++
	h, life := c.hub, c.life
	c.agenda.After(time.Microsecond, func() { // while nobody does anything else
		go func() {
			command, err := h.Switch(life, req)
			c.answered(j, o, command, err)
		}()
	})
}

// answered takes what somebody was told.
func (c *campaign) answered(j *judge, o *order, command smartmeter.Command, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told++
	if command.ID == "" {
		j.history.waiting--
		if err == nil {
			c.fail("command %d was neither taken nor refused", o.number)
		}
		c.book.refused(o)
		return
	}
	c.given++
	state := command.State
	if !o.byID && !j.Fielded {
		c.texts++
	}
	if (err == nil) != (state == smartmeter.CommandAcknowledged) {
		c.fail("command %d is %s, and who asked was told: %v", o.number, state, err)
	}
	j.history.answered(o, state, c.agenda.Now())
}

// end brings everything back, waits until all commands have their end, and
// checks what is left.
func (c *campaign) end() {
	if c.hub == nil {
		c.startHub()
	}
	c.broker.Revive()
	c.over, c.ended = true, c.agenda.Now()
	c.agenda.Run(c.agenda.Now() + 20*time.Minute)
	if open := c.book.open(true); open > 0 {
		c.fail("%d commands have no end", open)
	}
	if c.told != c.asked {
		c.fail("%d people asked and %d were told", c.asked, c.told)
	}
	for _, j := range c.judges {
		j.checkHistory(1)
		j.PowerOff()
	}
	c.killHub()
	c.agenda.Run(c.agenda.Now() + time.Hour)
}
