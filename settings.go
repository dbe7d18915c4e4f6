package smartmeter

// Settings is how a device's node shall treat its relay when nobody commands
// it, when it cuts off by itself, and how often it speaks. What is nil or ""
// nobody has chosen: the load kind decides, and of the intervals the node. The
// values that pointers point to are never changed.
type Settings struct {
	// Rev names this configuration: another one has a higher. With 0 nobody has
	// configured anything, and the hub leaves the node as it is.
	Rev uint32 `json:",omitempty"`

	PowerUp  Position `json:",omitempty"` // where the relay goes when the power returns
	Fallback Position `json:",omitempty"` // where a lease that runs out leads: off or on

	MinOn, MinOff, MaxOn *Millis `json:",omitempty"` // 0 is no limit
	// MaxSwitches is how often the relay may move in a minute; 0 is no limit.
	MaxSwitches *int32 `json:",omitempty"`

	// Beyond Current or Power for Hold the node cuts off; 0 is no limit.
	Current *Milliamp `json:",omitempty"`
	Power   *Deciwatt `json:",omitempty"`
	Hold    *Millis   `json:",omitempty"`

	Metrics, Energy, Heartbeat *Millis `json:",omitempty"` // between two messages
}

// Position is where a relay goes by itself.
type Position string

// The positions.
const (
	PositionOff  Position = "off"
	PositionOn   Position = "on"
	PositionLast Position = "last" // as it was before the power failed
)

// Configured says how far a device's settings have come.
type Configured struct {
	State ConfigState
	// Field and Reason say what the node refused, and why, in its own words.
	Field, Reason string
}

// ConfigState is how far a configuration has come.
type ConfigState string

// The states of a configuration.
const (
	ConfigNone    ConfigState = "none"     // the hub leaves the node as it is
	ConfigWaiting ConfigState = "waiting"  // for the node to be there
	ConfigSent    ConfigState = "sent"     // and not answered yet
	ConfigInForce ConfigState = "in_force" // the node has said so
	ConfigRefused ConfigState = "refused"  // the node keeps what it had
	ConfigTold    ConfigState = "told"     // to a node that never says what it made of it
)
