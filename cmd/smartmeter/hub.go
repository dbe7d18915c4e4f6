package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/ca"
)

// hubCommand is `smartmeter hub`.
type hubCommand struct {
	Data  string `default:"./data" placeholder:"DIR" help:"Where the history is kept: ${default} unless told."`
	HTTP  string `name:"http" placeholder:"ADDR" help:"Address of dashboard and API, not encrypted: :8080 unless told. Port 0 picks a free one."`
	HTTPS string `name:"https" placeholder:"ADDR" help:"The same encrypted: :8443 unless told."`
	MQTT  string `name:"mqtt" placeholder:"ADDR" help:"Address of the MQTT broker, not encrypted: 127.0.0.1:1883 unless told. With :1883, accepted nodes that can do no better reach it, and whoever is on the network can listen to them."`
	MQTTS string `name:"mqtts" placeholder:"ADDR" help:"The same encrypted: :8883 unless told."`

	RequireTLS bool   `name:"require-tls" help:"Open neither of the doors that are not encrypted."`
	TLSCert    string `name:"tls-cert" type:"existingfile" placeholder:"FILE" help:"Certificate (PEM) for browsers, with its chain, instead of one from the hub's own authority. It is read again when it changes."`
	TLSKey     string `name:"tls-key" type:"existingfile" placeholder:"FILE" help:"Its key (PEM)."`
	Open       bool   `help:"Let whoever is on this machine do everything, and nobody else in: no encryption, and no node has to be accepted."`

	Rescue bool `help:"Print a code with which to make an admin account, or set the password of one, although there are accounts."`

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
	return `At its first start it prints a code, with which the first account is made in a
browser; after that, people log in. Nodes have to be accepted by a person: see
smartmeter nodes. With --open nobody has to do anything of that, on this machine.

Encryption needs no preparation. The hub is its own certificate authority; tell
browsers and programs to trust the certificate that they find at /ca.pem, after
comparing its fingerprint with the one that smartmeter ca prints here.

With --broker nodes and hub meet at another broker, any that speaks MQTT 3.1.1.
The hub's user needs to read and write dev/# and smartmeter/probe there. Give
Mosquitto max_inflight_messages 0: it then passes every reading on at once. Which
nodes may connect there, that broker decides.

When it serves, it prints one line with the doors that are open: ready http=ADDR
https=ADDR mqtt=ADDR mqtts=ADDR.`
}

// Validate refuses flags that cannot be obeyed, or contradict each other.
func (c *hubCommand) Validate() error {
	switch {
	case c.Open && c.Rescue:
		return errors.New("--rescue is for a hub with accounts, which --open has not: give one of them")
	case c.Data == "":
		return errors.New("--data is empty: name the directory for the history, like ./data")
	case c.Broker != "" && c.MQTT+c.MQTTS != "":
		return errors.New("--mqtt and --mqtts are addresses of the broker inside, and --broker takes its place: give one or the other")
	case c.Broker == "" && c.BrokerUsername+c.BrokerPassword+c.BrokerCA != "":
		return errors.New("--broker-username, --broker-password and --broker-ca are for another broker: name it with --broker")
	case c.Open && (c.RequireTLS || c.HTTPS+c.MQTTS+c.TLSCert != ""):
		return errors.New("--open is without encryption, on this machine only: leave it out, or --https, --mqtts, --tls-cert and --require-tls")
	case c.RequireTLS && c.HTTP+c.MQTT != "":
		return errors.New("--require-tls closes the doors that are not encrypted: leave it out, or --http and --mqtt")
	case (c.TLSCert == "") != (c.TLSKey == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both")
	}
	return cmp.Or(checkSync(c.Sync), c.addresses().check(), c.checkOpen())
}

func (c *hubCommand) checkOpen() error {
	if !c.Open {
		return nil
	}
	return c.addresses().checkLoopback()
}

// addresses says which doors are opened, and where.
func (c *hubCommand) addresses() (a addresses) {
	if c.Open {
		a = addresses{http: cmp.Or(c.HTTP, demoHTTP), mqtt: cmp.Or(c.MQTT, demoMQTT)}
	} else {
		a = addresses{https: cmp.Or(c.HTTPS, ":8443"), mqtts: cmp.Or(c.MQTTS, ":8883")}
		if !c.RequireTLS {
			a.http, a.mqtt = cmp.Or(c.HTTP, ":8080"), cmp.Or(c.MQTT, "127.0.0.1:1883")
		}
	}
	if c.Broker != "" {
		a.mqtt, a.mqtts = "", ""
	}
	return a
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
	welcome(d, s)
	announce(d, s)
	return s.run(d.ctx)
}

// system returns what the hub is to be made of, its doors open.
func (c *hubCommand) system(d *daemon) (cfg systemConfig, err error) {
	cfg = systemConfig{
		dataDir: c.Data, syncEvery: c.Sync, hostNames: c.hostNames(), clock: c.Clock,
		keepRaw: time.Duration(c.KeepRaw), rebuildIndex: c.RebuildIndex, closed: !c.Open, rescue: c.Rescue, log: d.log,
	}
	if c.TLSCert != "" {
		if cfg.ownCert, err = ca.OpenOwn(c.TLSCert, c.TLSKey, d.log); err != nil {
			return cfg, err
		}
	}
	if c.Broker != "" {
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
	}
	cfg.doors, err = c.addresses().open()
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
	fmt.Fprintln(d.stdout, s.cfg.doors.ready())
	if _, err := sd.SdNotify(false, sd.SdNotifyReady); err != nil {
		d.log.Warn("cannot tell systemd that the hub is ready", "err", err)
	}
}
