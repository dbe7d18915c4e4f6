package sim

import (
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Broker is a broker in memory, with the links of its nodes and their faults.
// It keeps no queue for anybody who is away, and it stores retained commands if
// a client is so foolish to send them: not all brokers refuse.
type Broker struct {
	agenda *Agenda

	mu       sync.Mutex
	down     bool
	retained map[string]smartmeter.Message
	lines    []*line
	hub      *Session // nil while none is connected
}

// NewBroker returns a broker whose links work with agenda.
func NewBroker(agenda *Agenda) *Broker {
	return &Broker{agenda: agenda, retained: make(map[string]smartmeter.Message)}
}

// Session is a hub's connection to a broker, as in one process with it. It is
// what package hub calls a Bus.
type Session struct {
	broker        *Broker
	subscriptions []subscription
}

type subscription struct {
	prefix string // of the topics it matches
	handle func(smartmeter.Message)
}

// Connect returns the connection of a hub, in place of that of the hub before,
// which is dead then.
func (b *Broker) Connect() *Session {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hub = &Session{broker: b}
	return b.hub
}

// Disconnect ends a hub's connection: that hub hears and says nothing more.
func (b *Broker) Disconnect() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hub = nil
}

var errBrokerDown = errors.New("the simulated broker is down")

// Publish hands m to the broker. It fails while that is down.
func (s *Session) Publish(m smartmeter.Message) error {
	s.broker.mu.Lock()
	lost := s.broker.down || s.broker.hub != s
	s.broker.mu.Unlock()
	if lost {
		return errBrokerDown
	}
	s.broker.Publish(m)
	return nil
}

// Subscribe has handle called for every message below filter, which must end in
// wildcards, what was kept first.
func (s *Session) Subscribe(filter string, handle func(smartmeter.Message)) error {
	sub := subscription{strings.TrimRight(filter, "+/#"), handle}
	s.broker.mu.Lock()
	s.subscriptions = append(s.subscriptions, sub)
	kept := s.broker.kept()
	s.broker.mu.Unlock()
	for _, m := range kept {
		if strings.HasPrefix(m.Topic, sub.prefix) {
			handle(m)
		}
	}
	return nil
}

// kept returns the retained messages, by topic, as they are delivered. The
// caller holds mu.
func (b *Broker) kept() []smartmeter.Message {
	var all []smartmeter.Message
	for _, topic := range slices.Sorted(maps.Keys(b.retained)) {
		m := b.retained[topic]
		m.Retained = true
		all = append(all, m)
	}
	return all
}

// Publish takes a message of any client, and lets it go its ways. Nobody is
// called before the agenda's next entries: whoever publishes may hold locks.
func (b *Broker) Publish(m smartmeter.Message) {
	m.Payload = slices.Clone(m.Payload)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return
	}
	b.keep(m)
	m.Retained = false
	b.agenda.After(time.Microsecond, func() { b.tellHub(m) })
	for _, l := range b.lines {
		if l.open && slices.Contains(l.subscriptions, m.Topic) {
			l.send(m)
		}
	}
}

// keep retains a message, or forgets one if it is empty. The caller holds mu.
func (b *Broker) keep(m smartmeter.Message) {
	switch {
	case !m.Retained:
	case len(m.Payload) == 0:
		delete(b.retained, m.Topic)
	default:
		b.retained[m.Topic] = m
	}
}

// tellHub delivers a message to the hub.
func (b *Broker) tellHub(m smartmeter.Message) {
	b.mu.Lock()
	var subscriptions []subscription
	if b.hub != nil && !b.down {
		subscriptions = b.hub.subscriptions
	}
	b.mu.Unlock()
	for _, s := range subscriptions {
		if strings.HasPrefix(m.Topic, s.prefix) {
			s.handle(m)
		}
	}
}

// Kill takes the broker down, and every link with it. It forgets what it
// retained if its disk was lost, too.
func (b *Broker) Kill(forget bool) {
	b.mu.Lock()
	b.down = true
	if forget {
		clear(b.retained)
	}
	lines := b.lines
	b.mu.Unlock()
	for _, l := range lines {
		l.cut(0, 0)
	}
}

