package hub

import (
	"fmt"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Protection says in plain words what a device's node does by itself, without
// hub or network: one sentence for each thing, and first what stands in the way
// of the others. It is empty where there is no relay.
func Protection(s smartmeter.DeviceStatus) []string {
	if s.Relay.State == smartmeter.RelayNone {
		return nil
	}
	switch {
	case s.Protocol == 0 && s.LastSeen != 0:
		return []string{"This node obeys on and off and no more: it protects nothing by itself, and an ON lasts until somebody ends it."}
	case s.Configured.State == smartmeter.ConfigNone:
		return []string{"The hub has not configured this node: it does what it was set to before. Say what hangs on it, and it gets what is safe for that."}
	}
	var words []string
	switch c := s.Configured; c.State {
	case smartmeter.ConfigRefused:
		words = append(words, fmt.Sprintf("The node refused what follows, and keeps what it had: %s, %s.", c.Field, c.Reason))
	case smartmeter.ConfigWaiting:
		words = append(words, "The node does what follows from when it is back.")
	case smartmeter.ConfigSent:
		words = append(words, "The node was told what follows, and has not answered yet.")
	}
	e := EffectiveSettings(s.Device)
	return append(append(words, limitWords(e)...), relayWords(e, s.Device.Kind)...)
}

func limitWords(e smartmeter.Settings) []string {
	limit := ""
	switch {
	case *e.Current != 0 && *e.Power != 0:
		limit = amperes(*e.Current) + " or " + watts(*e.Power)
	case *e.Current != 0:
		limit = amperes(*e.Current)
	case *e.Power != 0:
		limit = watts(*e.Power)
	default:
		return []string{"It cuts nothing off by itself: no limit of current or power is set."}
	}
	return []string{fmt.Sprintf("Beyond %s for %s it cuts off, and stays off until somebody resets it.", limit, lasting(*e.Hold))}
}

func relayWords(e smartmeter.Settings, kind smartmeter.LoadKind) (words []string) {
	say := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	rest := ""
	if *e.MinOff != 0 && e.PowerUp != smartmeter.PositionOff {
		rest = ", after a rest of " + lasting(*e.MinOff)
	}
	switch e.PowerUp {
	case smartmeter.PositionOn:
		say("After a power cut it goes on%s.", rest)
	case smartmeter.PositionLast:
		say("After a power cut it goes back to where it was%s.", rest)
	default:
		say("After a power cut it stays off.")
	}
	if kind == smartmeter.Heater {
		say("Switched on, it goes off within %s if the hub dies.", lasting(smartmeter.Millis(defaultLease.Milliseconds())))
	}
	if e.Fallback == smartmeter.PositionOn && kind != smartmeter.MustStayOn {
		say("When a lease runs out it stays on.")
	}
	if *e.MinOff != 0 {
		say("It rests for %s at least before it goes on again.", lasting(*e.MinOff))
	}
	if *e.MinOn != 0 {
		say("It stays on for %s at least.", lasting(*e.MinOn))
	}
	if *e.MaxOn != 0 {
		say("It goes off after %s.", lasting(*e.MaxOn))
	}
	if *e.MaxSwitches != 0 {
		say("It switches at most %d times a minute.", *e.MaxSwitches)
	}
	return words
}

// lasting writes a duration for people.
func lasting(d smartmeter.Millis) string {
	switch d := time.Duration(d) * time.Millisecond; {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= time.Minute && d%time.Minute == 0:
		return fmt.Sprintf("%d min", d/time.Minute)
	default:
		return fmt.Sprintf("%g s", d.Seconds())
	}
}
