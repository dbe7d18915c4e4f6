package mqtt

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDelivery(t *testing.T) {
	_, address := startBroker(t, Config{})
	for _, tt := range []struct {
		name     string
		filter   string
		granted  byte
		topic    string
		qos      byte
		want     byte
		delivers bool
	}{
		{"QoS 0 to QoS 0", "a/b", 0, "a/b", 0, 0, true},
		{"QoS 1 to QoS 1", "a/b", 1, "a/b", 1, 1, true},
		{"QoS 1 to QoS 0", "a/b", 0, "a/b", 1, 0, true},
		{"QoS 0 to QoS 1", "a/b", 1, "a/b", 0, 0, true},
		{"spaces and umlauts", "dev/the fridge/+", 1, "dev/the fridge/küche", 1, 1, true},
		{"levels of length zero", "//+/", 0, "//x/", 0, 0, true},
		{"only slashes", "/+", 0, "/", 0, 0, true},
		{"another topic", "a/b", 0, "a/c", 0, 0, false},
		{"$ topic for #", "#", 0, "$other/a", 0, 0, false},
		{"$ topic for +", "+/a", 0, "$other/a", 0, 0, false},
		{"$ topic by name", "$other/#", 0, "$other/a", 0, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			sub, pub := join(t, address, "sub"), join(t, address, "pub")
			sub.subscribe(tt.filter, tt.granted)
			pub.publish(tt.topic, "x", tt.qos, false)
			pub.ping()
			if tt.delivers {
				sub.expectMessage(tt.topic, "x", tt.want, false)
			}
			sub.ping()
		})
	}
}

func TestOverlappingSubscriptionsDeliverOnce(t *testing.T) {
	_, address := startBroker(t, Config{})
	c := join(t, address, "c")
	c.subscribe("a/#", 0)
	c.subscribe("a/+", 1)
	c.subscribe("a/b", 0)
	c.publish("a/b", "x", 1, false)
	c.expectMessage("a/b", "x", 1, false)
	c.ping()
}

func TestUnsubscribe(t *testing.T) {
	b, address := startBroker(t, Config{})
	c := join(t, address, "c")
	c.subscribe("a", 0)
	c.send(appendUnsubscribe(nil, 7, "a", "never"))
	c.expect("b0 02 00 07")
	c.publish("a", "x", 0, false)
	c.ping()
	if n := b.Stats().Subscriptions; n != 0 {
		t.Errorf("%d subscriptions left", n)
	}
}

func TestResubscribeChangesQoS(t *testing.T) {
	b, address := startBroker(t, Config{})
	c := join(t, address, "c")
	c.subscribe("a", 0)
	c.subscribe("a", 1)
	c.publish("a", "x", 1, false)
	c.expectMessage("a", "x", 1, false)
	if n := b.Stats().Subscriptions; n != 1 {
		t.Errorf("%d subscriptions, want 1", n)
	}
}

func TestSubackAnswersEveryFilter(t *testing.T) {
	_, address := startBroker(t, Config{Hooks: Hooks{
		Authorize: func(_ Identity, access Access, topic string, _ bool, _ byte) bool {
			return access == Write || topic != "secret"
		},
	}})
	c := join(t, address, "c")
	c.send(appendSubscribe(nil, 0x1234, subscription{"a", 0}, subscription{"secret", 0}, subscription{"b", 2}, subscription{"$share/g/a", 0}, subscription{"c", 1}))
	c.expect("90 07 12 34 00 80 01 80 01")
	c.publish("secret", "x", 0, false)
	c.publish("c", "y", 0, false)
	c.expectMessage("c", "y", 0, false)
}

func TestRetained(t *testing.T) {
	b, address := startBroker(t, Config{})
	pub := join(t, address, "pub")
	pub.publish("a/1", "one", 1, true)
	pub.publish("a/2", "two", 0, true)
	pub.publish("a/3", "not kept", 0, false)
	pub.publish("$own/4", "hidden", 1, true)
	pub.publish("a/5", "gone", 1, true)
	pub.publish("a/5", "", 1, true)

	sub := join(t, address, "sub")
	sub.subscribe("#", 1)
	sub.expectMessage("a/1", "one", 1, true)
	sub.expectMessage("a/2", "two", 0, true)
	sub.ping()
	pub.publish("a/1", "live", 1, true)
	sub.expectMessage("a/1", "live", 1, false)
	pub.publish("a/1", "", 1, true)
	sub.expectMessage("a/1", "", 1, false)
	sub.subscribe("#", 0) // again: everything once more
	sub.expectMessage("a/2", "two", 0, true)
	sub.ping()
	if s := b.Stats(); s.RetainedMessages != 2 {
		t.Errorf("%d retained messages, want 2", s.RetainedMessages)
	}
}