// Revive brings the broker back. Nodes find it when they try next, and a hub
// that is connected gets what is retained.
func (b *Broker) Revive() {
	b.mu.Lock()
	b.down = false
	kept := b.kept()
	b.mu.Unlock()
	for _, m := range kept {
		b.tellHub(m)
	}
}

// line is one node's link to the broker. What is on it is in the agenda.
type line struct {
	broker        *Broker
	end           end
	will          smartmeter.Message
	subscriptions []string
	chance        *rand.Rand

	// The broker's mu guards what follows.
	faults     Faults
	linked     bool          // the node believes that it is connected
	open       bool          // the broker believes so
	dead       bool          // and nothing passes
	connection int           // how many there have been
	barred     time.Duration // until when there is none
	// On an orderly link nothing arrives before what was sent before it.
	latestUp, latestDown time.Duration
}

// end is who is at the other end of a line.
type end interface {
	connected()
	disconnected()
	receive(m smartmeter.Message)
}

// connect makes a new connection, in place of the one before, if it can.
func (l *line) connect() bool {
	b := l.broker
	b.mu.Lock()
	if b.down || b.agenda.Now() < l.barred {
		b.mu.Unlock()
		return false
	}
	replaced := l.open
	l.linked, l.open, l.dead = true, true, false
	l.connection++
	kept := b.kept()
	b.mu.Unlock()
	if replaced {
		b.Publish(l.will)
	}
	l.end.connected()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, m := range kept {
		if slices.Contains(l.subscriptions, m.Topic) {
			l.send(m)
		}
	}
	return true
}

// bar keeps connections from being made for a while.
func (l *line) bar(d time.Duration) {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.barred = l.broker.agenda.Now() + d
}

// hangUp is the end of the node that noticed nothing any more.
func (l *line) hangUp() {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	l.linked = false
}

// cut breaks the connection without a word. The node and the broker notice
// after a while, each for itself: until then it is half open.
func (l *line) cut(node, broker time.Duration) {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	if l.connection == 0 || l.dead {
		return
	}
	l.dead = true
	cut := l.connection
	l.broker.agenda.After(node, func() { l.nodeNotices(cut) })
	l.broker.agenda.After(broker, func() { l.brokerNotices(cut) })
}

func (l *line) nodeNotices(connection int) {
	l.broker.mu.Lock()
	notices := l.linked && l.connection == connection
	if notices {
		l.linked = false
	}
	l.broker.mu.Unlock()
	if notices {
		l.end.disconnected()
	}
}

func (l *line) brokerNotices(connection int) {
	l.broker.mu.Lock()
	notices := l.open && l.connection == connection
	if notices {
		l.open = false
	}
	l.broker.mu.Unlock()
	if notices {
		l.broker.Publish(l.will)
	}
}

// isLinked reports whether the node believes that it is connected.
func (l *line) isLinked() bool {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	return l.linked
}

// send lets a message go down to the node. The caller holds the broker's mu.
func (l *line) send(m smartmeter.Message) {
	l.carry(&l.latestDown, func() { l.end.receive(m) })
}

// Publish lets a message go up to the broker. It is the node's link.
func (l *line) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	m := smartmeter.Message{Topic: topic, Payload: slices.Clone(payload), QoS: qos, Retained: retained}
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	if !l.linked {
		return false
	}
	l.carry(&l.latestUp, func() { l.broker.Publish(m) })
	return true
}

// carry puts down when the copies of a message arrive. The caller holds the
// broker's mu.
func (l *line) carry(latest *time.Duration, arrive func()) {
	if l.dead {
		return
	}
	sent, now := l.connection, l.broker.agenda.Now()
	for _, delay := range l.faults.fates(l.chance) {
		at := now + delay
		if l.faults.Orderly {
			at = max(at, *latest+1)
			*latest = at
		}
		l.broker.agenda.At(at, func() {
			if l.passes(sent) {
				arrive()
			}
		})
	}
}

// passes reports whether a message of a connection can arrive now.
func (l *line) passes(sent int) bool {
	l.broker.mu.Lock()
	defer l.broker.mu.Unlock()
	return !l.dead && l.linked && (l.connection == sent || !l.faults.Orderly)
}
