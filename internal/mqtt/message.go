package mqtt

import "bytes"

// A Message is one publication.
//
// Topic and Payload are shared by everyone the message goes to, and nobody may
// ever modify the payload. What a client has published lies in the buffer that
// its next packet is read into: a hook or a handler that keeps the payload
// beyond its return copies it.
type Message struct {
	Topic   string
	Payload []byte

	// QoS is what the publisher asked for: 0 (at most once) or 1 (at least
	// once).
	QoS byte

	// Retain asks the broker to keep the message for later subscribers. On a
	// delivery it says the opposite of fresh: the message had been kept, and
	// tells nothing about now (MQTT 3.1.1 section 3.3.1.3).
	Retain bool

	// From is who published the message. The broker fills it in; what a caller
	// puts there is not looked at.
	From Identity
}

// kept returns the message as it may be kept: with a payload of its own.
func (m Message) kept() *Message {
	m.Payload = bytes.Clone(m.Payload)
	return &m
}

// An Identity says who is at the other end.
type Identity struct {
	// ClientID is the MQTT client id the connection was admitted under; empty
	// for the embedding program.
	ClientID string

	// User is the account that Hooks.Authenticate named, if any.
	User string

	// Local is true for the embedding program itself, and only for it.
	Local bool
}

// cost is what m weighs against the byte limits of a queue or the retained
// store.
func (m *Message) cost() int { return len(m.Topic) + len(m.Payload) + messageOverhead }

// messageOverhead is roughly what a message occupies beside its topic and
// payload, so that a flood of empty messages is not free.
const messageOverhead = 96
