package mqtt

import (
	"cmp"
	"time"
)

// Limits bound what one client, and all of them together, can make the broker
// hold. A field left at zero gets its default; there is no "unlimited".
//
// Past a limit the offender pays, and nobody else notices: it is disconnected
// with a counted Reason, or the oldest QoS 0 message waiting for it is dropped
// and counted, or it is read from more slowly (PublishRate).
type Limits struct {
	// PacketBytes is the largest packet accepted from a client, header
	// included. Default 256 KiB.
	PacketBytes int

	// ConnectBytes is the same before a client has been admitted. Default
	// 16 KiB.
	ConnectBytes int

	// ConnectTimeout is how long a connection may take, TLS handshake
	// included, until its CONNECT is complete. Default 2 s.
	ConnectTimeout time.Duration

	// PacketTimeout is how long a client may pause in the middle of a packet.
	// Default 10 s.
	PacketTimeout time.Duration

	// WriteTimeout is how long a client may leave the broker waiting before it
	// takes another batch of bytes. Default 20 s.
	WriteTimeout time.Duration

	// Connections is how many sockets are open at once, admitted or not.
	// Default 10,000.
	Connections int

	// ConnectionsPerAddress is the same from one network address. Default
	// 2,000: a whole site may sit behind one router.
	ConnectionsPerAddress int

	// InFlight is how many QoS 1 messages are sent to a client ahead of its
	// acknowledgements; at most 65,535. Default 64.
	InFlight int

	// QueueMessages and QueueBytes bound what waits for one session. When they
	// are reached the oldest waiting QoS 0 message makes room; where there is
	// none, a new QoS 0 message is dropped and a new QoS 1 message ends the
	// session, because it must not be lost in silence. Defaults 50,000 and
	// 8 MiB.
	QueueMessages int
	QueueBytes    int

	// RetainedMessages and RetainedBytes bound the retained store. A message
	// that no longer fits is delivered but not kept, and counted; what had been
	// kept for its topic is no longer true, and forgotten. Defaults 100,000 and
	// 64 MiB.
	RetainedMessages int
	RetainedBytes    int

	// Subscriptions is how many topic filters a session may hold. Default
	// 1,024.
	Subscriptions int

	// TopicLevels is how deep a topic or filter may be: a/b/c has three.
	// Default 32.
	TopicLevels int

	// PublishRate is how many messages a second one client may publish, with
	// one second's worth at once. A client above it is not cut off: the broker
	// reads from it no faster than this, and TCP makes the client wait, so
	// that a node catching up after an outage loses nothing. Default 20,000.
	PublishRate int
}

// Bounds of the protocol itself and of what identifies a client.
const (
	maxPacketBytes   = 268_435_455 + 5 // MQTT 3.1.1 section 2.2.3, plus header
	maxPacketID      = 65_535
	maxClientIDBytes = 256
)

// withDefaults fills in what was left at zero and cuts what the protocol
// cannot express.
func (l Limits) withDefaults() Limits {
	return Limits{
		PacketBytes:           min(cmp.Or(l.PacketBytes, 256<<10), maxPacketBytes),
		ConnectBytes:          cmp.Or(l.ConnectBytes, 16<<10),
		ConnectTimeout:        cmp.Or(l.ConnectTimeout, 2*time.Second),
		PacketTimeout:         cmp.Or(l.PacketTimeout, 10*time.Second),
		WriteTimeout:          cmp.Or(l.WriteTimeout, 20*time.Second),
		Connections:           cmp.Or(l.Connections, 10_000),
		ConnectionsPerAddress: cmp.Or(l.ConnectionsPerAddress, 2_000),
		InFlight:              min(cmp.Or(l.InFlight, 64), maxPacketID),
		QueueMessages:         cmp.Or(l.QueueMessages, 50_000),
		QueueBytes:            cmp.Or(l.QueueBytes, 8<<20),
		RetainedMessages:      cmp.Or(l.RetainedMessages, 100_000),
		RetainedBytes:         cmp.Or(l.RetainedBytes, 64<<20),
		Subscriptions:         cmp.Or(l.Subscriptions, 1_024),
		TopicLevels:           cmp.Or(l.TopicLevels, 32),
		PublishRate:           cmp.Or(l.PublishRate, 20_000),
	}
}
