package node

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// untold holds the events that the hub has not been told of, the last few.
type untold struct {
	events      [8]wire.NodeEvent
	first, next int
}

// tell has the hub told what the node did by itself, now or when it is
// connected again.
func (n *Node) tell(t smartmeter.Millis, kind wire.NodeEventKind) {
	u := &n.untold
	if u.next-u.first == len(u.events) {
		u.first++
	}
	u.events[u.next%len(u.events)] = wire.NodeEvent{Kind: kind, Boot: n.boot, T: t, Relay: n.position}
	u.next++
	n.pending |= pendingEvents
}

// publishEvents publishes what is untold and reports whether all of it was
// taken.
func (n *Node) publishEvents() bool {
	for u := &n.untold; u.first < u.next; u.first++ {
		if !n.publishEvent(&u.events[u.first%len(u.events)]) {
			return false
		}
	}
	return true
}

// publishEvent publishes one event and reports whether it was taken.
func (n *Node) publishEvent(e *wire.NodeEvent) bool {
	return n.link.Publish(n.topics.event, wire.AppendEvent(n.payload[:0], e), 1, false)
}
