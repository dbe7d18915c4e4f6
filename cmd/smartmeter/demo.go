package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/nodehost"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
	"golang.org/x/sync/errgroup"
)

// demoCommand is `smartmeter demo`.
type demoCommand struct {
	Devices *int          `xor:"house" placeholder:"N" help:"How many simulated appliances: 8 unless told, and a main meter for every eight; 0 for an empty hub to try your own node on."`
	House   houseFile     `xor:"house" placeholder:"FILE" help:"Play the household that FILE describes, see docs/house.example.json."`
	Seed    uint64        `default:"1" help:"What the house does by chance; the same seed gives the same days."`
	History int           `default:"7" placeholder:"DAYS" help:"For how many days the house has been lived in; ${default} unless told, 0 for not at all. A house kept in DIR has the history that is there."`
	Data    string        `placeholder:"DIR" help:"Where the history is kept; without it, nowhere after the end."`
	Sync    time.Duration `default:"10s" placeholder:"TIME" help:"How often readings are made durable: ${default} unless told."`
	HTTP    string        `name:"http" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of dashboard and API: ${default} unless told, or a free port if that is taken."`
	MQTT    string        `name:"mqtt" default:"127.0.0.1:1883" placeholder:"ADDR" help:"Address of the MQTT broker: ${default} unless told, or a free port if that is taken."`
}

// Help is shown by --help.
func (demoCommand) Help() string {
	return `A hub with a house of simulated devices: the same nodes, meters' frames and
broker as in earnest. It is open to whoever is on this machine, and to nobody
else. The days before the start are filled in while you watch. Ctrl-C ends it and
leaves nothing behind.`
}

// Validate refuses flags that cannot be obeyed.
func (c *demoCommand) Validate() error {
	return cmp.Or(checkDevices(c.Devices, 0), checkSync(c.Sync), checkAddress("--http", c.HTTP), checkAddress("--mqtt", c.MQTT))
}

// demoInterval is how often the demo's nodes publish: a person is watching.
const demoInterval = time.Second

// Run shows the house until the program is asked to stop.
func (c *demoCommand) Run(d *daemon) error {
	dir, forget, err := c.dataDir()
	if err != nil {
		return err
	}
	defer forget()
	doors, err := c.openDoors()
	if err != nil {
		return err
	}
	cfg := systemConfig{dataDir: dir, syncEvery: c.Sync, doors: doors, clock: clockTrusted, log: d.log}
	if c.House.size(c.Devices) == 0 {
		return c.serve(d, cfg, nil)
	}
	house, err := newHouse(sim.Config{
		Household: c.House.household,
		Devices:   c.House.size(c.Devices),
		Seed:      c.Seed,
		Interval:  demoInterval,
		Logger:    d.log,
	}, nodehost.Broker{URL: "mqtt://" + doors.mqtt.Addr().String(), Logger: d.log})
	if err != nil {
		return err
	}
	cfg.describe = describe(house)
	return c.serve(d, cfg, house)
}

// serve runs the hub, and the house if there is one. The house goes first, so
// that its nodes can say goodbye.
func (c *demoCommand) serve(d *daemon, cfg systemConfig, house *sim.House) error {
	s, err := newSystem(d.ctx, cfg)
	if err != nil {
		return err
	}
	parts, ctx := errgroup.WithContext(d.ctx)
	hub, stopHub := context.WithCancel(context.WithoutCancel(d.ctx))
	parts.Go(func() error {
		defer stopHub()
		return c.live(ctx, d, s, house)
	})
	parts.Go(func() error { return s.run(hub) })
	return parts.Wait()
}

// live plays the house until ctx ends. When the hub shows all of it, it says
// so, and then tells the hub what was before.
func (c *demoCommand) live(ctx context.Context, d *daemon, s *system, house *sim.House) error {
	if house == nil {
		c.announce(d, s)
		<-ctx.Done()
		return nil
	}
	known := s.hub.Devices()
	for _, k := range known {
		if k.Latest != nil && k.Latest.Has.Has(smartmeter.Energy) {
			house.Resume(k.Node, k.Latest.Energy)
		}
	}
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return house.Run(ctx) })
	parts.Go(func() error {
		waitForHouse(ctx, s, len(house.Devices()))
		c.announce(d, s)
		if len(known) == 0 {
			c.tellHistory(ctx, d, s, house)
		}
		return nil
	})
	return parts.Wait()
}

func (c *demoCommand) announce(d *daemon, s *system) {
	announce(d, s)
	fmt.Fprintf(d.stdout, "Open http://%s in a browser. Ctrl-C ends the demo.\n", s.cfg.doors.http.Addr())
}

// tellHistory gives the hub the days before, the latest first. A house that
// has lost some of them goes on all the same.
func (c *demoCommand) tellHistory(ctx context.Context, d *daemon, s *system, house *sim.House) {
	if c.History == 0 {
		return
	}
	for day, readings := range house.History(c.History) {
		switch err := s.hub.Import(ctx, readings); {
		case ctx.Err() != nil:
			return
		case err != nil:
			d.log.Error("the house's history ends here", "day", day.Format(time.DateOnly), "err", err)
			return
		}
		d.log.Info("told the hub a day of the house's history", "day", day.Format(time.DateOnly))
	}
}

// dataDir returns where the demo keeps its history, and how to be rid of it.
func (c *demoCommand) dataDir() (dir string, forget func(), err error) {
	if c.Data != "" {
		return c.Data, func() {}, nil
	}
	dir, err = os.MkdirTemp("", "smartmeter-demo-")
	if err != nil {
		return "", nil, fmt.Errorf("make a temporary data directory: %w; name another with --data", err)
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// openDoors opens the doors, on this machine only: the demo has no login.
func (c *demoCommand) openDoors() (doors, error) {
	told := addresses{http: c.HTTP, mqtt: c.MQTT}
	if err := told.checkLoopback(); err != nil {
		return doors{}, err
	}
	return addresses{http: unlessTaken(c.HTTP, demoHTTP), mqtt: unlessTaken(c.MQTT, demoMQTT)}.open()
}

// The addresses that the demo prefers; the grammar's defaults.
const (
	demoHTTP = "127.0.0.1:8080"
	demoMQTT = "127.0.0.1:1883"
)

// unlessTaken returns addr, or a free port where addr is the one that nobody
// asked for and another program has it.
func unlessTaken(addr, preferred string) string {
	if addr != preferred {
		return addr
	}
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return "127.0.0.1:0"
	}
	if err == nil {
		l.Close()
	}
	return addr
}

// waitForHouse returns when so many simulated devices are online, or when they
// take too long for that.
func waitForHouse(ctx context.Context, s *system, devices int) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		online := 0
		for _, d := range s.hub.Devices() {
			if d.Online && d.Latest != nil {
				online++
			}
		}
		if online >= devices {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
