package wire

import "github.com/iot-smart-meter/smartmeter"

// NodeEventKind says what happened at a node.
type NodeEventKind string

// The kinds of node events.
const (
	NodeOvercurrent  NodeEventKind = "overcurrent"   // cut off; Current is what was measured
	NodeOverpower    NodeEventKind = "overpower"     // cut off; Power is what was measured
	NodeLeaseExpired NodeEventKind = "lease_expired" // the relay went to its fallback
	NodeMaxOn        NodeEventKind = "max_on"        // the relay was on for as long as it may
	NodeButton       NodeEventKind = "button"        // a person moved the relay at the node
	NodeMeterSilent  NodeEventKind = "meter_silent"  // most likely no mains, which is not 0 W
	NodeMeterBack    NodeEventKind = "meter_back"
	NodeReset        NodeEventKind = "reset" // a latched cut-off was cleared
)

// NodeEvent is something that a node did or noticed by itself.
type NodeEvent struct {
	Kind NodeEventKind
	Boot smartmeter.BootID
	T    smartmeter.Millis // since boot, when it happened
	// Relay is the position after the event; unknown if not told.
	Relay smartmeter.RelayState
	// Current and Power are what made the node cut off; 0 for other kinds.
	Current smartmeter.Milliamp
	Power   smartmeter.Deciwatt
}

// DecodeEvent reads event.
func DecodeEvent(p []byte) (NodeEvent, error) {
	var e NodeEvent
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldKind:
			word(&d, &e.Kind, NodeOvercurrent, NodeOverpower, NodeLeaseExpired, NodeMaxOn, NodeButton,
				NodeMeterSilent, NodeMeterBack, NodeReset)
		case fieldBoot:
			d.boot(&e.Boot)
		case fieldT:
			millis(&d, &e.T, 0)
		case fieldState:
			d.state(&e.Relay)
		case fieldCurrentMA:
			saturated(&d, &e.Current)
		case fieldPowerDW:
			saturated(&d, &e.Power)
		default:
			d.skip()
		}
	}
	return e, d.end(fieldKind | fieldBoot | fieldT)
}

// AppendEvent appends e as JSON.
func AppendEvent(dst []byte, e *NodeEvent) []byte {
	dst = append(dst, '{')
	dst = appendText(dst, "kind", e.Kind)
	dst = appendBoot(dst, e.Boot)
	dst = appendInt(dst, "t", e.T)
	dst = appendState(dst, e.Relay)
	dst = appendSet(dst, "current_ma", e.Current)
	dst = appendSet(dst, "power_dw", e.Power)
	return append(dst, '}')
}
