package main

import (
	"fmt"
	"net"

	sd "github.com/coreos/go-systemd/v22/daemon"
)

// hubCommand is `smartmeter hub`.
type hubCommand struct {
	Data string `default:"./data" placeholder:"DIR" help:"Where the history is kept: ${default} unless told."`
	HTTP string `name:"http" default:":8080" placeholder:"ADDR" help:"Address of dashboard and API: ${default} unless told. Port 0 picks a free one."`
	MQTT string `name:"mqtt" default:":1883" placeholder:"ADDR" help:"Address of the MQTT broker: ${default} unless told. Port 0 picks a free one."`
}

// Help is shown by --help.
func (hubCommand) Help() string {
	return `There are no accounts and no encryption yet: whoever reaches the addresses can
see every reading and switch every relay. Keep it inside a network you trust, or
on this machine with --http 127.0.0.1:8080.

When it serves, it prints one line: ready http=ADDR mqtt=ADDR`
}

// Run serves until the program is asked to stop.
func (c *hubCommand) Run(d *daemon) error {
	doors, err := openDoors(c.HTTP, c.MQTT)
	if err != nil {
		return err
	}
	s, err := newSystem(d.ctx, systemConfig{dataDir: c.Data, http: doors.http, mqtt: doors.mqtt, log: d.log})
	if err != nil {
		return err
	}
	announce(d, s)
	return s.run(d.ctx)
}

// announce says that s serves. Connections are accepted from here on: they
// wait in the listeners until run takes them.
func announce(d *daemon, s *system) {
	fmt.Fprintln(d.stdout, s.ready())
	if _, err := sd.SdNotify(false, sd.SdNotifyReady); err != nil {
		d.log.Warn("cannot tell systemd that the hub is ready", "err", err)
	}
}

// doors are where the hub listens.
type doors struct{ http, mqtt net.Listener }

func openDoors(httpAddr, mqttAddr string) (doors, error) {
	h, err := net.Listen("tcp", httpAddr)
	if err != nil {
		return doors{}, fmt.Errorf("listen for HTTP: %w; choose another address with --http", err)
	}
	m, err := net.Listen("tcp", mqttAddr)
	if err != nil {
		h.Close()
		return doors{}, fmt.Errorf("listen for MQTT: %w; choose another address with --mqtt", err)
	}
	return doors{h, m}, nil
}