// TestRetainedOrLive subscribes while the topics are being published: every
// subscriber must see each topic's values rise, and end with the last.
func TestRetainedOrLive(t *testing.T) {
	const topics, rounds, subscribers = 50, 200, 20
	b, address := startBroker(t, Config{Limits: Limits{QueueMessages: 100_000}})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for round := range rounds {
			for topic := range topics {
				m := Message{Topic: fmt.Sprintf("t/%02d", topic), Payload: fmt.Appendf(nil, "%03d", round), QoS: 1, Retain: true}
				if err := b.Publish(m); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	for i := range subscribers {
		c := join(t, address, fmt.Sprintf("sub-%d", i))
		c.send(appendSubscribe(nil, 1, subscription{"t/#", byte(i % 2)}))
		c.expect(fmt.Sprintf("90 03 00 01 0%d", i%2))
		last := make(map[string]string)
		for finished := 0; finished < topics; {
			m := c.message()
			if previous, seen := last[m.Topic]; string(m.Payload) <= previous || m.Retain && seen {
				t.Fatalf("%s: %s (retained %v) after %s", m.Topic, m.Payload, m.Retain, previous)
			}
			last[m.Topic] = string(m.Payload)
			if last[m.Topic] == fmt.Sprintf("%03d", rounds-1) {
				finished++
			}
		}
		c.ping()
	}
	<-done
}

func TestWill(t *testing.T) {
	will := &Message{Topic: "dev/n/state", Payload: []byte("offline"), QoS: 1, Retain: true}
	for _, tt := range []struct {
		name string
		end  func(b *Broker, c *client)
		want bool
	}{
		{"connection lost", func(_ *Broker, c *client) { _ = c.conn.Close() }, true},
		{"protocol violation", func(_ *Broker, c *client) { c.send(unhex(c.t, "00 00")) }, true},
		{"disconnected by the embedder", func(b *Broker, _ *client) { b.Disconnect("n") }, true},
		{"goodbye", func(_ *Broker, c *client) { c.send(disconnect) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, address := startBroker(t, Config{})
			watcher, c := join(t, address, "watcher"), dial(t, address)
			watcher.subscribe("dev/+/state", 1)
			c.connect(connectOptions{id: "n", will: will})
			tt.end(b, c)
			waitFor(t, "client gone", func() bool { return b.Stats().Clients == 1 })
			if tt.want {
				watcher.expectMessage("dev/n/state", "offline", 1, false)
			}
			watcher.ping()
			if kept := b.Stats().RetainedMessages == 1; kept != tt.want {
				t.Errorf("will retained: %v", kept)
			}
		})
	}
}

func TestNoWillAtShutdown(t *testing.T) {
	var reasons []Reason
	b, address := startBroker(t, Config{Hooks: Hooks{Disconnected: func(_ Identity, r Reason) { reasons = append(reasons, r) }}})
	var wills []Message
	if _, err := b.Subscribe("#", func(m Message) { wills = append(wills, m) }); err != nil {
		t.Fatal(err)
	}
	c := dial(t, address)
	c.connect(connectOptions{id: "n", will: &Message{Topic: "state", Payload: []byte("offline"), Retain: true}})
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	c.expectClosed()
	if len(wills) != 0 {
		t.Errorf("wills published: %v", wills)
	}
	if diff := cmp.Diff([]Reason{ReasonShutdown}, reasons); diff != "" {
		t.Errorf("Disconnected hook (-want +got):\n%s", diff)
	}
	if n := b.Stats().Connections; n != 0 {
		t.Errorf("%d connections left", n)
	}
}

// TestViolations sends what a client must not send, and expects the reason.
func TestViolations(t *testing.T) {
	for _, tt := range []struct {
		name   string
		packet []byte
		want   Reason
	}{
		{"second CONNECT", appendConnect(nil, connectOptions{id: "c"}), ReasonProtocol},
		{"CONNACK", []byte{0x20, 2, 0, 0}, ReasonProtocol},
		{"PUBREC", []byte{0x50, 2, 0, 1}, ReasonProtocol},
		{"packet of kind 0", []byte{0, 0}, ReasonProtocol},
		{"packet of kind 15", []byte{0xf0, 0}, ReasonProtocol},
		{"filter a#", appendSubscribe(nil, 1, subscription{"a#", 0}), ReasonMalformed},
		{"unsubscribe from a#", appendUnsubscribe(nil, 1, "a#"), ReasonMalformed},
		{"publish to a wildcard", publishBytes("a/+", "x", 0, false, 0), ReasonMalformed},
		{"publish to nothing", publishBytes("", "x", 0, false, 0), ReasonMalformed},
		{"publish with QoS 2", publishBytes("a", "x", 2, false, 1), ReasonUnsupported},
		{"PINGREQ with a body", []byte{0xc0, 1, 0}, ReasonMalformed},
		{"DISCONNECT with a body", []byte{0xe0, 1, 0}, ReasonMalformed},
		{"packet too large", publishBytes("a", strings.Repeat("x", 2000), 0, false, 0), ReasonPacketTooLarge},
		{"topic too deep", publishBytes("a/b/c/d/e", "x", 0, false, 0), ReasonTopicLevels},
		{"filter too deep", appendSubscribe(nil, 1, subscription{"a/b/c/d/#", 0}), ReasonTopicLevels},
		{"too many subscriptions", appendSubscribe(nil, 1, subscription{"a", 0}, subscription{"b", 0}, subscription{"a", 0}, subscription{"c", 0}), ReasonSubscriptionLimit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, address := startBroker(t, Config{Limits: Limits{PacketBytes: 1000, TopicLevels: 4, Subscriptions: 2}})
			c := join(t, address, "c")
			c.send(tt.packet)
			c.expectClosed()
			expectEnded(t, b, tt.want, 1)
		})
	}
}

// TestRefusals expects a CONNACK with a code, or silence, and the reason.
func TestRefusals(t *testing.T) {
	hello := func(o connectOptions) []byte { return appendConnect(nil, o) }
	for _, tt := range []struct {
		name   string
		packet []byte
		code   byte // 0 for no CONNACK
		want   Reason
	}{
		{"MQTT 5.0", []byte("\x10\x0d\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x00"), 1, ReasonVersion},
		{"MQTT 3.1", []byte("\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a"), 1, ReasonVersion},
		{"a bridge's MQTT 3.1.1", hello(connectOptions{id: "a", level: 0x84}), 1, ReasonVersion},
		{"no client id and a session to keep", hello(connectOptions{durable: true}), 2, ReasonClientID},
		{"client id *", hello(connectOptions{id: "*"}), 2, ReasonClientID},
		{"client id +", hello(connectOptions{id: "+"}), 2, ReasonClientID},
		{"client id #", hello(connectOptions{id: "a#"}), 2, ReasonClientID},
		{"client id ../x", hello(connectOptions{id: "../x"}), 2, ReasonClientID},
		{"client id with a line break", hello(connectOptions{id: "a\nb"}), 2, ReasonClientID},
		{"client id with a C1 control character", hello(connectOptions{id: "a\u0085b"}), 2, ReasonClientID},
		{"client id of 257 bytes", hello(connectOptions{id: strings.Repeat("x", 257)}), 2, ReasonClientID},
		{"bad password", hello(connectOptions{id: "n", username: "u", password: "wrong"}), 4, ReasonCredentials},
		{"not allowed", hello(connectOptions{id: "n", username: "stranger"}), 5, ReasonNotAuthorized},
		{"will to a wildcard", hello(connectOptions{id: "n", will: &Message{Topic: "a/#"}}), 0, ReasonMalformed},
		{"another protocol", []byte("GET / HTTP/1.1\r\nHost: broker.example\r\nUser-Agent: a browser that took the wrong door\r\n\r\n"), 0, ReasonProtocol},
		{"PUBLISH first", publishBytes("a", "x", 0, false, 0), 0, ReasonProtocol},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, address := startBroker(t, Config{Hooks: Hooks{Authenticate: func(c Connect) (Identity, error) {
				switch {
				case c.Username == "stranger":
					return Identity{}, fmt.Errorf("who are you")
				case string(c.Password) == "wrong":
					return Identity{}, fmt.Errorf("account u: %w", ErrCredentials)
				}
				return Identity{}, nil
			}}})
			c := dial(t, address)
			c.send(tt.packet)
			if tt.code != 0 {
				c.expect(fmt.Sprintf("20 02 00 0%d", tt.code))
			}
			c.expectClosed()
			expectEnded(t, b, tt.want, 1)
			if n := b.Stats().Clients; n != 0 {
				t.Errorf("%d clients admitted", n)
			}
		})
	}
}

