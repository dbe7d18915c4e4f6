package wire

import "github.com/iot-smart-meter/smartmeter"

// NodeEventKind says what happened at a node.
type NodeEventKind string

// The kinds of node events.
const (
	NodeOvercurrent  NodeEventKind = "overcurrent"   // cut off; Current is what was measured
	NodeOverpower    NodeEventKind = "overpower"     // cut off; Power is what was measured
	NodeLeaseExpired NodeEventKind = "lease_expired" // the relay went to its fallback
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
func DecodeEvent(p []byte) (NodeEvent, error) { return NodeEvent{}, NotJSON }

// AppendEvent appends e as JSON.
func AppendEvent(dst []byte, e *NodeEvent) []byte { return dst }

// ThresholdAlert tells people's apps that a device used more than its limit.
type ThresholdAlert struct {
	Consumption smartmeter.WattHour
	Limit       smartmeter.WattHour
	ExceededAt  string // local time in ISO 8601, without a zone
}

// DecodeThresholdAlert reads threshold/alert.
func DecodeThresholdAlert(p []byte) (ThresholdAlert, error) { return ThresholdAlert{}, NotJSON }

// AppendThresholdAlert appends a as JSON, energies in kWh.
func AppendThresholdAlert(dst []byte, a *ThresholdAlert) []byte { return dst }
