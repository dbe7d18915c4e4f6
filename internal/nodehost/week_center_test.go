package nodehost

import (
	"context"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// center is the hub with its store, which dies with the power of its disk.
type center struct {
	week  *week
	dir   string
	disk  *faultdisk.Disk
	store *store.Store
	hub   *hub.Hub
	life  context.Context
	end   context.CancelFunc
	ended chan error
}

func newCenter(w *week, dir string) center {
	return center{week: w, dir: dir, disk: faultdisk.New(w.seed)}
}

// start starts a hub that knows what the disk knows, and its broker if need be.
func (c *center) start() {
	ctx, end := context.WithCancel(c.week.t.Context())
	c.life, c.end = ctx, end
	var err error
	c.store, err = store.Open(ctx, store.Config{Dir: c.dir, FS: c.disk, Logger: quiet})
	c.week.must(err)
	c.week.broker.Revive()
	c.hub, err = hub.New(ctx, hub.Config{Bus: witness{c.week.broker.Connect(), c.week}, Store: c.store, Logger: quiet})
	c.week.must(err)
	c.week.must(c.hub.Start())
	c.ended = make(chan error, 1)
	go func() { c.ended <- c.hub.Run(ctx) }()
}

// die ends the hub as a power cut does, with its broker if that is its own.
func (c *center) die() {
	c.week.broker.Disconnect()
	if !c.week.brokerLives {
		c.week.broker.Kill(false)
	}
	c.disk = c.disk.Crash()
	c.end()
	c.week.must(<-c.ended)
	_ = c.store.Close() // its disk is gone
}

// stop ends the hub in good order.
func (c *center) stop() {
	for _, p := range c.week.plugs {
		p.PowerOff()
	}
	c.week.broker.Disconnect()
	c.end()
	c.week.must(<-c.ended)
	c.week.must(c.store.Close())
}

// switchOn has the hub switch a device on with a lease.
func (c *center) switchOn(p *plug, lease time.Duration) {
	req := hub.SwitchRequest{Device: p.device(), On: true, Lease: lease, Wait: 20 * time.Second}
	h, life := c.hub, c.life
	c.week.agenda.After(time.Microsecond, func() {
		go func() {
			_, err := h.Switch(life, req)
			p.ordered <- err
		}()
	})
}

// witness is the hub's bus, with an ear for what nodes say.
type witness struct {
	*sim.Session
	week *week
}

// Subscribe has the hub hear first, and then looks at when.
func (b witness) Subscribe(filter string, handle func(smartmeter.Message)) error {
	return b.Session.Subscribe(filter, func(m smartmeter.Message) {
		handle(m)
		b.week.hear(m)
	})
}

// hear takes what has arrived at the hub.
func (w *week) hear(m smartmeter.Message) {
	about, err := wire.Topics{}.Parse(m.Topic)
	p := w.byID[about.Node]
	if err != nil || p == nil || m.Retained {
		return
	}
	switch about.Kind {
	case wire.KindMetrics:
		var s smartmeter.Sample
		w.must(wire.DecodeMetrics(m.Payload, &s))
		w.drain.live(p, &s)
	case wire.KindBacklog:
		samples, err := wire.DecodeBacklog(m.Payload, nil)
		w.must(err)
		w.drain.backlog(p, len(samples))
	case wire.KindEvent:
		e, err := wire.DecodeEvent(m.Payload)
		w.must(err)
		p.told = append(p.told, e.Kind)
	}
}
