package board

// The queue's room: a message of the backlog is as long as wire.MaxBacklog
// samples, everything else is a few hundred bytes.
const (
	smallSlots = 12
	smallLen   = 640
	bulkLen    = 7 << 10
)

// Queue holds messages on their way to the broker in memory that never grows:
// some small ones, and one of the backlog. It is a node.Link's other end: a
// message for which there is no room is not taken, and the core offers it again
// if it matters. Calls must not overlap, but what Peek returned may be sent while
// others are put.
type Queue struct {
	slots       [smallSlots]small
	first, next uint32 // of slots, modulo their number
	bulk        large
	sending     bool // the last Peek returned bulk
}

type small struct {
	header
	payload [smallLen]byte
}

type large struct {
	header
	taken   bool
	payload [bulkLen]byte
}

type header struct {
	topic    string
	retained bool
	length   int
}

// Message is one to be sent. Payload is the queue's own, until Sent.
type Message struct {
	Topic    string
	Payload  []byte
	Retained bool
}

// Put takes a message, or returns false.
func (q *Queue) Put(topic string, payload []byte, retained bool) bool {
	h := header{topic, retained, len(payload)}
	switch {
	case len(payload) > bulkLen:
		return false
	case len(payload) > smallLen:
		if q.bulk.taken {
			return false
		}
		q.bulk.header, q.bulk.taken = h, true
		copy(q.bulk.payload[:], payload)
	default:
		if q.next-q.first == smallSlots {
			return false
		}
		slot := &q.slots[q.next%smallSlots]
		slot.header = h
		copy(slot.payload[:], payload)
		q.next++
	}
	return true
}

// Peek returns the message to send next: what is measured now before what was,
// however long the backlog. ok is false if there is none.
func (q *Queue) Peek() (m Message, ok bool) {
	if q.first != q.next {
		q.sending = false
		slot := &q.slots[q.first%smallSlots]
		return Message{slot.topic, slot.payload[:slot.length], slot.retained}, true
	}
	if q.bulk.taken {
		q.sending = true
		return Message{q.bulk.topic, q.bulk.payload[:q.bulk.length], q.bulk.retained}, true
	}
	return Message{}, false
}

// Sent forgets the message that Peek returned last, whatever was put meanwhile.
func (q *Queue) Sent() {
	if q.sending {
		q.bulk.taken = false
	} else if q.first != q.next {
		q.first++
	}
}

// Clear forgets everything: what one session did not send is old in the next.
func (q *Queue) Clear() { q.first, q.bulk.taken = q.next, false }
