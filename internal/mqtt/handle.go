package mqtt

import (
	"errors"
	"strings"
	"time"
)

var (
	errGoodbye       = error(&closeError{ReasonDisconnect, "client disconnected"})
	errUnexpected    = violation("packet of a kind that a client does not send")
	errQoS2          = error(&closeError{ReasonUnsupported, "QoS 2 is not supported yet: publish with QoS 0 or 1"})
	errDeep          = error(&closeError{ReasonTopicLevels, ErrLevels.Error()})
	errSubscriptions = error(&closeError{ReasonSubscriptionLimit, "more subscriptions than the limit"})
)

// handle does what a packet of an admitted client asks for.
func (c *conn) handle(f frame) error {
	switch f.kind {
	case kindPublish:
		return c.handlePublish(f)
	case kindPuback:
		return c.handlePuback(f)
	case kindSubscribe:
		return c.handleSubscribe(f)
	case kindUnsubscribe:
		return c.handleUnsubscribe(f)
	case kindPingreq:
		if err := decodeEmpty(f); err != nil {
			return err
		}
		c.answer(appendPingresp)
		return nil
	case kindDisconnect:
		if err := decodeEmpty(f); err != nil {
			return err
		}
		return errGoodbye
	case kindConnect:
		return errSecondConnect
	default:
		return errUnexpected
	}
}

// handlePublish takes a message (MQTT 3.1.1 section 3.3). It is acknowledged
// when it has been handed to everyone concerned.
func (c *conn) handlePublish(f frame) error {
	p, err := decodePublish(f)
	if err != nil {
		return err
	}
	if p.qos == 2 {
		return errQoS2
	}
	c.broker.counters.messagesReceived.Add(1)
	topic, err := c.topics.name(p.topic, c.broker.limits.TopicLevels)
	if err != nil {
		return topicError(err)
	}
	c.keepPace()
	err = c.broker.receive(Message{
		Topic:   topic,
		Payload: p.payload, // in the read buffer: whoever keeps it copies it
		QoS:     p.qos,
		Retain:  p.retain,
		From:    c.session.client,
	})
	if err != nil {
		return err
	}
	if p.qos == 1 {
		c.answer(func(b []byte) []byte { return appendAck(b, kindPuback, p.id) })
	}
	return nil
}

// keepPace waits while the client publishes above Limits.PublishRate.
func (c *conn) keepPace() {
	rate := c.broker.limits.PublishRate
	if c.pace.wait(c.readAt, rate) <= 0 {
		return
	}
	// What was read a while ago may be due by now.
	if wait := time.Until(c.pace.next) - time.Second; wait > 0 {
		c.broker.counters.throttled.Add(1)
		c.flush()
		c.sleep(wait)
	}
}

func (c *conn) handlePuback(f frame) error {
	id, err := decodePuback(f)
	if err != nil {
		return err
	}
	if c.session.acknowledge(id) {
		c.wake()
	}
	return nil
}

// handleSubscribe answers each filter with the granted QoS, which is at most 1,
// and then puts the subscriptions into effect, so that the answer is ahead of
// what they bring (MQTT 3.1.1 section 3.8.4).
func (c *conn) handleSubscribe(f frame) error {
	p, err := decodeSubscribe(f)
	if err != nil {
		return err
	}
	codes := make([]byte, len(p.filters))
	for i, s := range p.filters {
		if codes[i], err = c.grant(s); err != nil {
			return err
		}
	}
	c.answer(func(b []byte) []byte { return appendSuback(b, p.id, codes) })
	for i, s := range p.filters {
		if codes[i] != subscriptionRefused {
			c.session.replay(c.broker.topics.subscribe(s.filter, c.session, codes[i]))
		}
	}
	c.wake()
	return nil
}

// grant decides on one filter and returns the code that answers it. Shared
// subscriptions belong to MQTT 5.0: taken for an ordinary filter, one would
// never match anything.
func (c *conn) grant(s subscription) (byte, error) {
	if err := checkFilter(s.filter, c.broker.limits.TopicLevels); err != nil {
		return 0, topicError(err)
	}
	qos := min(s.qos, 1)
	if strings.HasPrefix(s.filter, "$share/") || !c.broker.allowed(c.session.client, Read, s.filter, false, qos) {
		return subscriptionRefused, nil
	}
	return qos, c.session.hold(s.filter, c.broker.limits.Subscriptions)
}

func (c *conn) handleUnsubscribe(f frame) error {
	p, err := decodeUnsubscribe(f)
	if err != nil {
		return err
	}
	for _, filter := range p.filters {
		if err := checkFilter(filter, c.broker.limits.TopicLevels); err != nil {
			return topicError(err)
		}
		if c.session.release(filter) {
			c.broker.topics.unsubscribe(filter, c.session)
		}
	}
	c.answer(func(b []byte) []byte { return appendAck(b, kindUnsuback, p.id) })
	return nil
}

// topicError says what a client's bad topic or filter does to its connection.
func topicError(err error) error {
	if errors.Is(err, ErrLevels) {
		return errDeep
	}
	return malformed(err.Error())
}

// A topicCache remembers the topics a client published to last, since most
// publish to few, over and over.
type topicCache struct {
	names [4]string
	next  int
}

// longestCached keeps what a silent connection holds on to small.
const longestCached = 128

// name returns topic as a checked string.
func (t *topicCache) name(topic []byte, levels int) (string, error) {
	for _, name := range t.names {
		if name != "" && string(topic) == name {
			return name, nil
		}
	}
	name := string(topic)
	if err := checkTopic(name, levels); err != nil || len(name) > longestCached {
		return name, err
	}
	t.names[t.next] = name
	t.next = (t.next + 1) % len(t.names)
	return name, nil
}
