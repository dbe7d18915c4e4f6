package mqtt

import (
	"errors"
	"strings"
	"sync"
)

var errNotTaken = errors.New("message was not taken")

// receive takes a message from a client: the first message of a session, a
// will, a retained one, they all come through here. An error ends the
// connection.
func (b *Broker) receive(m Message) error {
	if isSystem(m.Topic) || !b.allowed(m.From, Write, m.Topic, m.Retain, m.QoS) {
		b.counters.dropped[DropNotAuthorized].Add(1)
		return nil
	}
	if published := b.hooks.Published; published != nil {
		if err := published(m); err != nil {
			return &closeError{ReasonNotTaken, errNotTaken.Error() + ": " + err.Error()}
		}
	}
	b.route(m)
	return nil
}

// isSystem tells whether topic belongs to the broker itself.
func isSystem(topic string) bool {
	return topic == "$SYS" || strings.HasPrefix(topic, "$SYS/")
}

func (b *Broker) allowed(who Identity, access Access, topic string, retain bool, qos byte) bool {
	authorize := b.hooks.Authorize
	return authorize == nil || authorize(who, access, topic, retain, qos)
}

// route delivers m: to sessions through their queues, to in-process handlers
// by calling them here and now.
func (b *Broker) route(m Message) {
	found := matchesPool.Get().(*matches)
	if !b.topics.publish(m, found) {
		b.counters.dropped[DropRetainedFull].Add(1)
	}
	if len(found.handlers) > 0 {
		live := m
		live.Retain = false
		for _, h := range found.handlers {
			h.deliver(live)
		}
	}
	// Clearing a map takes as long as it was ever big.
	if len(found.sessions) <= 64 {
		found.reset()
		matchesPool.Put(found)
	}
}

var matchesPool = sync.Pool{New: func() any {
	return &matches{sessions: make(map[*session]byte)}
}}

// publishWill publishes the will of a client that is gone. It can no longer be
// told what came of it.
func (b *Broker) publishWill(m Message) {
	if err := b.receive(m); err != nil {
		b.counters.dropped[DropNotTaken].Add(1)
		b.log.Warn("will not taken", "client", m.From.ClientID, "topic", m.Topic, "error", err)
	}
}