func TestEmptyClientIDsAreDistinct(t *testing.T) {
	ids := make(chan string, 2)
	_, address := startBroker(t, Config{Hooks: Hooks{Connected: func(who Identity) { ids <- who.ClientID }}})
	first, second := dial(t, address), dial(t, address)
	first.connect(connectOptions{})
	second.connect(connectOptions{})
	first.ping()
	if a, b := <-ids, <-ids; a == b || a == "" {
		t.Errorf("client ids %q and %q", a, b)
	}
}

// TestDurableSessionIsServedClean asks for a session that survives.
func TestDurableSessionIsServedClean(t *testing.T) {
	_, address := startBroker(t, Config{})
	for range 2 {
		c := dial(t, address)
		c.connect(connectOptions{id: "n", durable: true}) // session present is 0
		c.publish("a", "x", 0, false)
		c.ping() // the subscription of the first connection is gone
		c.subscribe("a", 1)
		c.send(disconnect)
		c.expectClosed()
	}
}

func TestClosedBroker(t *testing.T) {
	b, address := startBroker(t, Config{})
	c := join(t, address, "c")
	for range 2 {
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c.expectClosed()
	if err := b.Publish(Message{Topic: "a"}); err != ErrClosed {
		t.Errorf("Publish: %v", err)
	}
	if _, err := b.Subscribe("a", func(Message) {}); err != ErrClosed {
		t.Errorf("Subscribe: %v", err)
	}
	l := newPipeListener()
	if err := b.Serve(l); err != nil {
		t.Errorf("Serve: %v", err)
	}
	if _, err := l.Accept(); err == nil {
		t.Error("Serve after Close left its listener open")
	}
}
