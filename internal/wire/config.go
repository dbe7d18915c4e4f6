package wire

import "github.com/iot-smart-meter/smartmeter"

// Seconds is a duration in whole seconds.
type Seconds int32

// Position is a relay's position, or the one it last had, in a configuration.
type Position string

// The positions.
const (
	PositionOff  Position = "off"
	PositionOn   Position = "on"
	PositionLast Position = "last" // as it was before the power failed
)

// Config is a node's whole configuration as the hub wants it. Times, limits
// and counts of 0 mean "no limit", except for the three intervals.
type Config struct {
	Rev       uint32 // from 1
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
func DecodeConfig(p []byte, c *Config) error { return NotJSON }

// AppendConfig appends c as JSON.
func AppendConfig(dst []byte, c *Config) []byte { return dst }

// ConfigAck is a node's answer to a configuration.
type ConfigAck struct {
	Rev    uint32
	OK     bool
	Field  string // what is refused, e.g. "metrics" or "relay.min_off_s"
	Reason string // why, e.g. "below 1000"
}

// DecodeConfigAck reads config/ack.
func DecodeConfigAck(p []byte) (ConfigAck, error) { return ConfigAck{}, NotJSON }

// AppendConfigAck appends a as JSON.
func AppendConfigAck(dst []byte, a *ConfigAck) []byte { return dst }

// LegacyConfig is the fielded configuration: either interval may be absent,
// which is 0.
type LegacyConfig struct {
	Metrics smartmeter.Millis
	Energy  smartmeter.Millis
}

// DecodeLegacyConfig reads pzem/config. At least one field must be present,
// and both greater than 0, else the error is [MissingField] or [OutOfRange].
func DecodeLegacyConfig(p []byte) (LegacyConfig, error) { return LegacyConfig{}, NotJSON }

// AppendLegacyConfig appends c as JSON, what is 0 left out.
func AppendLegacyConfig(dst []byte, c LegacyConfig) []byte { return dst }
