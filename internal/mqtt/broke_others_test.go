package mqtt

import (
	"bytes"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// The tests of this file are what other brokers did not survive, or did not
// get right, when we looked for one to embed.

func TestTruncatedSubscribeClosesTheConnection(t *testing.T) {
	b, address := startBroker(t, Config{})
	healthy, c := join(t, address, "healthy"), join(t, address, "c")
	c.send(unhex(t, "82 08 00 01 00 03 61 2f 62"))
	// Its length says one byte more than there is: whatever follows is taken
	// for the QoS, and what follows here makes it none.
	c.send(pingreq)
	c.expectClosed()
	expectEnded(t, b, ReasonMalformed, 1)

	// With a length that is right, there is no QoS at all.
	c = join(t, address, "c")
	c.send(unhex(t, "82 07 00 01 00 03 61 2f 62"))
	c.expectClosed()
	expectEnded(t, b, ReasonMalformed, 2)
	healthy.ping()
	if n := b.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
}

// TestTruncatedSubscribeAlone is the same packet with nothing behind it.
func TestTruncatedSubscribeAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		b := serveBroker(t, Config{}, l)
		c, start := newClient(t, l.dial()), time.Now()
		c.connect(connectOptions{id: "c"})
		c.send(unhex(t, "82 08 00 01 00 03 61 2f 62"))
		c.expectClosed()
		if open := time.Since(start); open != 10*time.Second {
			t.Errorf("open for %v", open)
		}
		synctest.Wait()
		if n := b.Stats().Closed[ReasonPacketTimeout]; n != 1 {
			t.Errorf("closed for %v", b.Stats().Closed)
		}
	})
}

func TestSubscribeWithTheIDOfAnOutboundMessage(t *testing.T) {
	_, address := startBroker(t, Config{})
	c, pub := join(t, address, "c"), join(t, address, "pub")
	c.subscribe("a", 1)
	pub.publish("a", "x", 1, false)
	_, id := c.unacknowledged()
	c.send(appendSubscribe(nil, id, subscription{"b", 1}))
	c.expect(fmt.Sprintf("90 03 00 %02x 01", id))
	pub.publish("b", "y", 1, false)
	c.expectMessage("b", "y", 1, false)
	c.send(appendAck(nil, kindPuback, id))
	c.ping()
}

func TestPublishWithTheIDOfAnOutboundMessage(t *testing.T) {
	_, address := startBroker(t, Config{Limits: Limits{InFlight: 1}})
	c, pub, sub := join(t, address, "c"), join(t, address, "pub"), join(t, address, "sub")
	c.subscribe("to/c", 1)
	sub.subscribe("from/c", 1)
	pub.publish("to/c", "1", 1, false)
	pub.publish("to/c", "2", 1, false)
	_, id := c.unacknowledged()
	c.send(publishBytes("from/c", "x", 1, false, id))
	c.expect(fmt.Sprintf("40 02 00 %02x", id))
	sub.expectMessage("from/c", "x", 1, false)
	c.ping() // our own PUBACK did not make room for the second message
	c.send(appendAck(nil, kindPuback, id))
	c.expectMessage("to/c", "2", 1, false)
}

func TestTwentyThousandRetainedReachOneSubscriber(t *testing.T) {
	const count = 20_000
	for _, qos := range []byte{0, 1} {
		t.Run(fmt.Sprintf("QoS %d", qos), func(t *testing.T) {
			// The queue is far too short for them: they do not go through it.
			b, address := startBroker(t, Config{Limits: Limits{QueueMessages: 10, QueueBytes: 10_000}})
			for i := range count {
				m := Message{Topic: fmt.Sprintf("dev/%05d/state", i), Payload: []byte(telemetry), QoS: 1, Retain: true}
				if err := b.Publish(m); err != nil {
					t.Fatal(err)
				}
			}
			c := join(t, address, "c")
			c.subscribe("dev/#", qos)
			for i := range count {
				c.expectMessage(fmt.Sprintf("dev/%05d/state", i), telemetry, qos, true)
			}
			c.ping()
		})
	}
}

