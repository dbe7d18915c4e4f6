package main

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/nodehost"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
)

// simCommand is `smartmeter sim`.
type simCommand struct {
	Devices  *int          `xor:"house" placeholder:"N" help:"How many simulated appliances, each on a node of its own: 8 unless told. The main meter of every eight comes on top."`
	House    houseFile     `xor:"house" placeholder:"FILE" help:"Play the household that FILE describes, see docs/house.example.json."`
	Fielded  int           `placeholder:"N" help:"How many of the appliances, from the last, are on nodes of the first generation."`
	Seed     uint64        `default:"1" help:"What the house does by chance; the same seed gives the same days."`
	Interval time.Duration `default:"5s" help:"How often each node publishes a reading, 1s to 1h in whole seconds."`
	Fast     bool          `help:"Play as fast as the broker takes the messages: load, but no history, for readings count from when they arrive."`
	MQTT     string        `name:"mqtt" env:"SMARTMETER_MQTT_URL" default:"mqtt://127.0.0.1:1883" placeholder:"URL" help:"The broker: ${default} unless told."`
	Username string        `help:"For brokers that ask for one."`
	Password string        `help:"For brokers that ask for one; better set in the environment."`
}

// Help is shown by --help.
func (simCommand) Help() string {
	return `The nodes are the real node code, on simulated meters that speak real frames.
The broker may be the hub's or any other.`
}

// Validate refuses flags that cannot be obeyed.
func (c *simCommand) Validate() error {
	return cmp.Or(checkDevices(c.Devices, 1), checkInterval(c.Interval), checkFielded(c.Fielded, c.House.size(c.Devices)))
}

// Run plays until the program is asked to stop.
func (c *simCommand) Run(d *daemon) error {
	house, err := newHouse(sim.Config{
		Household: c.House.household,
		Devices:   c.House.size(c.Devices),
		Fielded:   c.Fielded,
		Seed:      c.Seed,
		Interval:  c.Interval,
		Fast:      c.Fast,
		Logger:    d.log,
	}, nodehost.Broker{URL: c.MQTT, Username: c.Username, Password: c.Password, Logger: d.log})
	if err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "%d simulated devices speak to %s\n", len(house.Devices()), c.MQTT)
	return house.Run(d.ctx)
}

// houseFile is a flag that names a house file.
type houseFile struct{ household *sim.Household }

// UnmarshalText reads the file of that name.
func (f *houseFile) UnmarshalText(name []byte) error {
	file, err := os.Open(string(name))
	if err != nil {
		return err
	}
	defer file.Close()
	if f.household, err = sim.ReadHousehold(file); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// size returns how many appliances there are: as many as somebody asked for, or
// those of the file, or of the house that is built in.
func (f *houseFile) size(asked *int) int {
	switch {
	case asked != nil:
		return *asked
	case f.household != nil:
		return len(f.household.Appliances)
	default:
		return len(sim.DefaultHousehold().Appliances)
	}
}

// newHouse builds a simulated house, its nodes connected as real ones are.
func newHouse(c sim.Config, broker nodehost.Broker) (*sim.House, error) {
	c.Start = time.Now()
	c.Connect = func(p sim.Peer) (sim.Link, error) { return nodehost.Connect(broker, p) }
	return sim.New(c)
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
