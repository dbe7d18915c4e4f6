package main

import (
	"fmt"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/nodehost"
)

// nodeCommand is `smartmeter node`.
type nodeCommand struct {
	Serial    string `required:"" placeholder:"DEVICE" help:"Serial line to the PZEM-004T, like /dev/ttyUSB0."`
	MQTT      string `name:"mqtt" env:"SMARTMETER_MQTT_URL" default:"mqtt://127.0.0.1:1883" placeholder:"URL" help:"The hub's broker, like mqtts://mqttpi.local; ${default} unless told."`
	ID        string `name:"id" placeholder:"ID" help:"Name of this node, its MQTT client id; from this machine's network address unless told."`
	Address   uint8  `default:"0" placeholder:"N" help:"The meter's Modbus address, 1 to 247; 0 for the only one on the line."`
	RelayGPIO string `name:"relay-gpio" placeholder:"CHIP:LINE" help:"The GPIO line that switches the relay, like gpiochip0:17. Without a line or a file this node has no relay."`
	ActiveLow bool   `name:"relay-active-low" help:"The relay is on while its line is low, as on most relay boards."`
	RelayFile string `placeholder:"FILE" help:"A file that switches the relay: 1 or 0 is written to it."`
	Data      string `placeholder:"DIR" help:"Where this node keeps its configuration, and samples until the hub has them; without it, in memory only."`
	Pair      string `placeholder:"CODE" help:"Be known to the hub that showed this code, and know it. Needed once, with --data and an mqtts:// URL; it does no harm later."`
	Username  string `help:"For brokers that ask for one."`
	Password  string `help:"For brokers that ask for one; better set in the environment."`
}

// Help is shown by --help.
func (nodeCommand) Help() string {
	return `Reads the meter, publishes what it says, and obeys commands for the relay.

The meter is on the mains: wire it with the power off, or let somebody do it who
is allowed to. Its data side takes 5 V, ground, TX and RX of a USB serial adapter.`
}

// Run meters until the program is asked to stop.
func (c *nodeCommand) Run(d *daemon) error {
	id, err := c.id()
	if err != nil {
		return err
	}
	host, err := nodehost.New(nodehost.Config{
		ID:        id,
		Serial:    c.Serial,
		Address:   c.Address,
		Broker:    nodehost.Broker{URL: c.MQTT, Username: c.Username, Password: c.Password},
		Pairing:   c.Pair,
		DataDir:   c.Data,
		RelayFile: c.RelayFile,

		RelayGPIO:      c.RelayGPIO,
		RelayActiveLow: c.ActiveLow,

		Firmware: version,
		Model:    "linux",
		Logger:   d.log,
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(d.stdout, "node %s reads %s and speaks to %s\n", id, c.Serial, c.MQTT)
	return host.Run(d.ctx)
}

func (c *nodeCommand) id() (smartmeter.NodeID, error) {
	if c.ID == "" {
		return nodehost.DefaultID()
	}
	id, err := smartmeter.ParseNodeID(c.ID)
	if err != nil {
		return "", fmt.Errorf("--id: %w", err)
	}
	return id, nil
}
