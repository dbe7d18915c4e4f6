package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/nodehost"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
)

// simCommand is `smartmeter sim`.
type simCommand struct {
	Devices  int           `default:"8" placeholder:"N" help:"How many simulated devices."`
	Seed     uint64        `default:"1" help:"What the house does by chance; the same seed gives the same days."`
	Interval time.Duration `default:"5s" help:"How often each node publishes a reading, 1s to 1h in whole seconds."`
	MQTT     string        `name:"mqtt" env:"SMARTMETER_MQTT_URL" default:"mqtt://127.0.0.1:1883" placeholder:"URL" help:"The broker: ${default} unless told."`
	Username string        `help:"For brokers that ask for one."`
	Password string        `help:"For brokers that ask for one; better set in the environment."`
}

// Help is shown by --help.
func (simCommand) Help() string {
	return `The nodes are the real node code, on simulated meters that speak real frames.
The broker may be the hub's or any other.`
}

// Run plays until the program is asked to stop.
func (c *simCommand) Run(d *daemon) error {
	house, err := newHouse(houseConfig{
		devices:  c.Devices,
		seed:     c.Seed,
		interval: c.Interval,
		broker:   nodehost.Broker{URL: c.MQTT, Username: c.Username, Password: c.Password, Logger: d.log},
		log:      d.log,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "%d simulated devices speak to %s\n", c.Devices, c.MQTT)
	return house.Run(d.ctx)
}

// houseConfig is what demo and sim have in common.
type houseConfig struct {
	devices  int
	seed     uint64
	interval time.Duration
	broker   nodehost.Broker
	log      *slog.Logger
}

// newHouse builds a simulated house, its nodes connected as real ones are.
func newHouse(c houseConfig) (*sim.House, error) {
	return sim.New(sim.Config{
		Devices:  c.devices,
		Seed:     c.seed,
		Start:    time.Now(),
		Interval: c.interval,
		Connect:  func(p sim.Peer) (sim.Link, error) { return nodehost.Connect(c.broker, p) },
		Logger:   c.log,
	})
}

// describe tells the hub what the devices of a house are.
func describe(house *sim.House) func(smartmeter.DeviceID) (smartmeter.Device, bool) {
	known := make(map[smartmeter.DeviceID]smartmeter.Device)
	for _, d := range house.Devices() {
		known[d.ID] = d
	}
	return func(id smartmeter.DeviceID) (smartmeter.Device, bool) {
		d, ok := known[id]
		return d, ok
	}
}
