package session

import (
	"sync"

	"github.com/iot-smart-meter/smartmeter/internal/board"
)

// Outbox is a node's way to its broker, see node.Link: it takes messages while
// there is a session, in memory that never grows.
type Outbox struct {
	mu    sync.Mutex
	queue board.Queue
	open  bool
	wake  chan struct{}
}

// NewOutbox returns one that takes nothing until there is a session.
func NewOutbox() *Outbox { return &Outbox{wake: make(chan struct{}, 1)} }

// Publish takes a message, see node.Link. Everything goes out with QoS 0: the
// library knows no other, and what must not be lost has a receipt of its own.
func (o *Outbox) Publish(topic string, payload []byte, _ uint8, retained bool) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.open || !o.queue.Put(topic, payload, retained) {
		return false
	}
	select {
	case o.wake <- struct{}{}:
	default:
	}
	return true
}

// set opens or closes it; what one session did not send is old in the next.
func (o *Outbox) set(open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.open = open
	o.queue.Clear()
}

func (o *Outbox) peek() (board.Message, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.queue.Peek()
}

func (o *Outbox) sent() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue.Sent()
}
