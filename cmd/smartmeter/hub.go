package main

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
)

// hubCommand is `smartmeter hub`.
type hubCommand struct {
	Data string `default:"./data" placeholder:"DIR" help:"Where the history is kept: ${default} unless told."`
	HTTP string `name:"http" default:":8080" placeholder:"ADDR" help:"Address of dashboard and API: ${default} unless told. Port 0 picks a free one."`
	MQTT string `name:"mqtt" placeholder:"ADDR" help:"Address of the MQTT broker: :1883 unless told. Port 0 picks a free one."`

	Sync time.Duration `default:"10s" placeholder:"TIME" help:"How often readings are made durable: ${default} unless told. A power cut takes what came since; the disk wears less, the longer it is."`

	KeepRaw keepRaw `placeholder:"DAYS" help:"For how long readings are kept, like 730d, 35d at least; for ever unless told. Of months that were over before, what they add up to by quarter hour stays."`

	RebuildIndex bool `help:"Make the database again from the log and the monthly files before serving. Nothing is lost by it; it takes a while."`

	Clock string `enum:"auto,trusted" default:"auto" placeholder:"WORD" help:"Whether this machine knows the time: auto, which asks its kernel and is what counts unless told, or trusted."`

	HostName []string `placeholder:"NAME" help:"A name under which browsers reach this hub, beside its addresses, its host name and names below .local."`

	Broker         string `placeholder:"URL" help:"Use the MQTT broker at URL instead of the one inside: mqtt://host:1883, or mqtts:// for TLS."`
	BrokerUsername string `placeholder:"NAME" help:"For a broker that asks for one."`
	BrokerPassword string `placeholder:"PASSWORD" help:"For a broker that asks for one; better set in the environment."`
	BrokerCA       string `name:"broker-ca" type:"existingfile" placeholder:"FILE" help:"Certificates (PEM) to trust with mqtts://, instead of the system's."`
}

// Help is shown by --help.
func (hubCommand) Help() string {
	return `There are no accounts and no encryption yet: whoever reaches the addresses can
see every reading and switch every relay. Keep it inside a network you trust, or
on this machine with --http 127.0.0.1:8080.

With --broker nodes and hub meet at another broker, any that speaks MQTT 3.1.1.
The hub's user needs to read and write dev/# and smartmeter/probe there. Give
Mosquitto max_inflight_messages 0: it then passes every reading on at once.

When it serves, it prints one line: ready http=ADDR mqtt=ADDR, and no mqtt with
--broker.`
}

// Validate refuses flags that cannot be obeyed, or contradict each other.
func (c *hubCommand) Validate() error {
	switch {
	case c.Data == "":
		return errors.New("--data is empty: name the directory for the history, like ./data")
	case c.Broker != "" && c.MQTT != "":
		return errors.New("--mqtt is the address of the broker inside, and --broker takes its place: give one of them")
	case c.Broker == "" && c.BrokerUsername+c.BrokerPassword+c.BrokerCA != "":
		return errors.New("--broker-username, --broker-password and --broker-ca are for another broker: name it with --broker")
	case c.MQTT != "":
		return cmp.Or(checkSync(c.Sync), checkAddress("--http", c.HTTP), checkAddress("--mqtt", c.MQTT))
	}
	return cmp.Or(checkSync(c.Sync), checkAddress("--http", c.HTTP))
}

// Run serves until the program is asked to stop.
func (c *hubCommand) Run(d *daemon) error {
	cfg, err := c.system(d)
	if err != nil {
		return err
	}
	s, err := newSystem(d.ctx, cfg)
	if err != nil {
		return err
	}
	announce(d, s)
	return s.run(d.ctx)
}

// system returns what the hub is to be made of, its doors open.
func (c *hubCommand) system(d *daemon) (systemConfig, error) {
	cfg := systemConfig{dataDir: c.Data, syncEvery: c.Sync, hostNames: c.hostNames(), clock: c.Clock, keepRaw: time.Duration(c.KeepRaw), rebuildIndex: c.RebuildIndex, log: d.log}
	if c.Broker == "" {
		doors, err := openDoors(c.HTTP, cmp.Or(c.MQTT, ":1883"))
		cfg.http, cfg.mqtt = doors.http, doors.mqtt
		return cfg, err
	}
	var err error
	cfg.external, err = bus.NewExternal(bus.ExternalConfig{
		URL:      c.Broker,
		Username: c.BrokerUsername,
		Password: c.BrokerPassword,
		CAFile:   c.BrokerCA,
		Logger:   d.log,
	})
	if err != nil {
		return cfg, err
	}
	cfg.http, err = openHTTP(c.HTTP)
	return cfg, err
}

// hostNames are this machine's own name and those that were told.
func (c *hubCommand) hostNames() []string {
	name, err := os.Hostname()
	if err != nil {
		return c.HostName
	}
	return append(c.HostName, name)
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
	h, err := openHTTP(httpAddr)
	if err != nil {
		return doors{}, err
	}
	m, err := net.Listen("tcp", mqttAddr)
	if err != nil {
		h.Close()
		return doors{}, fmt.Errorf("listen for MQTT: %w; choose another address with --mqtt", err)
	}
	return doors{h, m}, nil
}

func openHTTP(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w; choose another address with --http", err)
	}
	return l, nil
}
