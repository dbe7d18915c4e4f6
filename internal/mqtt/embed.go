package mqtt

import (
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
)

// Errors of the in-process side.
var (
	ErrClosed       = errors.New("broker is closed")
	ErrQoS          = errors.New("QoS 2 is not supported yet: publish with QoS 0 or 1")
	ErrTooLarge     = errors.New("message is larger than Limits.PacketBytes")
	ErrRetainedFull = errors.New("retained store is full: raise Limits.RetainedMessages or Limits.RetainedBytes")
)

// Publish publishes a message of the embedding program. When it returns, the
// in-process handlers have been called and the message waits in the queues of
// the clients concerned. m.From is set to a local Identity; hooks are not
// asked. The payload is the caller's again when it returns.
func (b *Broker) Publish(m Message) error {
	if b.closing() {
		return ErrClosed
	}
	if err := b.check(&m); err != nil {
		return err
	}
	m.From = Identity{Local: true}
	b.route(m)
	return nil
}

// check is what packets cannot get wrong but callers can.
func (b *Broker) check(m *Message) error {
	switch {
	case !checkText(m.Topic):
		return fmt.Errorf("topic %.40q: %w", m.Topic, ErrTopic)
	case m.QoS > 1:
		return ErrQoS
	case len(m.Topic)+len(m.Payload)+publishOverhead > b.limits.PacketBytes:
		return fmt.Errorf("message of %d bytes to %q: %w", len(m.Payload), m.Topic, ErrTooLarge)
	}
	return checkTopic(m.Topic, b.limits.TopicLevels)
}

// publishOverhead is what a PUBLISH needs beside topic and payload, at most.
const publishOverhead = 9

// Subscribe calls fn for every message that filter matches: first, before
// Subscribe returns, for the retained ones, with Retain set; then for each
// message published, by a client or in process, with Retain clear.
//
// fn is called by the publisher's own goroutine, before its PUBACK: in order
// for each publisher, by several goroutines at once where several publish. It
// must be quick, since it holds up its publisher (and nobody else), and it may
// call the Broker. A message that it publishes is delivered before that call
// returns: other handlers may see the answer before the question, and fn must
// not answer its own filter without end. What is published
// while Subscribe is still busy with retained messages is handed over by
// Subscribe right after them. The payload is fn's to read until it returns, and
// nobody's to modify: what fn keeps of it, it copies. A panic in fn is contained,
// counted and logged.
//
// cancel ends the subscription and does not wait for calls under way; it may
// be called from fn, and more than once.
func (b *Broker) Subscribe(filter string, fn func(Message)) (cancel func(), err error) {
	if b.closing() {
		return nil, ErrClosed
	}
	if !checkText(filter) {
		return nil, fmt.Errorf("filter %.40q: %w", filter, ErrFilter)
	}
	if err := checkFilter(filter, b.limits.TopicLevels); err != nil {
		return nil, err
	}
	h := &handler{broker: b, filter: filter, call: fn}
	h.catchUp(b.topics.addHandler(h))
	return h.cancel, nil
}

// A handler is an in-process subscription.
type handler struct {
	broker *Broker
	filter string
	call   func(Message)

	cancelled atomic.Bool
	live      atomic.Bool // retained messages are through

	mu      sync.Mutex
	pending []Message // published before live
}

// deliver calls the handler, or leaves m to catchUp while that is under way.
func (h *handler) deliver(m Message) {
	if !h.live.Load() && h.postpone(m) {
		return
	}
	h.invoke(m)
}

func (h *handler) postpone(m Message) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.live.Load() {
		return false
	}
	h.pending = append(h.pending, *m.kept())
	return true
}

// catchUp delivers the retained messages, then what was published meanwhile,
// until nothing is left and the publishers can do it themselves.
func (h *handler) catchUp(p *replay) {
	for !p.done {
		for _, m := range h.broker.topics.page(p, replayPage, writeBatch) {
			kept := *m
			kept.Retain = true
			h.invoke(kept)
		}
	}
	for pending := h.takePending(); len(pending) > 0; pending = h.takePending() {
		for _, m := range pending {
			h.invoke(m)
		}
	}
}

// takePending returns what was published meanwhile; if that is nothing, the
// handler is live.
func (h *handler) takePending() []Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	pending := h.pending
	h.pending = nil
	h.live.Store(len(pending) == 0)
	return pending
}

func (h *handler) invoke(m Message) {
	if h.cancelled.Load() {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			h.broker.contained("handler of "+h.filter, r)
		}
	}()
	h.call(m)
}

func (h *handler) cancel() {
	if h.cancelled.CompareAndSwap(false, true) {
		h.broker.topics.removeHandler(h)
	}
}

// Retained goes through the retained messages in the order of their topics, so
// that the embedding program can save them. It may take its time: the broker
// goes on, and a message that changes meanwhile comes as it was or as it is.
func (b *Broker) Retained() iter.Seq[Message] {
	return func(yield func(Message) bool) {
		for p := b.topics.all(); !p.done; {
			for _, m := range b.topics.page(p, replayPage, writeBatch) {
				if !yield(*m) {
					return
				}
			}
		}
	}
}

// RetainedChanges counts how often the content of the retained messages has
// changed: publishing again what is kept already does not. While it stands
// still there is nothing new to save.
func (b *Broker) RetainedChanges() uint64 { return b.topics.changes() }

// Restore keeps messages as Retained gave them, without delivering them to
// anyone; it belongs before Serve, so that the very first subscriber finds
// them. A message that cannot be kept is left out and named in the error.
func (b *Broker) Restore(messages []Message) error {
	var errs []error
	for _, m := range messages {
		m.Retain = true
		if err := b.check(&m); err != nil {
			errs = append(errs, err)
		} else if !b.topics.restore(&m) {
			errs = append(errs, fmt.Errorf("topic %q: %w", m.Topic, ErrRetainedFull))
		}
	}
	return errors.Join(errs...)
}
