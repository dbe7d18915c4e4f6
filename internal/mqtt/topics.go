package mqtt

import (
	"math"
	"sync"
)

// topics joins the two things that hang on a topic, who wants its messages and
// the one that is kept. Both change under one lock: that is how a subscriber
// gets each retained message exactly once, either as kept or live, and never
// an older one after a newer. Queueing for a session is done under the lock,
// too, so that what its subscribers saw last is what is kept, whoever else
// publishes at the same time; in-process handlers are called without it.
//
// The locks of sessions and their outboxes come after this one.
type topics struct {
	limits *Limits

	mu       sync.RWMutex
	tree     tree
	retained retainedStore
}

// publish keeps m if it asks for that, queues it for the sessions concerned,
// and adds the handlers concerned to found. It reports whether m was kept if
// it was to be.
func (t *topics) publish(m Message, found *matches) (kept bool) {
	if m.Retain {
		t.mu.Lock()
		defer t.mu.Unlock()
	} else {
		t.mu.RLock()
		defer t.mu.RUnlock()
	}
	t.tree.match(m.Topic, found)
	if !m.Retain && len(found.sessions) == 0 {
		return true // what nodes say is mostly for handlers alone, and leaves nothing behind
	}
	shared := m.kept()
	kept = !m.Retain || t.retained.put(shared, t.limits)
	for s, qos := range found.sessions {
		s.deliver(shared, min(qos, m.QoS))
	}
	return kept
}

// restore keeps m without telling anyone.
func (t *topics) restore(m *Message) (kept bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.retained.put(m, t.limits)
}

// subscribe returns the walk through the retained messages that belongs to the
// new subscription.
func (t *topics) subscribe(filter string, s *session, qos byte) *replay {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tree.subscribe(filter, s, qos)
	return newReplay(filter, qos, t.retained.version)
}

func (t *topics) unsubscribe(filter string, s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tree.unsubscribe(filter, s)
}

// leave removes all subscriptions of a session.
func (t *topics) leave(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for filter := range s.filters {
		t.tree.unsubscribe(filter, s)
	}
}

func (t *topics) addHandler(h *handler) *replay {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tree.addHandler(h)
	return newReplay(h.filter, 1, t.retained.version)
}

func (t *topics) removeHandler(h *handler) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tree.removeHandler(h)
}

// page returns the next part of a replay: at most count messages, and no more
// once they exceed size bytes.
func (t *topics) page(p *replay, count, size int) []*Message {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.retained.page(nil, p, count, size)
}

// all returns a walk through everything that is kept at any time, topics that
// start with $ included.
func (t *topics) all() *replay {
	return &replay{levels: []string{"#"}, until: math.MaxUint64}
}

// size returns how many subscriptions of sessions there are, and how many
// retained messages of how many bytes.
func (t *topics) size() (subscriptions, messages, bytes int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.tree.count, t.retained.count, t.retained.bytes
}

// changes counts the changes of the retained messages.
func (t *topics) changes() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.retained.changes
}
