package wire

import (
	"math"

	"github.com/iot-smart-meter/smartmeter"
)

// Seconds is a duration in whole seconds.
type Seconds int32

// Position is where a relay goes by itself.
type Position = smartmeter.Position

// The positions.
const (
	PositionOff  = smartmeter.PositionOff
	PositionOn   = smartmeter.PositionOn
	PositionLast = smartmeter.PositionLast
)

// Config is a node's whole configuration as the hub wants it. Times, limits
// and counts of 0 mean "no limit", except for the three intervals: there 0 is
// nobody's wish, and leaves the node's own.
type Config struct {
	Rev       uint32 // from 1; 0 in what a node keeps while the hub never configured it
	Metrics   smartmeter.Millis
	Energy    smartmeter.Millis
	Heartbeat smartmeter.Millis
	Relay     RelayConfig
	Limits    Limits
}

// RelayConfig says how a node treats its relay when nobody commands it, and
// how it spares the load.
type RelayConfig struct {
	PowerUp           Position // off, on or last
	Fallback          Position // off or on: where a lease that runs out leads
	MinOn             Seconds
	MinOff            Seconds
	MaxOn             Seconds
	MaxSwitchesPerMin int32
}

// Limits is when a node cuts off by itself: beyond Current or Power for Hold.
type Limits struct {
	Current smartmeter.Milliamp
	Power   smartmeter.Deciwatt
	Hold    smartmeter.Millis
}

// DecodeConfig reads config into c. Only rev is required: absent fields keep
// the values that c came with, so pass what is in force. On error c is as it
// was.
//
// Numbers must be integers but may be anything otherwise, negative or huge
// (then they saturate), and positions any text: the node judges them, because
// it must say in its ConfigAck what it refuses and why.
func DecodeConfig(p []byte, c *Config) error {
	wanted := *c
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldRev:
			whole(&d, &wanted.Rev, 0, math.MaxUint32)
		case fieldMetrics:
			saturated(&d, &wanted.Metrics)
		case fieldEnergy:
			saturated(&d, &wanted.Energy)
		case fieldHeartbeat:
			saturated(&d, &wanted.Heartbeat)
		case fieldRelay:
			d.relayConfig(&wanted.Relay)
		case fieldLimits:
			d.limits(&wanted.Limits)
		default:
			d.skip()
		}
	}
	err := d.end(fieldRev)
	if err == nil {
		*c = wanted
	}
	return err
}

func (d *scanner) relayConfig(r *RelayConfig) {
	if !d.present() {
		return
	}
	outer := d.begin()
	for d.next() {
		switch d.field {
		case fieldPowerUp:
			d.position(&r.PowerUp)
		case fieldFallback:
			d.position(&r.Fallback)
		case fieldMinOnS:
			saturated(d, &r.MinOn)
		case fieldMinOffS:
			saturated(d, &r.MinOff)
		case fieldMaxOnS:
			saturated(d, &r.MaxOn)
		case fieldMaxSwitchesPerMin:
			saturated(d, &r.MaxSwitchesPerMin)
		default:
			d.skip()
		}
	}
	d.leave(outer)
}

// position reads any text, for the node to judge.
func (d *scanner) position(dst *Position) {
	if d.present() {
		*dst = Position(d.string(maxNameLen))
	}
}

func (d *scanner) limits(l *Limits) {
	if !d.present() {
		return
	}
	outer := d.begin()
	for d.next() {
		switch d.field {
		case fieldCurrentMA:
			saturated(d, &l.Current)
		case fieldPowerDW:
			saturated(d, &l.Power)
		case fieldHoldMs:
			saturated(d, &l.Hold)
		default:
			d.skip()
		}
	}
	d.leave(outer)
}

// AppendConfig appends c as JSON.
func AppendConfig(dst []byte, c *Config) []byte {
	dst = append(dst, '{')
	dst = appendInt(dst, "rev", c.Rev)
	dst = appendSet(dst, "metrics", c.Metrics)
	dst = appendSet(dst, "energy", c.Energy)
	dst = appendSet(dst, "heartbeat", c.Heartbeat)
	dst = appendRelayConfig(appendName(dst, "relay"), &c.Relay)
	dst = appendLimits(appendName(dst, "limits"), &c.Limits)
	return append(dst, '}')
}

func appendRelayConfig(dst []byte, r *RelayConfig) []byte {
	dst = append(dst, '{')
	dst = appendText(dst, "power_up", r.PowerUp)
	dst = appendText(dst, "fallback", r.Fallback)
	dst = appendInt(dst, "min_on_s", r.MinOn)
	dst = appendInt(dst, "min_off_s", r.MinOff)
	dst = appendInt(dst, "max_on_s", r.MaxOn)
	dst = appendInt(dst, "max_switches_per_min", r.MaxSwitchesPerMin)
	return append(dst, '}')
}

func appendLimits(dst []byte, l *Limits) []byte {
	dst = append(dst, '{')
	dst = appendInt(dst, "current_ma", l.Current)
	dst = appendInt(dst, "power_dw", l.Power)
	dst = appendInt(dst, "hold_ms", l.Hold)
	return append(dst, '}')
}

// ConfigAck is a node's answer to a configuration.
type ConfigAck struct {
	Rev    uint32 // 0 answers the fielded form, which has none
	OK     bool
	Field  string // what is refused, e.g. "metrics" or "relay.min_off_s"
	Reason string // why, e.g. "below 1000"
}

// DecodeConfigAck reads config/ack.
func DecodeConfigAck(p []byte) (ConfigAck, error) {
	var a ConfigAck
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldRev:
			whole(&d, &a.Rev, 0, math.MaxUint32)
		case fieldOK:
			d.boolean(&a.OK)
		case fieldField:
			d.text(&a.Field, maxNameLen)
		case fieldReason:
			d.text(&a.Reason, MaxReasonLen)
		default:
			d.skip()
		}
	}
	return a, d.end(fieldRev | fieldOK)
}

// AppendConfigAck appends a as JSON.
func AppendConfigAck(dst []byte, a *ConfigAck) []byte {
	dst = append(dst, '{')
	dst = appendInt(dst, "rev", a.Rev)
	dst = appendBool(dst, "ok", a.OK)
	dst = appendText(dst, "field", a.Field)
	dst = appendText(dst, "reason", a.Reason)
	return append(dst, '}')
}
