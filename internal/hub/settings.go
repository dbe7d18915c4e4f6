package hub

import (
	"fmt"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// What a device's node is configured to is its settings: what a person chose,
// and for the rest what is safe for its kind of load. As long as nobody chose a
// kind or anything else, the hub leaves the node as it is.

// EffectiveSettings returns what a device's node is to be configured to. Only
// the intervals that nobody chose stay nil: they are the node's own.
func EffectiveSettings(d smartmeter.Device) smartmeter.Settings {
	s, safe := d.Settings, safeFor(d.Kind)
	if s.PowerUp == "" {
		s.PowerUp = safe.PowerUp
	}
	if s.Fallback == "" {
		s.Fallback = safe.Fallback
	}
	orSafe(&s.MinOn, safe.MinOn)
	orSafe(&s.MinOff, safe.MinOff)
	orSafe(&s.MaxOn, safe.MaxOn)
	orSafe(&s.MaxSwitches, safe.MaxSwitches)
	orSafe(&s.Current, safe.Current)
	orSafe(&s.Power, safe.Power)
	orSafe(&s.Hold, safe.Hold)
	return s
}

func orSafe[T any](chosen **T, safe *T) {
	if *chosen == nil {
		*chosen = safe
	}
}

// defaultLease guards the ON of a load that must not outlive the hub.
const defaultLease = 5 * time.Minute

// safeFor returns what is safe for a kind of load. No limit of current or power
// is: the hub does not know the wires.
func safeFor(kind smartmeter.LoadKind) smartmeter.Settings {
	s := smartmeter.Settings{
		PowerUp: smartmeter.PositionOff, Fallback: smartmeter.PositionOff,
		MinOn: new(smartmeter.Millis), MinOff: new(smartmeter.Millis), MaxOn: new(smartmeter.Millis),
		MaxSwitches: new(int32), Current: new(smartmeter.Milliamp), Power: new(smartmeter.Deciwatt), Hold: new(smartmeter.Millis),
	}
	*s.Hold = 500 // what a motor takes to start
	switch kind {
	case smartmeter.MustStayOn:
		s.PowerUp, s.Fallback = smartmeter.PositionLast, smartmeter.PositionOn
	case smartmeter.Compressor:
		s.PowerUp, *s.MinOff = smartmeter.PositionLast, 300_000 // the pressure has to fall first
	case smartmeter.Heater:
		*s.MaxSwitches = 6
	}
	return s
}

// guarded returns a request with the lease that is the device's kind's default.
func (c *channel) guarded(req SwitchRequest) SwitchRequest {
	info := c.node.info
	if c.device.Kind == smartmeter.Heater && req.On && !req.NoLease && req.For == 0 && req.Lease == 0 && info != nil && info.Has(wire.CapLease) {
		req.Lease = defaultLease
	}
	return req
}

// What nodes take: the same as theirs, see package node, but a node has the last
// word.
const (
	shortestInterval smartmeter.Millis = 1000
	longestInterval  smartmeter.Millis = 3_600_000
	longestRest      smartmeter.Millis = 3_600_000
	longestOn        smartmeter.Millis = 7 * 24 * 3_600_000
	longestHold      smartmeter.Millis = 60_000
	mostSwitches                       = 60
)

// checkSettings says what is wrong with settings, in the words of the API.
func checkSettings(s smartmeter.Settings) error {
	switch s.PowerUp {
	case "", smartmeter.PositionOff, smartmeter.PositionOn, smartmeter.PositionLast:
	default:
		return badSetting("power_up", "must be off, on or last")
	}
	switch s.Fallback {
	case "", smartmeter.PositionOff, smartmeter.PositionOn:
	default:
		return badSetting("fallback", "must be off or on")
	}
	for _, err := range []error{
		within("min_on_s", s.MinOn, 0, longestRest, "from 0 to 3600 seconds; 0 is no limit"),
		within("min_off_s", s.MinOff, 0, longestRest, "from 0 to 3600 seconds; 0 is no limit"),
		within("max_on_s", s.MaxOn, 0, longestOn, "from 0 to 604800 seconds; 0 is no limit"),
		within("max_switches_per_min", s.MaxSwitches, 0, mostSwitches, "from 0 to 60; 0 is no limit"),
		within("max_current", s.Current, 0, smartmeter.MaxCurrent, "from 0 to 100 A; 0 is no limit"),
		within("max_power", s.Power, 0, smartmeter.MaxPower, "from 0 to 26000 W; 0 is no limit"),
		within("hold_ms", s.Hold, 0, longestHold, "from 0 to 60000 milliseconds"),
		within("metrics_ms", s.Metrics, shortestInterval, longestInterval, "from 1000 to 3600000 milliseconds"),
		within("energy_ms", s.Energy, shortestInterval, longestInterval, "from 1000 to 3600000 milliseconds"),
		within("heartbeat_ms", s.Heartbeat, shortestInterval, longestInterval, "from 1000 to 3600000 milliseconds"),
	} {
		if err != nil {
			return err
		}
	}
	if s.MaxOn != nil && s.MinOn != nil && *s.MaxOn != 0 && *s.MaxOn < *s.MinOn {
		return badSetting("max_on_s", "must not be below min_on_s")
	}
	return nil
}

func within[T int32 | smartmeter.Millis | smartmeter.Milliamp | smartmeter.Deciwatt](field string, v *T, low, high T, must string) error {
	if v == nil || *v >= low && *v <= high {
		return nil
	}
	return badSetting(field, "must be "+must)
}

func badSetting(field, must string) error {
	return smartmeter.NewError(smartmeter.Invalid, "body.settings."+field, must)
}

// takesSettings says why a device's node cannot be configured so, nil if it
// can, or if nobody knows yet what it can do. The caller holds mu.
func (c *channel) takesSettings(s smartmeter.Settings) error {
	refuse := func(field, why string) error {
		return smartmeter.NewError(smartmeter.Conflict, "body.settings"+field, c.device.Name+" "+why)
	}
	info := c.node.info
	legacy := info == nil && !c.node.numbered && !c.node.lastSeen.IsZero()
	onlyIntervals := s
	onlyIntervals.Rev, onlyIntervals.Metrics, onlyIntervals.Energy = 0, nil, nil
	limits := s.Current != nil && *s.Current != 0 || s.Power != nil && *s.Power != 0
	switch {
	case c.device.Channel != 0 && s != smartmeter.Settings{}:
		return refuse("", "is a further channel of its node: what configures that are the settings of the first one")
	case legacy && onlyIntervals != smartmeter.Settings{}:
		return refuse("", "has a node of protocol 0, which knows metrics_ms and energy_ms and nothing else; it protects nothing by itself")
	case limits && info != nil && !info.Has(wire.CapLimits):
		return refuse("", "has a node that cannot cut off by itself: it does not announce \"limits\" in its info; leave out max_current and max_power")
	default:
		return nil
	}
}

// nextRev names a new configuration. It grows, and no other hub or earlier life
// of a device is likely to have given it to the same node.
func nextRev(before uint32, now time.Time) uint32 {
	return max(before+1, uint32(max(0, now.Unix())))
}

// configOf puts settings into the node's words.
func configOf(s smartmeter.Settings) wire.Config {
	seconds := func(d *smartmeter.Millis) wire.Seconds { return wire.Seconds(*d / 1000) }
	c := wire.Config{
		Rev: s.Rev,
		Relay: wire.RelayConfig{
			PowerUp: s.PowerUp, Fallback: s.Fallback,
			MinOn: seconds(s.MinOn), MinOff: seconds(s.MinOff), MaxOn: seconds(s.MaxOn),
			MaxSwitchesPerMin: *s.MaxSwitches,
		},
		Limits: wire.Limits{Current: *s.Current, Power: *s.Power, Hold: *s.Hold},
	}
	for chosen, into := range map[*smartmeter.Millis]*smartmeter.Millis{s.Metrics: &c.Metrics, s.Energy: &c.Energy, s.Heartbeat: &c.Heartbeat} {
		if chosen != nil {
			*into = *chosen
		}
	}
	return c
}

// apiField returns the API's name of a field that a node refused.
func apiField(field string) string {
	if name, known := map[string]string{
		"metrics": "metrics_ms", "energy": "energy_ms", "heartbeat": "heartbeat_ms",
		"relay.power_up": "power_up", "relay.fallback": "fallback",
		"relay.min_on_s": "min_on_s", "relay.min_off_s": "min_off_s", "relay.max_on_s": "max_on_s",
		"relay.max_switches_per_min": "max_switches_per_min",
		"limits":                     "max_current", "limits.current_ma": "max_current", "limits.power_dw": "max_power", "limits.hold_ms": "hold_ms",
	}[field]; known {
		return name
	}
	return fmt.Sprintf("%.64s", field)
}