// TestStoppedReaderHoldsUpNobody lets a subscriber stop reading: its
// publishers' packets are acknowledged all the same, which with an unread
// connection in memory, where nothing is buffered, none would be if they waited
// for it. In the end it is disconnected.
func TestStoppedReaderHoldsUpNobody(t *testing.T) {
	for _, qos := range []byte{0, 1} {
		t.Run(fmt.Sprintf("QoS %d", qos), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				b := serveBroker(t, Config{Limits: Limits{QueueMessages: 100}}, l)
				stopped, healthy, pub := newClient(t, l.dial()), newClient(t, l.dial()), newClient(t, l.dial())
				stopped.connect(connectOptions{id: "stopped"})
				stopped.subscribe("a", qos)
				healthy.connect(connectOptions{id: "healthy"})
				healthy.subscribe("a", 1)
				pub.connect(connectOptions{id: "pub"})

				start := time.Now()
				for i := range 1000 {
					pub.publish("a", fmt.Sprint(i), 1, false)
					healthy.expectMessage("a", fmt.Sprint(i), 1, false)
				}
				if waited := time.Since(start); waited > 0 {
					t.Errorf("publisher and healthy subscriber waited %v for the stopped one", waited)
				}
				reason := ReasonQueueFull
				if qos == 0 {
					reason = ReasonWriteTimeout
					if dropped := b.Stats().Dropped[DropQueueFull]; dropped < 800 || dropped > 900 {
						t.Errorf("%d messages dropped", dropped)
					}
					time.Sleep(b.limits.WriteTimeout + time.Second)
				}
				synctest.Wait()
				if n := b.Stats().Closed[reason]; n != 1 {
					t.Errorf("stopped subscriber was not ended for %q: %v", reason, b.Stats().Closed)
				}
			})
		})
	}
}

// TestSlowQoS1SubscriberGetsAll acknowledges 30,000 messages to publishers that
// are faster than the one subscriber.
func TestSlowQoS1SubscriberGetsAll(t *testing.T) {
	const count = 30_000
	b, address := startBroker(t, Config{})
	c := join(t, address, "slow")
	c.subscribe("a", 1)
	for i := range count {
		if err := b.Publish(Message{Topic: "a", Payload: fmt.Appendf([]byte(telemetry), "%d", i), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range count {
		if m := c.message(); string(m.Payload) != fmt.Sprint(telemetry, i) {
			t.Fatalf("message %d is %s", i, m.Payload)
		}
	}
	c.ping()
}

// TestTakeoverNeverEndsOffline connects again and again with the same client
// id, and says "online" in the same write: the will of the connection before
// must never come behind it.
func TestTakeoverNeverEndsOffline(t *testing.T) {
	const takeovers = 10_000
	b, address := startBroker(t, Config{Limits: Limits{ConnectionsPerAddress: takeovers}})
	var last atomic.Value
	if _, err := b.Subscribe("state", func(m Message) { last.Store(string(m.Payload)) }); err != nil {
		t.Fatal(err)
	}
	hello := append(
		appendConnect(nil, connectOptions{id: "node", will: &Message{Topic: "state", Payload: []byte("offline"), QoS: 1, Retain: true}}),
		publishBytes("state", "online", 1, true, 1)...)
	stale := 0
	var previous *client
	for range takeovers {
		c := dial(t, address)
		c.send(hello)
		c.expect("20 02 00 00")
		c.expect("40 02 00 01")
		for m := range b.Retained() {
			if string(m.Payload) != "online" {
				stale++
			}
		}
		if last.Load() != "online" {
			stale++
		}
		if previous != nil {
			_ = previous.conn.Close()
		}
		previous = c
	}
	if stale > 0 {
		t.Errorf("%d of %d takeovers left the node offline", stale, takeovers)
	}
	expectEnded(t, b, ReasonTakenOver, takeovers-1)
}

func TestWillOntoAnothersCommandTopicIsRefused(t *testing.T) {
	b, address := startBroker(t, Config{Hooks: Hooks{Authorize: ownTopicsOnly}})
	victim, c := join(t, address, "victim"), dial(t, address)
	victim.subscribe("dev/victim/set", 1)
	c.connect(connectOptions{id: "thief", will: &Message{Topic: "dev/victim/set", Payload: []byte("ON"), Retain: true}})
	_ = c.conn.Close()
	waitFor(t, "will dropped", func() bool { return b.Stats().Dropped[DropNotAuthorized] == 1 })
	victim.ping()
	if n := b.Stats().RetainedMessages; n != 0 {
		t.Errorf("%d messages retained", n)
	}
}

// ownTopicsOnly confines a client to what is below dev/ and its client id.
func ownTopicsOnly(who Identity, _ Access, topic string, _ bool, _ byte) bool {
	return Covers("dev/"+who.ClientID+"/#", topic)
}

func TestSilentConnectionIsClosedAfterTwoSeconds(t *testing.T) {
	for name, sent := range map[string][]byte{
		"nothing":        nil,
		"half a CONNECT": appendConnect(nil, connectOptions{id: "n"})[:9],
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipeListener()
				b := serveBroker(t, Config{}, l)
				c, start := newClient(t, l.dial()), time.Now()
				c.send(sent)
				c.expectClosed()
				if open := time.Since(start); open != 2*time.Second {
					t.Errorf("open for %v", open)
				}
				synctest.Wait()
				if n := b.Stats().Closed[ReasonConnectTimeout]; n != 1 {
					t.Errorf("closed for %v", b.Stats().Closed)
				}
			})
		})
	}
}

