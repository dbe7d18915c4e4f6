// Package smartmeter holds the words of the system: what a node, a device, a
// reading and a command are, and what can go wrong with them.
//
// Every room below internal/ imports these words; this package imports nothing
// of the module, does no I/O, reads no clock and starts no goroutine. It also
// compiles for a microcontroller, so it stays away from fmt, encoding/json and
// reflect.
//
// Quantities are integers in the meter's own steps (0.1 V, 1 mA, 0.1 W, 1 Wh,
// 0.1 Hz, 0.01). What was measured therefore survives every hop bit for bit;
// only the edge, an API reply or a chart, turns it into volts and watts.
package smartmeter

import "time"

// Instant is a moment as milliseconds since 1970-01-01 UTC. The zero value
// means "not known".
type Instant int64

// InstantOf returns t to the millisecond.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time returns i in UTC. The zero Instant gives the zero time.
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(i)).UTC()
}

// Millis is a duration or, where a comment says so, the time since a node's
// boot, in milliseconds.
type Millis int64

// A Message is one MQTT publication, coming or going.
type Message struct {
	Topic   string
	Payload []byte
	QoS     uint8 // 0, 1 or 2
	// Retained is set on a delivery that the broker had kept: it says nothing
	// about now. On a publication it asks the broker to keep it.
	Retained bool
	// From is who published the message, where the broker tells.
	From Identity
}

// Identity says who is at the other end of a connection.
type Identity struct {
	// ClientID is the MQTT client id; for a node it is the node's id. Empty for
	// the hub itself and where an external broker does not tell.
	ClientID string
}
