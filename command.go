package smartmeter

import "strings"

// Command is one request to move a relay and what became of it, or a movement
// that nobody asked the hub for. Every command has a cause and is kept.
type Command struct {
	ID      string
	Device  DeviceID
	On      bool
	Cause   Cause
	AskedAt Instant
	State   CommandState
	// Watts tells whether the measured power agrees with what the node said.
	Watts WattsVerdict
	// Reason explains rejected, failed and unknown, and why a node moved its relay
	// by itself; "" otherwise.
	Reason string
}

// Cause says why a relay was moved, or was to be, for people to read: "api",
// "schedule 12", "rule 3", "external". What it is comes first, and details after
// a comma: "api, for 30m".
type Cause string

// The causes that need no number.
const (
	CauseAPI      Cause = "api"
	CauseExternal Cause = "external" // another MQTT client
	// The node itself:
	CauseProtection Cause = "protection" // it cut off too much current or power
	CauseLease      Cause = "lease"      // the end of an ON that had one
	CauseMaxOn      Cause = "max_on"     // the longest time on was over
	CauseButton     Cause = "button"     // a person at the node
	CausePowerUp    Cause = "power_up"   // where the relay goes when the power returns
	CauseNode       Cause = "node"       // it did not say why
)

// Word returns what the cause is, without its details.
func (c Cause) Word() Cause {
	word, _, _ := strings.Cut(string(c), ",")
	return Cause(word)
}

// Unasked reports whether nobody asked the hub for what has this cause.
func (c Cause) Unasked() bool {
	switch c.Word() {
	case CauseExternal, CauseProtection, CauseLease, CauseMaxOn, CauseButton, CausePowerUp, CauseNode:
		return true
	default:
		return false
	}
}

// CommandState is how far a command has come.
type CommandState string

// The life of a command. Nothing is called done before the node has said so.
const (
	CommandRequested    CommandState = "requested"
	CommandSent         CommandState = "sent"
	CommandAcknowledged CommandState = "acknowledged"
	CommandRejected     CommandState = "rejected" // the node refused; Reason says why
	CommandExpired      CommandState = "expired"  // it reached the node too late
	CommandUnknown      CommandState = "unknown"  // no answer: the relay may have moved or not
	CommandFailed       CommandState = "failed"   // it never left the hub
)

// Final reports whether no answer can change the state any more.
func (s CommandState) Final() bool {
	return s != CommandRequested && s != CommandSent
}

// WattsVerdict compares a relay's reported position with the measured power.
type WattsVerdict string

// The verdicts; "" while nothing has been measured since the command.
const (
	WattsAgree      WattsVerdict = "agrees"
	WattsDisagree   WattsVerdict = "disagrees"
	WattsCannotTell WattsVerdict = "cannot_tell"
)

// EventKind says what an Event carries.
type EventKind string

// The kinds of events.
const (
	EventReading EventKind = "reading"
	EventDevice  EventKind = "device"
	EventRelay   EventKind = "relay"
	EventCommand EventKind = "command"
	EventAlert   EventKind = "alert"
	// EventReset: a device is gone; what is shown should be fetched anew.
	EventReset EventKind = "reset"
)

// Event is something that happened, for whoever watches.
type Event struct {
	// ID grows with every event, also across restarts of the hub.
	ID     int64
	Kind   EventKind
	Device DeviceID
	// Status is the device as it is after the event.
	Status DeviceStatus
	// Command is set for EventCommand.
	Command *Command
	// Alert is set for EventAlert.
	Alert *Alert
}
