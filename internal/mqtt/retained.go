package mqtt

import (
	"bytes"
	"slices"
	"strings"
)

// A retainedStore keeps the last retained message of every topic.
//
// Subscribers do not get a copy of what matches: they walk through the store
// page by page, as fast as they read, and remember where they were by name.
// Twenty thousand messages for a slow subscriber therefore weigh nothing, and
// the store may change under the walk. It does no locking.
type retainedStore struct {
	root    retainedNode
	count   int
	bytes   int
	version uint64 // stamps every message put or removed
	changes uint64 // counts those that made a difference to the content
}

// A retainedNode stands for a topic prefix. Children are sorted by level, so
// that a walk can go on behind any name.
type retainedNode struct {
	level    string
	message  *Message // nil for none
	version  uint64   // of message
	children []*retainedNode
}

// put keeps m, or forgets the topic of m if its payload is empty (MQTT 3.1.1
// section 3.3.1.3). It reports whether m was within the limits; if not, the
// store forgets the topic, since what it held is no longer true.
func (r *retainedStore) put(m *Message, limits *Limits) bool {
	r.version++
	if len(m.Payload) == 0 {
		r.remove(m.Topic)
		return true
	}
	old := r.get(m.Topic)
	count, size := r.count+1, r.bytes+m.cost()
	if old != nil {
		count, size = count-1, size-old.cost()
	}
	if count > limits.RetainedMessages || size > limits.RetainedBytes {
		r.remove(m.Topic)
		return false
	}
	if old == nil || old.QoS != m.QoS || !bytes.Equal(old.Payload, m.Payload) {
		r.changes++
	}
	n := r.root.make(m.Topic)
	n.message, n.version = m, r.version
	r.count, r.bytes = count, size
	return true
}

func (r *retainedStore) get(topic string) *Message {
	n := &r.root
	for rest, more := topic, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		i, found := n.find(level)
		if !found {
			return nil
		}
		n = n.children[i]
	}
	return n.message
}

func (r *retainedStore) remove(topic string) {
	old := r.get(topic)
	if old == nil {
		return
	}
	r.root.remove(topic)
	r.count--
	r.bytes -= old.cost()
	r.changes++
}

// A replay is a subscriber's walk through the retained messages that match a
// filter, as far as they were there when it subscribed: newer ones reach it
// live, and must not arrive twice or before their elders.
type replay struct {
	filter string
	qos    byte
	levels []string
	until  uint64   // version of the store when the walk was ordered
	after  []string // levels of the last topic seen; nil at the start
	done   bool
}

func newReplay(filter string, qos byte, until uint64) *replay {
	return &replay{filter: filter, qos: qos, levels: levels(filter), until: until}
}

// page appends the next messages of p to dst until it holds count of them, or
// size bytes, or the walk is done.
func (r *retainedStore) page(dst []*Message, p *replay, count, size int) []*Message {
	var last string
	p.done = r.root.walk(p.levels, p.after, func(n *retainedNode) bool {
		last = n.message.Topic
		if n.version <= p.until && !hidden(p.filter, last) {
			dst = append(dst, n.message)
			size -= n.message.cost()
		}
		return len(dst) < count && size > 0
	})
	if !p.done {
		p.after = levels(last)
	}
	return dst
}

// walk visits every message at or below n that the filter levels match and
// that comes behind the topic levels in after, in order, until visit returns
// false; it reports whether it came to the end. A nil after is behind us, an
// empty one is n itself.
func (n *retainedNode) walk(filter, after []string, visit func(*retainedNode) bool) bool {
	hash := len(filter) > 0 && filter[0] == "#"
	if n.message != nil && after == nil && (hash || len(filter) == 0) && !visit(n) {
		return false
	}
	if len(filter) == 0 {
		return true
	}
	from, to := n.candidates(filter[0], after)
	if !hash {
		filter = filter[1:]
	}
	for _, child := range n.children[from:to] {
		var rest []string
		if len(after) > 0 && child.level == after[0] {
			rest = after[1:]
		}
		if !child.walk(filter, rest, visit) {
			return false
		}
	}
	return true
}

// candidates returns the range of children that the filter level matches and
// that do not lie before after.
func (n *retainedNode) candidates(level string, after []string) (from, to int) {
	to = len(n.children)
	if len(after) > 0 {
		from, _ = n.find(after[0])
	}
	if level == "+" || level == "#" {
		return from, to
	}
	i, found := n.find(level)
	if !found || i < from {
		return 0, 0
	}
	return i, i + 1
}

func (n *retainedNode) find(level string) (int, bool) {
	return slices.BinarySearchFunc(n.children, level, func(c *retainedNode, level string) int {
		return strings.Compare(c.level, level)
	})
}

// make returns the node of topic, which it creates if need be.
func (n *retainedNode) make(topic string) *retainedNode {
	for rest, more := topic, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		i, found := n.find(level)
		if !found {
			n.children = slices.Insert(n.children, i, &retainedNode{level: level})
		}
		n = n.children[i]
	}
	return n
}

// remove takes the message of topic, which exists, out, and the nodes that are
// empty afterwards.
func (n *retainedNode) remove(topic string) {
	level, rest, more := strings.Cut(topic, "/")
	i, _ := n.find(level)
	child := n.children[i]
	if more {
		child.remove(rest)
	} else {
		child.message = nil
	}
	if child.message == nil && len(child.children) == 0 {
		n.children = slices.Delete(n.children, i, i+1)
	}
}
