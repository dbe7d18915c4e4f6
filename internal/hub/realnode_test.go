package hub_test

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// realNode is the node that people have on the wall, with a load of its own, on
// the lab's bus and in its virtual time.
type realNode struct {
	lab   *lab
	id    smartmeter.NodeID
	core  *node.Node
	began time.Time
	inbox chan func(t smartmeter.Millis)
	ended chan struct{}

	mu     sync.Mutex
	linked bool
	held   []smartmeter.Message // what the network holds back; nil unless holding
	hold   bool
	on     bool
	moves  []time.Time // of the contact
	welded bool        // the contact has power, wherever the coil is
	broken bool        // the load draws nothing, on or off
	heavy  bool        // the load draws more than it should
}

// wireNode switches a node on and connects it. It lives until the test ends.
func (l *lab) wireNode(id smartmeter.NodeID, boot smartmeter.BootID) *realNode {
	l.t.Helper()
	n := &realNode{lab: l, id: id, began: time.Now(), inbox: make(chan func(smartmeter.Millis), 100), ended: make(chan struct{})}
	var err error
	if n.core, err = node.New(node.Config{ID: id, Boot: boot, Meter: n, Link: n, Relay: n}); err != nil {
		l.t.Fatal(err)
	}
	l.bus.mu.Lock()
	l.bus.answer = n.hear
	l.bus.mu.Unlock()
	go n.run()
	n.link(true)
	return n
}

func (n *realNode) now() smartmeter.Millis {
	return smartmeter.Millis(time.Since(n.began).Milliseconds())
}

func (n *realNode) run() {
	defer close(n.ended)
	for {
		wake := time.NewTimer(time.Duration(n.core.Step(n.now(), 0)-n.now()) * time.Millisecond)
		select {
		case <-wake.C:
		case what := <-n.inbox:
			if what == nil {
				return
			}
			what(n.now())
		}
		wake.Stop()
	}
}

// off ends the node's life.
func (n *realNode) off() {
	n.link(false)
	n.inbox <- nil
	<-n.ended
}

// link connects the node to the broker, or cuts it off without a word.
func (n *realNode) link(up bool) {
	n.mu.Lock()
	n.linked = up
	n.mu.Unlock()
	if up {
		n.inbox <- n.core.Connected
	} else {
		n.inbox <- n.core.Disconnected
	}
}

// holding lets the network keep back what the hub says, or deliver it at last.
func (n *realNode) holding(hold bool) {
	n.mu.Lock()
	held := n.held
	n.hold, n.held = hold, nil
	n.mu.Unlock()
	for _, m := range held {
		n.hear(m)
	}
}

// hear takes what the hub publishes.
func (n *realNode) hear(m smartmeter.Message) {
	n.mu.Lock()
	arrives := n.linked && slices.Contains(n.core.Subscriptions(), m.Topic)
	if arrives && n.hold {
		n.held, arrives = append(n.held, m), false
	}
	n.mu.Unlock()
	if !arrives {
		return
	}
	n.inbox <- func(t smartmeter.Millis) { n.core.Receive(t, m.Topic, m.Payload, m.Retained) }
}

// Publish is the node's link.
func (n *realNode) Publish(topic string, payload []byte, _ uint8, _ bool) bool {
	n.mu.Lock()
	linked := n.linked
	n.mu.Unlock()
	if linked {
		n.lab.says(strings.TrimPrefix(topic, "dev/"), string(payload))
	}
	return linked
}

// Set is the node's relay.
func (n *realNode) Set(on bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if on != n.on {
		n.moves = append(n.moves, time.Now())
	}
	n.on = on
	return nil
}

// Read is the node's meter: a load of 800 W.
func (n *realNode) Read(into *smartmeter.Measurement) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	*into = smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: 2300, Energy: 1000, Frequency: 500, PowerFactor: 100}
	if (n.on || n.welded) && !n.broken {
		into.Current, into.Power = 3478, 8000
		if n.heavy {
			into.Current, into.Power = 17_300, 39_800
		}
	}
	return nil
}

// isOn reports the relay's position.
func (n *realNode) isOn() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.on
}

// lastMove returns when the relay moved last.
func (n *realNode) lastMove() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.moves[len(n.moves)-1]
}
