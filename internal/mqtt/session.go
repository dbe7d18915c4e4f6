package mqtt

import (
	"slices"
	"sync"
)

// A session is what the broker keeps for a client: its subscriptions and what
// is on its way to it (MQTT 3.1.1 section 3.1.2.4). It lives as long as its
// connection, as all sessions are clean ones so far.
type session struct {
	conn    *conn
	client  Identity
	filters map[string]struct{} // subscribed; only the reader of conn uses it

	mu       sync.Mutex
	queue    queue
	replays  []*replay // retained messages still to be sent, before the queue
	inFlight []uint16  // packet ids sent and not acknowledged, oldest first
	lastID   uint16
}

// writeBatch is about how much goes out in one write. replayPage is how many
// retained messages are looked up at once for it.
const (
	writeBatch = 32 << 10
	replayPage = 64
)

// deliver queues m with the given QoS and never waits. A session that cannot
// take a QoS 1 message ends.
func (s *session) deliver(m *Message, qos byte) {
	if s.conn.reason() != reasonNone {
		return
	}
	s.mu.Lock()
	dropped, ok := s.queue.push(delivery{message: m, qos: qos}, &s.conn.broker.limits)
	s.mu.Unlock()
	if dropped > 0 {
		s.conn.broker.counters.dropped[DropQueueFull].Add(uint64(dropped))
	}
	if !ok {
		s.conn.kill(ReasonQueueFull)
		return
	}
	s.conn.wake()
}

// replay orders the retained messages of a new subscription. One to the same
// filter that is still under way starts again.
func (s *session) replay(p *replay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropReplay(p.filter)
	s.replays = append(s.replays, p)
}

// hold notes a subscription to filter, of which there may be limit.
func (s *session) hold(filter string, limit int) error {
	if _, exists := s.filters[filter]; !exists && len(s.filters) >= limit {
		return errSubscriptions
	}
	if s.filters == nil {
		s.filters = make(map[string]struct{})
	}
	s.filters[filter] = struct{}{}
	return nil
}

// release undoes hold and reports whether there was a subscription. What is
// left of its replay is not sent.
func (s *session) release(filter string) bool {
	if _, exists := s.filters[filter]; !exists {
		return false
	}
	delete(s.filters, filter)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropReplay(filter)
	return true
}

func (s *session) dropReplay(filter string) {
	s.replays = slices.DeleteFunc(s.replays, func(p *replay) bool { return p.filter == filter })
}

// acknowledge takes a PUBACK and reports whether it made room for more. One
// for a packet that is not in flight is ignored, as MQTT 3.1.1 has no answer
// to it.
func (s *session) acknowledge(id uint16) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.inFlight, id)
	if i < 0 {
		return false
	}
	s.inFlight = slices.Delete(s.inFlight, i, i+1)
	return s.queue.size > 0 || len(s.replays) > 0
}

// fill appends to buf what can be sent now: retained messages first, then the
// queue, until buf is a batch, nothing is left, or the next message would be
// one too many in flight. more tells that there is a next batch already.
// Only the writer calls it.
func (s *session) fill(buf []byte) (out []byte, more bool) {
	// The page is looked up without the session's lock, which comes after that
	// of the topics. What is published from here on reaches the queue, and so
	// the client, after the page.
	page := s.nextPage()
	s.mu.Lock()
	defer s.mu.Unlock()
	if page != nil {
		for _, m := range page.messages {
			buf = s.send(buf, delivery{message: m, qos: min(page.replay.qos, m.QoS), retain: true})
		}
		if page.replay.done {
			s.replays = slices.DeleteFunc(s.replays, func(p *replay) bool { return p == page.replay })
		}
	}
	if len(s.replays) > 0 {
		return buf, s.room() > 0 || s.replays[0].qos == 0
	}
	for s.queue.size > 0 && len(buf) < writeBatch {
		d := s.queue.front()
		if d.qos > 0 && s.room() == 0 {
			return buf, false
		}
		s.queue.pop()
		buf = s.send(buf, d)
	}
	return buf, s.queue.size > 0
}

// A page is the next part of a replay.
type page struct {
	replay   *replay
	messages []*Message
}

// nextPage looks up the next part of the oldest replay, if there is one and
// the client's acknowledgements leave room.
func (s *session) nextPage() *page {
	s.mu.Lock()
	if len(s.replays) == 0 {
		s.mu.Unlock()
		return nil
	}
	p, count := s.replays[0], replayPage
	if p.qos > 0 {
		count = min(count, s.room())
	}
	s.mu.Unlock()
	if count == 0 {
		return nil
	}
	return &page{p, s.conn.broker.topics.page(p, count, writeBatch)}
}

// room is how many more messages may be in flight.
func (s *session) room() int { return s.conn.broker.limits.InFlight - len(s.inFlight) }

// send appends d as a packet.
func (s *session) send(buf []byte, d delivery) []byte {
	s.conn.broker.counters.messagesSent.Add(1)
	var id uint16
	if d.qos > 0 {
		id = s.nextID()
		s.inFlight = append(s.inFlight, id)
	}
	return appendPublish(buf, d.message, d.qos, d.retain, id)
}

// nextID returns a packet id that is not in flight. Ids of packets from the
// client are another matter, and of no concern here (MQTT 3.1.1 section
// 2.3.1).
func (s *session) nextID() uint16 {
	for {
		s.lastID++
		if s.lastID != 0 && !slices.Contains(s.inFlight, s.lastID) {
			return s.lastID
		}
	}
}
