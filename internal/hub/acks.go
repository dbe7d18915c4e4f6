package hub

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// noteLost tells the store which samples a node does not have any more: nobody
// waits for them. The caller holds mu.
func (h *Hub) noteLost(c *channel, s smartmeter.Sample) {
	if s.Seq == 0 || s.Boot == c.lostBoot && s.First <= c.lostBelow {
		return
	}
	c.lostBoot, c.lostBelow = s.Boot, s.First
	h.store.Lost(c.node.id, c.device.Channel, s.Boot, s.First)
}

// abandon has a node forget a sample of an earlier boot whose time nobody knows: it
// will never be kept, and the node would offer it for ever. The caller holds mu.
func (h *Hub) abandon(c *channel, s smartmeter.Sample) {
	if info := c.node.info; info != nil && info.Boot != s.Boot {
		h.store.Lost(c.node.id, c.device.Channel, s.Boot, s.Seq+1)
	}
}

// repeatAcks has a node that says what it is told once more up to where its
// samples are durable: it may have missed that while it was away. The caller
// holds mu.
func (h *Hub) repeatAcks(n *node) {
	for _, c := range n.channels {
		if w := h.store.Watermark(n.id, c.device.Channel, n.info.Boot); w.Seq > 0 {
			h.acks = append(h.acks, w)
		}
	}
}

// greet says the same to a node of which a broker that lived on knows, also where
// nothing of its boot is durable: it keeps what it has for somebody who listens,
// and must hear that somebody does again. The caller holds mu.
func (h *Hub) greet(n *node) {
	for _, c := range n.channels {
		h.acks = append(h.acks, h.store.Watermark(n.id, c.device.Channel, n.info.Boot))
	}
}

// repeatAck does so for one boot, of which the node has sent samples once more:
// it missed the acknowledgement, or there was none. The caller holds mu.
func (h *Hub) repeatAck(c *channel, boot smartmeter.BootID) {
	w := h.store.Watermark(c.node.id, c.device.Channel, boot)
	if n := len(h.acks); w.Seq > 0 && (n == 0 || h.acks[n-1] != w) { // messages of one boot come in a row
		h.acks = append(h.acks, w)
	}
}

// acknowledge tells the nodes which of their samples are durable, so that they
// can forget them. Nodes of protocol 0 would not understand.
func (h *Hub) acknowledge() {
	risen := h.store.Watermarks()
	h.mu.Lock()
	due := append(h.acks, risen...)
	h.acks = nil
	var messages []smartmeter.Message
	told := make(map[smartmeter.Watermark]bool, len(due))
	for _, w := range due {
		if n := h.nodes[w.Node]; n != nil && n.info != nil && !told[w] {
			told[w] = true
			messages = append(messages, smartmeter.Message{
				Topic:   h.topics.Topic(w.Node, wire.KindAck, w.Channel),
				Payload: wire.AppendAck(nil, wire.Ack{Boot: w.Boot, Seq: w.Seq}),
				QoS:     1,
			})
		}
	}
	h.mu.Unlock()
	for _, m := range messages {
		if err := h.bus.Publish(m); err != nil {
			h.log.Debug("an acknowledgement is not on its way; it comes again when the node does", "topic", m.Topic, "err", err)
		}
	}
}
