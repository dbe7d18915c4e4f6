package wire

import "github.com/iot-smart-meter/smartmeter"

// Command asks a node to set its relay. In the fielded text form it is no more
// than On; in ours it has an id and expires.
type Command struct {
	ID string // 1 to MaxIDLen bytes
	// Boot and BeforeT make it expire: the node refuses it in another boot, and
	// from BeforeT on, in its own milliseconds since boot.
	Boot    smartmeter.BootID
	BeforeT smartmeter.Millis
	On      bool
	// LeaseUntilT is when an ON falls back by itself unless it is renewed, in
	// the node's milliseconds since boot; 0 for no lease.
	LeaseUntilT smartmeter.Millis
	// Text marks the fielded form, which has none of the other fields but On.
	Text bool
}

// DecodeCommand reads relay/commands in either form.
func DecodeCommand(p []byte) (Command, error) { return Command{}, NotJSON }

// AppendCommand appends c: as text if c.Text, else as JSON.
func AppendCommand(dst []byte, c *Command) []byte { return dst }

// Lease renews the lease of an ON.
type Lease struct {
	Boot        smartmeter.BootID
	LeaseUntilT smartmeter.Millis
}

// DecodeLease reads relay/lease.
func DecodeLease(p []byte) (Lease, error) { return Lease{}, NotJSON }

// AppendLease appends l as JSON.
func AppendLease(dst []byte, l Lease) []byte { return dst }

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
func DecodeCommandAck(p []byte) (CommandAck, error) { return CommandAck{}, NotJSON }

// AppendCommandAck appends a as JSON.
func AppendCommandAck(dst []byte, a *CommandAck) []byte { return dst }

// Reset clears a latched cut-off. It expires as a Command does.
type Reset struct {
	ID      string
	Boot    smartmeter.BootID
	BeforeT smartmeter.Millis
}

// DecodeReset reads protection/reset.
func DecodeReset(p []byte) (Reset, error) { return Reset{}, NotJSON }

// AppendReset appends r as JSON.
func AppendReset(dst []byte, r *Reset) []byte { return dst }
