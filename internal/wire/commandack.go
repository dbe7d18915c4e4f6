package wire

import "github.com/iot-smart-meter/smartmeter"

// Result is what became of a command at the node.
type Result string

// The results.
const (
	ResultDone      Result = "done"
	ResultRejected  Result = "rejected"  // Reason says why
	ResultDuplicate Result = "duplicate" // this id was already obeyed
	ResultExpired   Result = "expired"   // too late, or meant for another boot
)

// CommandAck is a node's answer to a command.
type CommandAck struct {
	ID     string
	Result Result
	// State is the relay's position after the command; unknown if not told.
	State  smartmeter.RelayState
	Reason string // "" if there is none; at most MaxReasonLen bytes
}

// DecodeCommandAck reads relay/ack.
func DecodeCommandAck(p []byte) (CommandAck, error) {
	var a CommandAck
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldID:
			d.text(&a.ID, MaxIDLen)
		case fieldResult:
			word(&d, &a.Result, ResultDone, ResultRejected, ResultDuplicate, ResultExpired)
		case fieldState:
			d.state(&a.State)
		case fieldReason:
			d.text(&a.Reason, MaxReasonLen)
		default:
			d.skip()
		}
	}
	return a, d.end(fieldID | fieldResult)
}

// AppendCommandAck appends a as JSON.
func AppendCommandAck(dst []byte, a *CommandAck) []byte {
	dst = append(dst, '{')
	dst = appendText(dst, "id", a.ID)
	dst = appendText(dst, "result", a.Result)
	dst = appendState(dst, a.State)
	dst = appendText(dst, "reason", a.Reason)
	return append(dst, '}')
}
