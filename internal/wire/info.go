package wire

import (
	"math"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// Protocol is the version of the contract that this package speaks; nodes
// without an info speak 0.
const Protocol = 1

// Capability names something that a node can do.
type Capability string

// The capabilities known so far.
const (
	CapLease   Capability = "lease"   // ON with a dead-man's time limit
	CapLimits  Capability = "limits"  // cuts off over-current and over-power by itself
	CapBacklog Capability = "backlog" // keeps samples until they are acknowledged
	CapRelay   Capability = "relay"   // has a relay at all
)

// Info is how a node introduces itself, retained, at every connect.
type Info struct {
	Proto     uint8
	Firmware  string
	Model     string
	Boot      smartmeter.BootID
	T         smartmeter.Millis // since boot, when it was written
	ConfigRev uint32            // revision of the configuration in force, 0 = none yet
	Caps      []Capability
	Channels  uint8 // metering channels, at least 1
}

// Has reports whether the node announced c.
func (i *Info) Has(c Capability) bool { return slices.Contains(i.Caps, c) }

// DecodeInfo reads info. Required are proto, boot and t; channels defaults to
// 1. A higher proto than ours is not an error: its fields are a superset.
func DecodeInfo(p []byte) (Info, error) {
	i := Info{Channels: 1}
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldProto:
			whole(&d, &i.Proto, 1, math.MaxUint8)
		case fieldFirmware:
			d.text(&i.Firmware, maxNameLen)
		case fieldModel:
			d.text(&i.Model, maxNameLen)
		case fieldBoot:
			d.boot(&i.Boot)
		case fieldT:
			millis(&d, &i.T, 0)
		case fieldConfigRev:
			whole(&d, &i.ConfigRev, 0, math.MaxUint32)
		case fieldCaps:
			d.capabilities(&i.Caps)
		case fieldChannels:
			whole(&d, &i.Channels, 1, math.MaxUint8)
		default:
			d.skip()
		}
	}
	return i, d.end(fieldProto | fieldBoot | fieldT)
}

// capabilities reads a list of names, known to us or not.
func (d *scanner) capabilities(dst *[]Capability) {
	if !d.present() {
		return
	}
	for d.enter('['); d.more(']'); {
		if len(*dst) == MaxCaps {
			d.fail(TooMany)
			return
		}
		*dst = append(*dst, Capability(d.string(maxNameLen)))
	}
}

// AppendInfo appends i as JSON.
func AppendInfo(dst []byte, i *Info) []byte {
	dst = append(dst, '{')
	dst = appendInt(dst, "proto", i.Proto)
	dst = appendText(dst, "fw", i.Firmware)
	dst = appendText(dst, "model", i.Model)
	dst = appendBoot(dst, i.Boot)
	dst = appendInt(dst, "t", i.T)
	dst = appendInt(dst, "config_rev", i.ConfigRev)
	dst = append(appendName(dst, "caps"), '[')
	for n, c := range i.Caps {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, string(c))
	}
	dst = append(dst, ']')
	dst = appendInt(dst, "channels", max(i.Channels, 1))
	return append(dst, '}')
}
