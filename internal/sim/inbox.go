package sim

import (
	"bytes"
	"sync"

	"github.com/iot-smart-meter/smartmeter"
)

// Peer is a node as its connection sees it. Its methods may be called from any
// goroutine and do not wait for the simulation.
type Peer struct {
	device *device
	inbox  *inbox
}

// ID returns the node's id, which is its MQTT client id.
func (p Peer) ID() smartmeter.NodeID { return p.device.Node }

// Will returns what is to be published when the node is gone, however it went.
func (p Peer) Will() smartmeter.Message { return p.device.core.Will() }

// Subscriptions returns the topics to subscribe to at every connect, with
// QoS 1, in a clean session.
func (p Peer) Subscriptions() []string { return p.device.core.Subscriptions() }

// Connected tells the node that its subscriptions are made. From then on what
// it publishes should be taken.
func (p Peer) Connected() {
	p.device.linked.Store(true)
	p.inbox.put(event{device: p.device, kind: connected})
}

// Disconnected tells the node that nothing it publishes arrives any more.
func (p Peer) Disconnected() {
	p.device.linked.Store(false)
	p.inbox.put(event{device: p.device, kind: disconnected})
}

// Receive hands the node a message, which may be changed afterwards.
func (p Peer) Receive(m smartmeter.Message) {
	m.Payload = bytes.Clone(m.Payload)
	p.inbox.put(event{device: p.device, kind: received, message: m})
}

// event is what happened to a device from outside.
type event struct {
	device  *device
	kind    eventKind
	message smartmeter.Message
}

type eventKind uint8

const (
	connected eventKind = iota
	disconnected
	received
)

// happen tells the node, which answers at once. What is due because of it
// comes with the next second.
func (e event) happen(t smartmeter.Millis) {
	core := e.device.core
	switch e.kind {
	case connected:
		core.Connected(t)
	case disconnected:
		core.Disconnected(t)
	case received:
		core.Receive(t, e.message.Topic, e.message.Payload, e.message.Retained)
	}
	e.device.due = t
}

// maxWaiting bounds the messages that wait between two steps. What comes on
// top is lost, as it would be on a node with little memory.
const maxWaiting = 10_000

// inbox keeps what connections say until the next step.
type inbox struct {
	arrived chan struct{} // gets an element when there is something to take

	mu      sync.Mutex
	waiting []event
	taken   []event // the waiting ones of the time before, for their memory
	dropped int
}

func newInbox() *inbox { return &inbox{arrived: make(chan struct{}, 1)} }

// put never blocks. That a connection came or went is never dropped.
func (b *inbox) put(e event) {
	b.mu.Lock()
	if len(b.waiting) >= maxWaiting && e.kind == received {
		b.dropped++
	} else {
		b.waiting = append(b.waiting, e)
	}
	b.mu.Unlock()
	select {
	case b.arrived <- struct{}{}:
	default:
	}
}

// take returns what has come since the last call. It is valid until the next.
func (b *inbox) take() []event {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(b.taken)
	b.waiting, b.taken = b.taken[:0], b.waiting
	return b.taken
}

// lost returns how many messages were dropped since the last call.
func (b *inbox) lost() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.dropped
	b.dropped = 0
	return n
}
