package node

import (
	"strconv"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// The intervals that a node takes, in milliseconds: 1 s to 1 h.
const (
	MinInterval smartmeter.Millis = 1000
	MaxInterval smartmeter.Millis = 3_600_000
)

// The longest times of the relay's protection, in seconds, and the longest time
// in milliseconds that a limit may be exceeded.
const (
	maxMinimumTime = 3600
	maxOnTime      = 7 * 24 * 3600
	maxHold        = 60_000
)

// objection returns what the node cannot honour in a configuration, and why;
// "" if it can honour all of it. A limit that is accepted and then not watched
// would be worse than none.
func (n *Node) objection(c *wire.Config) (field, reason string) {
	if field, reason := numbersOutside(c); reason != "" {
		return field, reason
	}
	if field, reason := n.positionsRefused(&c.Relay); reason != "" {
		return field, reason
	}
	r, l := &c.Relay, &c.Limits
	switch {
	case r.MaxOn != 0 && r.MaxOn < r.MinOn:
		return "relay.max_on_s", "below relay.min_on_s"
	case n.relay == nil && (l.Current != 0 || l.Power != 0):
		return "limits", "this node has no relay to cut off with"
	default:
		return "", ""
	}
}

// numbersOutside returns the first number that no node takes.
func numbersOutside(c *wire.Config) (field, reason string) {
	r, l := &c.Relay, &c.Limits
	for _, number := range [...]struct {
		field            string
		value, low, high int64
	}{
		{"metrics", int64(c.Metrics), int64(MinInterval), int64(MaxInterval)},
		{"energy", int64(c.Energy), int64(MinInterval), int64(MaxInterval)},
		{"heartbeat", int64(c.Heartbeat), int64(MinInterval), int64(MaxInterval)},
		{"relay.min_on_s", int64(r.MinOn), 0, maxMinimumTime},
		{"relay.min_off_s", int64(r.MinOff), 0, maxMinimumTime},
		{"relay.max_on_s", int64(r.MaxOn), 0, maxOnTime},
		{"relay.max_switches_per_min", int64(r.MaxSwitchesPerMin), 0, MaxSwitches},
		{"limits.current_ma", int64(l.Current), 0, int64(smartmeter.MaxCurrent)},
		{"limits.power_dw", int64(l.Power), 0, int64(smartmeter.MaxPower)},
		{"limits.hold_ms", int64(l.Hold), 0, maxHold},
	} {
		if reason := outside(number.value, number.low, number.high); reason != "" {
			return number.field, reason
		}
	}
	return "", ""
}

// positionsRefused returns the first position that this node cannot take.
func (n *Node) positionsRefused(r *wire.RelayConfig) (field, reason string) {
	switch r.PowerUp {
	case wire.PositionOff, wire.PositionOn:
	case wire.PositionLast:
		if n.settings == nil {
			return "relay.power_up", "this node keeps nothing across power cuts"
		}
	default:
		return "relay.power_up", "not off, on or last"
	}
	if r.Fallback != wire.PositionOff && r.Fallback != wire.PositionOn {
		return "relay.fallback", "not off or on"
	}
	return "", ""
}

// outside returns "" if low <= value <= high, else the reason to refuse it.
func outside(value, low, high int64) string {
	switch {
	case value < low:
		return "below " + strconv.FormatInt(low, 10)
	case value > high:
		return "above " + strconv.FormatInt(high, 10)
	default:
		return ""
	}
}
