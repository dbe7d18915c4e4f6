package main

import (
	"errors"
	"fmt"
	"net"
)

// doors are where the hub listens; nil where it does not.
type doors struct{ http, https, mqtt, mqtts net.Listener }

// addresses say where to open doors, "" for none.
type addresses struct{ http, https, mqtt, mqtts string }

// open opens all doors or none.
func (a addresses) open() (d doors, err error) {
	for _, door := range []struct {
		addr, protocol, flag string
		at                   *net.Listener
	}{
		{a.http, "HTTP", "--http", &d.http},
		{a.https, "HTTPS", "--https", &d.https},
		{a.mqtt, "MQTT", "--mqtt", &d.mqtt},
		{a.mqtts, "MQTT over TLS", "--mqtts", &d.mqtts},
	} {
		if door.addr == "" {
			continue
		}
		if *door.at, err = net.Listen("tcp", door.addr); err != nil {
			*door.at = nil
			return doors{}, errors.Join(fmt.Errorf("listen for %s: %w; choose another address with %s", door.protocol, err, door.flag), d.close())
		}
	}
	return d, nil
}

// close closes what is open and is not closed yet.
func (d doors) close() error {
	var errs []error
	for _, l := range []net.Listener{d.http, d.https, d.mqtt, d.mqtts} {
		if l == nil {
			continue
		}
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ready is the line that says where the hub serves, for people, scripts and
// systemd.
func (d doors) ready() string {
	line := "ready"
	for _, door := range []struct {
		name string
		at   net.Listener
	}{{"http", d.http}, {"https", d.https}, {"mqtt", d.mqtt}, {"mqtts", d.mqtts}} {
		if door.at != nil {
			line += " " + door.name + "=" + door.at.Addr().String()
		}
	}
	return line
}

// check refuses what no program can listen at.
func (a addresses) check() error {
	for _, told := range []struct{ flag, addr string }{{"--http", a.http}, {"--https", a.https}, {"--mqtt", a.mqtt}, {"--mqtts", a.mqtts}} {
		if told.addr == "" {
			continue
		}
		if err := checkAddress(told.flag, told.addr); err != nil {
			return err
		}
	}
	return nil
}

// checkLoopback refuses doors that others than this machine can reach, for a
// hub that asks nobody who they are.
func (a addresses) checkLoopback() error {
	for flag, addr := range map[string]string{"--http": a.http, "--mqtt": a.mqtt} {
		if addr == "" { // closed: there is another broker
			continue
		}
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("%s %s: what has no login stays on this machine: use 127.0.0.1, or run `smartmeter hub` without --open", flag, addr)
		}
	}
	return nil
}
