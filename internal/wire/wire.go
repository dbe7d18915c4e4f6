// Package wire is the MQTT contract between nodes and the hub, in both
// directions: which topics there are, and what their payloads say.
//
// It turns bytes from strangers into the system's words and back, and nothing
// else: it holds no connection, keeps no state, reads no clock and decides
// nothing. What a node refuses to be configured to, or what a hub makes of a
// late sample, is theirs to say.
//
// Two generations of nodes speak here. The fielded ones know a handful of
// topics with tiny payloads ("Online", 12.34, three numbers); these forms stay
// byte for byte as they are. Nodes of protocol 1 announce themselves with a
// retained [Info] and add fields and topics of their own: numbered samples that
// are kept until the hub has them, commands with an id and an expiry, leases.
// Whoever reads may treat both alike; an absent field is absent, never zero.
//
// Three promises. Every Decode function is strict: valid UTF-8, JSON as in RFC
// 8259, at most [MaxPayload] bytes and [MaxDepth] levels, no duplicate of a
// field we know, nothing after the end. Unknown fields are welcome, so that the
// contract can grow. Every refusal is a [Reason], a comparable constant that
// can be counted; what else was returned is then of no use, unless the function
// says so. Numbers go from text to the meter's integer steps without a
// float between them, rounded half away from zero.
//
// The package compiles for a microcontroller, so it stays away from
// encoding/json, fmt and reflect; and it sits on the hub's hottest path, so
// decoding and appending samples, acks and states allocates nothing. Only
// strings that are kept (ids, reasons, versions) are copied to the heap.
package wire

import "github.com/iot-smart-meter/smartmeter"

// Limits of the contract. They hold for what is received; Append functions
// trust their caller to stay within them.
const (
	MaxPayload     = 16 << 10 // bytes
	MaxDepth       = 4        // objects and arrays within each other
	MaxBacklog     = 32       // samples in one backlog payload
	MaxIDLen       = 64       // bytes of a command's id
	MaxReasonLen   = 200      // bytes of a reason
	MaxCaps        = 32       // capabilities in an info
	maxNameLen     = 64       // bytes of a version, a model, a capability, a field's name
	maxInstantText = 64       // bytes of a local time
)

// MaxMillis bounds times on the wire, since boot or since 1970: 2^53-1, the
// largest integer that every JSON implementation keeps exactly.
const MaxMillis smartmeter.Millis = 1<<53 - 1
