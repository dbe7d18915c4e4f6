package mqtt

import (
	"slices"
	"strings"
)

// A tree holds subscriptions by the levels of their filters, so that finding
// those that match a topic costs a few look-ups for each of its levels, however
// many there are. The zero value is empty. It does no locking.
type tree struct {
	root  treeNode
	count int // subscriptions of sessions
}

// A treeNode stands for one filter prefix. The wildcards have their own
// pointers, since every step of a match looks at them.
type treeNode struct {
	children map[string]*treeNode
	plus     *treeNode
	hash     *treeNode
	sessions []sessionEntry
	handlers []*handler
}

type sessionEntry struct {
	session *session
	qos     byte
}

// matches collects who gets one message: a session once, with the highest QoS
// of its overlapping subscriptions (MQTT 3.1.1 section 3.3.5), an in-process
// handler once for each of its subscriptions.
type matches struct {
	sessions map[*session]byte
	handlers []*handler
}

func (m *matches) reset() {
	clear(m.sessions)
	clear(m.handlers)
	m.handlers = m.handlers[:0]
}

// subscribe adds or replaces the subscription of s to filter.
func (t *tree) subscribe(filter string, s *session, qos byte) {
	n := t.root.make(filter)
	i := slices.IndexFunc(n.sessions, func(e sessionEntry) bool { return e.session == s })
	if i >= 0 {
		n.sessions[i].qos = qos
		return
	}
	n.sessions = append(n.sessions, sessionEntry{s, qos})
	t.count++
}

// unsubscribe removes the subscription of s to filter, if there is one.
func (t *tree) unsubscribe(filter string, s *session) {
	t.root.prune(filter, func(n *treeNode) {
		before := len(n.sessions)
		n.sessions = slices.DeleteFunc(n.sessions, func(e sessionEntry) bool { return e.session == s })
		t.count -= before - len(n.sessions)
	})
}

func (t *tree) addHandler(h *handler) {
	n := t.root.make(h.filter)
	n.handlers = append(n.handlers, h)
}

func (t *tree) removeHandler(h *handler) {
	t.root.prune(h.filter, func(n *treeNode) {
		n.handlers = slices.DeleteFunc(n.handlers, func(other *handler) bool { return other == h })
	})
}

// match adds all subscriptions that match topic to m.
func (t *tree) match(topic string, m *matches) {
	if strings.HasPrefix(topic, "$") {
		// Only filters that name this first level see it.
		level, rest, more := strings.Cut(topic, "/")
		if child := t.root.children[level]; child != nil {
			child.descend(rest, more, m)
		}
		return
	}
	t.root.match(topic, m)
}

func (n *treeNode) match(topic string, m *matches) {
	level, rest, more := strings.Cut(topic, "/")
	if child := n.children[level]; child != nil {
		child.descend(rest, more, m)
	}
	if n.plus != nil {
		n.plus.descend(rest, more, m)
	}
	if n.hash != nil {
		n.hash.collect(m)
	}
}

// descend goes on with what is left of a topic below n. At its end a/# matches
// a, too.
func (n *treeNode) descend(rest string, more bool, m *matches) {
	if more {
		n.match(rest, m)
		return
	}
	n.collect(m)
	if n.hash != nil {
		n.hash.collect(m)
	}
}

func (n *treeNode) collect(m *matches) {
	for _, e := range n.sessions {
		m.sessions[e.session] = max(m.sessions[e.session], e.qos)
	}
	m.handlers = append(m.handlers, n.handlers...)
}

// make returns the node of filter, which it creates if need be.
func (n *treeNode) make(filter string) *treeNode {
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		child := n.child(level)
		if child == nil {
			child = &treeNode{}
			n.setChild(level, child)
		}
		n = child
	}
	return n
}

// prune applies remove to the node of filter and takes out the nodes that are
// empty afterwards.
func (n *treeNode) prune(filter string, remove func(*treeNode)) {
	level, rest, more := strings.Cut(filter, "/")
	child := n.child(level)
	switch {
	case child == nil:
		return
	case more:
		child.prune(rest, remove)
	default:
		remove(child)
	}
	if child.empty() {
		n.setChild(level, nil)
	}
}

func (n *treeNode) empty() bool {
	return len(n.sessions) == 0 && len(n.handlers) == 0 && len(n.children) == 0 && n.plus == nil && n.hash == nil
}

func (n *treeNode) child(level string) *treeNode {
	switch level {
	case "+":
		return n.plus
	case "#":
		return n.hash
	default:
		return n.children[level]
	}
}

// setChild puts child below n; nil takes it out.
func (n *treeNode) setChild(level string, child *treeNode) {
	switch {
	case level == "+":
		n.plus = child
	case level == "#":
		n.hash = child
	case child == nil:
		delete(n.children, level)
	default:
		if n.children == nil {
			n.children = make(map[string]*treeNode)
		}
		n.children[level] = child
	}
}
