package main

import (
	"net"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/api"
)

// sayWhoGuards tells the API how nodes are let in.
func (s *system) sayWhoGuards(c *api.Config) {
	c.Claiming = api.Claiming{
		Guard: "open",
		Nodes: s.nodes,
		Cut:   func(id smartmeter.NodeID) { s.broker.Disconnect(string(id)) },
	}
	if s.cfg.closed {
		c.Authority = s.authority.PEM()
		c.Claiming.Guard = "hub"
		c.Claiming.Authority = s.authority.Fingerprint()
		c.Claiming.Fingerprint = s.authority.Fingerprint().String()
	}
	if s.cfg.external != nil {
		c.Claiming.Guard = "broker"
	}
	c.Claiming.MQTT, c.Claiming.OnNetwork = doorOf(s.cfg.doors.mqtt)
	c.Claiming.MQTTS, _ = doorOf(s.cfg.doors.mqtts)
}

// doorOf returns the port of a door, 0 for one that is closed, and whether
// others than this machine reach it.
func doorOf(l net.Listener) (port int, onNetwork bool) {
	if l == nil {
		return 0, false
	}
	at := l.Addr().(*net.TCPAddr)
	return at.Port, !at.IP.IsLoopback()
}
