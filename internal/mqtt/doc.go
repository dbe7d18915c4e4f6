// Package mqtt is an MQTT broker to be embedded in a program: small enough to
// be read in an afternoon, and safe to trust with relays.
//
// It knows nothing of meters. It has no disk, no configuration file and no
// topics of its own: the embedding program decides through Hooks who may
// connect, read and write, keeps the retained messages in whatever store it
// has (Retained, RetainedChanges, Restore), and takes part in the traffic by
// Publish and Subscribe, without a socket and without a copy of the payload.
//
// # What it speaks
//
// MQTT 3.1.1 (OASIS Standard, 29 October 2014) with QoS 0 and 1, retained
// messages, wills, keep-alive and takeover of a client id. A client that asks
// for version 5.0 or 3.1 gets the 3.1.1 refusal, CONNACK code 1, which makes
// clients that know several fall back. Three things are served as less than was
// asked for, until they are built:
//
//   - Every session is a clean one. CONNECT with clean session 0 is accepted,
//     and answered with session present 0, as after a loss of the session.
//   - A subscription, or a will, with QoS 2 is granted QoS 1.
//   - A message published with QoS 2 cannot be taken over honestly. It closes
//     the connection, counted as ReasonUnsupported.
//
// Of what the standard leaves open: a message goes to a client once, however
// many of its subscriptions match. Client ids are UTF-8 up to 256 bytes without
// control characters and without +, #, / and *, because they end up in topics
// and permissions and must not mean anything there. An empty one is replaced
// by a random one. Shared subscriptions ($share/…) are refused, and so is
// whatever a client publishes below $SYS, where this broker publishes nothing
// itself: its numbers are Go values (Stats).
//
// # What it promises
//
// Messages of one publisher to one topic arrive in the order in which they
// were published. A new subscription first brings all retained messages that
// match, however many, and each of them either as kept or live, never both,
// and never an older one after a newer.
//
// A publisher never waits for a subscriber. What waits for a slow client is
// bounded; beyond that its oldest QoS 0 messages are dropped and counted, and
// a QoS 1 message that has no room ends its connection, so that it is never
// lost in silence. In-process handlers are the exception: they are called on
// the publisher's goroutine, so that a PUBACK means that the embedding program
// has had the message.
//
// A connection ends completely before another one with the same client id is
// admitted: its will is published, and Hooks.Disconnected has returned. The
// "offline" that a will retains can therefore never replace the "online" that
// the client says next.
//
// A panic, be it in a hook, a handler or here, ends at most the connection it
// happened in. It is counted, and logged with the packet in hand.
//
// # How it is built
//
// A connection is one goroutine, its reader (conn.go), which takes packets
// from a frameReader (reader.go), decodes them (decode.go) and does what they
// ask (connect.go, handle.go, route.go). Subscriptions and retained messages
// share one lock (topics.go over tree.go and retained.go); it is held for
// look-ups and to append to queues, never while a hook or handler runs or a
// socket is written to. What is to be sent waits in the session (session.go,
// queue.go) until the writer (writer.go), a second goroutine that exists only
// then, encodes it (encode.go) and sends it in batches. The answers to a
// client's packets the reader sends itself, as long as that means no waiting.
package mqtt
