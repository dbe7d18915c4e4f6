package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/nodehost"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
	"golang.org/x/sync/errgroup"
)

// demoCommand is `smartmeter demo`.
type demoCommand struct {
	Devices int    `default:"8" placeholder:"N" help:"How many simulated devices; 0 for an empty hub to try your own node on."`
	Seed    uint64 `default:"1" help:"What the house does by chance; the same seed gives the same days."`
	Data    string `placeholder:"DIR" help:"Where the history is kept; without it, nowhere after the end."`
	HTTP    string `name:"http" default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of dashboard and API: ${default} unless told, or a free port if that is taken."`
	MQTT    string `name:"mqtt" default:"127.0.0.1:1883" placeholder:"ADDR" help:"Address of the MQTT broker: ${default} unless told, or a free port if that is taken."`
}

// Help is shown by --help.
func (demoCommand) Help() string {
	return `A hub with a house of simulated devices: the same nodes, meters' frames and
broker as in earnest. It is open to whoever is on this machine, and to nobody
else. Ctrl-C ends it and leaves nothing behind.`
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
	cfg := systemConfig{dataDir: dir, http: doors.http, mqtt: doors.mqtt, log: d.log}
	if c.Devices == 0 {
		return c.serve(d, cfg, nil)
	}
	house, err := newHouse(houseConfig{
		devices:  c.Devices,
		seed:     c.Seed,
		interval: demoInterval,
		broker:   nodehost.Broker{URL: "mqtt://" + doors.mqtt.Addr().String(), Logger: d.log},
		log:      d.log,
	})
	if err != nil {
		return err
	}
	cfg.describe = describe(house)
	return c.serve(d, cfg, house)
}

// serve runs the hub, and the house if there is one, and says when both are
// there. The house goes first, so that its nodes can say goodbye.
func (c *demoCommand) serve(d *daemon, cfg systemConfig, house *sim.House) error {
	s, err := newSystem(d.ctx, cfg)
	if err != nil {
		return err
	}
	parts, ctx := errgroup.WithContext(d.ctx)
	hub, stopHub := context.WithCancel(context.WithoutCancel(d.ctx))
	parts.Go(func() error {
		defer stopHub()
		if house != nil {
			return house.Run(ctx)
		}
		<-ctx.Done()
		return nil
	})
	parts.Go(func() error { return s.run(hub) })
	parts.Go(func() error {
		c.waitForHouse(ctx, s)
		announce(d, s)
		fmt.Fprintf(d.stdout, "Open http://%s in a browser. Ctrl-C ends the demo.\n", cfg.http.Addr())
		return nil
	})
	return parts.Wait()
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
	for flag, addr := range map[string]string{"--http": c.HTTP, "--mqtt": c.MQTT} {
		if err := checkLoopback(addr); err != nil {
			return doors{}, fmt.Errorf("%s %s: %w", flag, addr, err)
		}
	}
	return openDoors(unlessTaken(c.HTTP, demoHTTP), unlessTaken(c.MQTT, demoMQTT))
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

func checkLoopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return errors.New("the demo has no login and stays on this machine: use 127.0.0.1, or run `smartmeter hub`")
	}
	return nil
}

// waitForHouse returns when all simulated devices are online, or when they take
// too long for that.
func (c *demoCommand) waitForHouse(ctx context.Context, s *system) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		online := 0
		for _, d := range s.hub.Devices() {
			if d.Online && d.Latest != nil {
				online++
			}
		}
		if online >= c.Devices {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
