package mqtt

import "sync/atomic"

// A Drop says why a message was not delivered, or not kept.
type Drop uint8

// The drops.
const (
	DropQueueFull     Drop = iota // QoS 0, for one subscriber that reads too slowly
	DropNotAuthorized             // refused by Hooks.Authorize, or $SYS
	DropRetainedFull              // delivered, but not kept: the store is full
	DropNotTaken                  // a will that Hooks.Published did not take

	dropCount
)

var dropNames = [dropCount]string{"queue full", "not authorized", "retained store full", "will not taken"}

// String names d in a few words, for logs and metric labels.
func (d Drop) String() string {
	if d >= dropCount {
		return "unknown"
	}
	return dropNames[d]
}

// Stats is what the broker has counted since New, and what it holds now.
type Stats struct {
	Connections      int    // sockets open now
	Clients          int    // of these, admitted
	ConnectionsTotal uint64 // sockets ever accepted, refused ones included

	MessagesReceived uint64 // PUBLISH packets from clients, dropped ones included
	MessagesSent     uint64 // PUBLISH packets to clients
	BytesReceived    uint64
	BytesSent        uint64

	Subscriptions    int // topic filters of clients now
	RetainedMessages int
	RetainedBytes    int

	Dropped   map[Drop]uint64   // every Drop is present
	Closed    map[Reason]uint64 // ended connections; every Reason is present
	Throttled uint64            // times a client was read more slowly, see Limits.PublishRate
	Panics    uint64            // contained panics: each is a bug, in a hook, a handler or here
}

// counters is the broker's own side of Stats.
type counters struct {
	connections      atomic.Uint64
	messagesReceived atomic.Uint64
	messagesSent     atomic.Uint64
	bytesReceived    atomic.Uint64
	bytesSent        atomic.Uint64
	throttled        atomic.Uint64
	panics           atomic.Uint64
	dropped          [dropCount]atomic.Uint64
	closed           [reasonCount]atomic.Uint64
}

// Stats returns the numbers as they are now. They are read one by one, so two
// of them may be a moment apart.
func (b *Broker) Stats() Stats {
	c := &b.counters
	s := Stats{
		ConnectionsTotal: c.connections.Load(),
		MessagesReceived: c.messagesReceived.Load(),
		MessagesSent:     c.messagesSent.Load(),
		BytesReceived:    c.bytesReceived.Load(),
		BytesSent:        c.bytesSent.Load(),
		Throttled:        c.throttled.Load(),
		Panics:           c.panics.Load(),
		Dropped:          make(map[Drop]uint64, dropCount),
		Closed:           make(map[Reason]uint64, reasonCount),
	}
	for d := range dropCount {
		s.Dropped[d] = c.dropped[d].Load()
	}
	for r := reasonNone + 1; r < reasonCount; r++ {
		s.Closed[r] = c.closed[r].Load()
	}
	s.Connections, s.Clients = b.connected()
	s.Subscriptions, s.RetainedMessages, s.RetainedBytes = b.topics.size()
	return s
}