func TestHugeHeaderBeforeConnectIsRefused(t *testing.T) {
	for name, header := range map[string]string{
		"CONNECT of 256 MB":             "10 ff ff ff 7f",
		"PUBLISH of 256 MB":             "30 ff ff ff 7f",
		"CONNECT of a byte too much":    "10 fe 7f", // 3 + 16,382 bytes
		"remaining length without end":  "10 ff ff ff ff",
		"large, but not for a PUBLISH ": "30 80 80 04",
	} {
		t.Run(name, func(t *testing.T) {
			b, address := startBroker(t, Config{})
			c := dial(t, address)
			c.send(unhex(t, header))
			c.expectClosed()
			waitFor(t, "closed for its header", func() bool {
				closed := b.Stats().Closed
				return closed[ReasonPacketTooLarge]+closed[ReasonMalformed] == 1
			})
		})
	}
}

func TestFirstSubscriberAfterRestartGetsAllRetained(t *testing.T) {
	const count = 1000
	first, _ := startBroker(t, Config{})
	for i := range count {
		if err := first.Publish(Message{Topic: fmt.Sprintf("dev/%04d/state", i), Payload: []byte("on"), QoS: 1, Retain: true}); err != nil {
			t.Fatal(err)
		}
	}
	var saved []Message
	for m := range first.Retained() {
		saved = append(saved, m)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	l := newPipeListener()
	b := New(Config{Logger: quiet})
	if err := b.Restore(saved); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- b.Serve(l) }()
	c := newClient(t, l.dial())
	c.connect(connectOptions{id: "first"})
	c.subscribe("dev/+/state", 1)
	for i := range count {
		c.expectMessage(fmt.Sprintf("dev/%04d/state", i), "on", 1, true)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestClientIDThatReadsOthersTopicsIsRefused(t *testing.T) {
	b, address := startBroker(t, Config{Hooks: Hooks{Authorize: ownTopicsOnly}})
	ids := []string{"*", "+", "#", "../x", "a/b", "a+", "dev/#", "\x01", "a\u009fb"}
	for _, id := range ids {
		c := dial(t, address)
		c.send(appendConnect(nil, connectOptions{id: id}))
		c.expect("20 02 00 02")
		c.expectClosed()
	}
	expectEnded(t, b, ReasonClientID, uint64(len(ids)))
}

// TestOrderPerTopicAndPublisher lets several publishers publish to the same
// topics at once, with a subscriber that reads in bursts.
func TestOrderPerTopicAndPublisher(t *testing.T) {
	const publishers, each = 8, 2000
	b, address := startBroker(t, Config{})
	c := join(t, address, "c")
	c.subscribe("a/#", 1)
	for p := range publishers {
		pub := join(t, address, fmt.Sprintf("pub-%d", p))
		go func() {
			var packets [][]byte
			for i := range each {
				packets = append(packets, publishBytes(fmt.Sprintf("a/%d", i%3), fmt.Sprintf("%d %05d", p, i), byte(i%2), false, uint16(i+1)))
			}
			_, _ = pub.conn.Write(bytes.Join(packets, nil))
			drain(pub.conn)
		}()
	}
	last := make(map[byte]string)
	for range publishers * each {
		m := c.message()
		if p := m.Payload[0]; string(m.Payload) <= last[p] {
			t.Fatalf("%s after %s", m.Payload, last[p])
		} else {
			last[p] = string(m.Payload)
		}
	}
	if n := b.Stats().Dropped[DropQueueFull]; n > 0 {
		t.Errorf("%d dropped", n)
	}
}
