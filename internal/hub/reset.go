package hub

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// ResetProtection has a node that cut off by itself obey commands again, and
// waits for its word. Its relay stays off. The error is Conflict when the node
// refused or cannot be asked, and NoAnswer when it said nothing in time: then
// it may have heard all the same, and will tell.
func (h *Hub) ResetProtection(ctx context.Context, id smartmeter.DeviceID, wait time.Duration) error {
	n, reset, message, err := h.beginReset(id)
	if err != nil {
		return err
	}
	answer := make(chan wire.CommandAck, 1)
	h.mu.Lock()
	n.resets[reset] = answer
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		delete(n.resets, reset)
		h.mu.Unlock()
	}()
	if err := h.bus.Publish(message); err != nil {
		return &smartmeter.Error{Code: smartmeter.Unavailable, Message: notTaken, Err: err}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case ack := <-answer:
		if stateOf(ack.Result) != smartmeter.CommandAcknowledged {
			return smartmeter.NewError(smartmeter.Conflict, "", "the node refused: "+reasonOf(ack))
		}
		return nil
	case <-timer.C:
	case <-ctx.Done():
	}
	return smartmeter.NewError(smartmeter.NoAnswer, "", "the node has not answered yet; the alert ends when it says that it obeyed")
}

// beginReset checks that a node can be asked, and puts the request into its
// words.
func (h *Hub) beginReset(id smartmeter.DeviceID) (n *node, reset string, m smartmeter.Message, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	c, err := h.find(id)
	if err != nil {
		return nil, "", m, err
	}
	n = c.node
	if n.info == nil {
		return nil, "", m, conflict(c, "has a node that never cuts off by itself, as far as is known: there is nothing to reset")
	}
	if err := c.askable(false); err != nil {
		return nil, "", m, err
	}
	now := time.Now()
	t, known := n.clock.now(h.at(now))
	if !known {
		return nil, "", m, conflict(c, saidNothing)
	}
	n.takePlace(now)
	order := wire.Reset{ID: rand.Text(), Boot: n.clock.boot, BeforeT: t + smartmeter.Millis(commandValid.Milliseconds())}
	return n, order.ID, smartmeter.Message{
		Topic:   h.topics.Topic(n.id, wire.KindProtectionReset, 0),
		Payload: wire.AppendReset(nil, &order),
		QoS:     1,
	}, nil
}

// answerReset takes a node's answer to a reset, if it is that.
func (n *node) answerReset(ack wire.CommandAck) bool {
	answer, known := n.resets[ack.ID]
	if known {
		delete(n.resets, ack.ID)
		answer <- ack
	}
	return known
}
