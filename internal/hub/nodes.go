package hub

import (
	"context"
	"fmt"

	"github.com/iot-smart-meter/smartmeter"
)

// Anybody at the broker can make up nodes. So a device reaches the disk only
// when there is something to keep of it, and a node that came to nothing makes
// room for others.

// persist keeps a device in the store from here on. The caller holds mu.
func (h *Hub) persist(c *channel) {
	if c.stored {
		return
	}
	err := h.store.PutDevice(c.device)
	c.stored = err == nil
	h.note(err)
}

// noteMeasured notes that there are readings of a channel, before they are
// kept. The caller holds mu.
func (h *Hub) noteMeasured(c *channel) {
	c.measured = true
	h.persist(c)
}

// admits reports whether a node is known, or there is room for one more. The
// caller holds mu.
func (h *Hub) admits(id smartmeter.NodeID) bool {
	if len(h.nodes) < maxNodes || h.nodes[id] != nil {
		return true
	}
	if !h.full {
		h.log.Error("the hub knows as many nodes as it can and takes no more; erase devices that are gone", "nodes", len(h.nodes), "refused", string(id))
	}
	h.full = true
	return false
}

// maxErased is how many devices of strangers are erased in one go: each costs
// the disk a transaction.
const maxErased = 10

// makeRoom forgets nodes that came to nothing, once a node had to be refused.
func (h *Hub) makeRoom(ctx context.Context) {
	for _, c := range h.forgetStrangers() {
		if err := h.erase(ctx, c); err != nil && ctx.Err() == nil {
			h.log.Warn("cannot erase a device that never measured anything", "device", c.device.ID, "err", err)
		}
	}
}

// forgetStrangers forgets the strangers of which nothing is stored, and returns
// some stored devices of the others, to be erased. Then their turn comes.
func (h *Hub) forgetStrangers() (erasing []*channel) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.full {
		return nil
	}
	before := len(h.nodes)
	for _, n := range h.nodes {
		if !h.isStranger(n) {
			continue
		}
		stored := n.storedChannels()
		if len(stored) == 0 {
			h.forget(n)
		} else if len(erasing) < maxErased {
			erasing = append(erasing, stored...)
		}
	}
	for _, c := range erasing {
		c.erasing = true // nothing more is taken
	}
	if len(h.nodes) < before {
		h.events.publish(smartmeter.EventReset, smartmeter.DeviceStatus{}, nil)
	}
	h.full = len(h.nodes) >= maxNodes
	return erasing
}

// isStranger reports whether nobody would miss a node: it is gone, has never
// measured anything, and no person has named it or moved its relay.
func (h *Hub) isStranger(n *node) bool {
	if n.online || n.wanted {
		return false
	}
	for _, c := range n.channels {
		if c.measured || c.erasing || c.device != h.newDevice(n.id, c.device.Channel) {
			return false
		}
	}
	return true
}

func (n *node) storedChannels() (stored []*channel) {
	for _, c := range n.channels {
		if c.stored {
			stored = append(stored, c)
		}
	}
	return stored
}

// forget drops a node from the live picture.
func (h *Hub) forget(n *node) {
	for _, c := range n.channels {
		delete(h.devices, c.device.ID)
		h.events.forget(c)
		h.forgetAlerts(c.device.ID)
	}
	delete(h.nodes, n.id)
}

// probeRoom says that there are nodes that the hub did not take.
func (h *Hub) probeRoom(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.full {
		return fmt.Errorf("%d nodes are known and no more are taken: erase devices that are gone", len(h.nodes))
	}
	return nil
}
