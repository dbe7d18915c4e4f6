package nodehost

import (
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// TestBulkWaitsItsTurn has the broker take its time over a message of the
// backlog: no second one may stand before what is measured meanwhile, and the
// next is taken as soon as the broker has that one.
func TestBulkWaitsItsTurn(t *testing.T) {
	b := startBroker(t, "", mqtt.Hooks{})
	came, taken := make(chan struct{}, 1), make(chan struct{})
	if _, err := b.Subscribe("dev/n1/bulk", func(mqtt.Message) { came <- struct{}{}; <-taken }); err != nil {
		t.Fatal(err)
	}
	p := newPeer()
	c := connect(t, b.addr, p)
	defer c.Close()
	p.expect(t, "connected")

	bulk := make([]byte, bulky)
	publish := func(payload []byte) bool { return c.Publish("dev/n1/bulk", payload, 1, false) }
	for round := range 3 {
		if !publish(bulk) {
			t.Fatalf("round %d: the first is not taken", round)
		}
		wait(t, "the bulk", came)
		if publish(bulk) {
			t.Fatalf("round %d: a second one is taken while the first is on its way", round)
		}
		if !c.Publish("dev/n1/live", bulk, 0, false) || !c.Publish("dev/n1/event", []byte("1"), 1, false) {
			t.Fatalf("round %d: what is urgent is not taken", round)
		}
		taken <- struct{}{}
		b.await(t, "dev/n1/event", "1")
		within(t, "the broker's receipt", func() {
			for c.inFlight() {
				time.Sleep(time.Millisecond)
			}
		})
	}
	publish(bulk) // is still on its way when the connection breaks
	wait(t, "the bulk", came)
	close(taken)
	b.Disconnect("n1")
	p.expect(t, "disconnected")
	p.expect(t, "connected")
	if !publish(bulk) {
		t.Error("a new connection waits for the receipt of the old one")
	}
}

// inFlight reports whether bulk is on its way.
func (c *Connection) inFlight() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.busy()
}
