package wire

import (
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
func DecodeInfo(p []byte) (Info, error) { return Info{}, NotJSON }

// AppendInfo appends i as JSON.
func AppendInfo(dst []byte, i *Info) []byte { return dst }
