package session

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// bench is the hub's own broker with a session of a node.
type bench struct {
	*mqtt.Broker
	address string
	heard   chan mqtt.Message
	told    chan string
	came    chan smartmeter.Message
	ended   chan error
	peer    *Peer
}

func newBench(t *testing.T, hooks mqtt.Hooks) *bench {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{
		Broker: mqtt.New(mqtt.Config{Logger: slog.New(slog.DiscardHandler), Hooks: hooks}), address: listener.Addr().String(),
		heard: make(chan mqtt.Message, 1000), told: make(chan string, 10), came: make(chan smartmeter.Message, 10), ended: make(chan error, 1),
	}
	if _, err := b.Subscribe("#", func(m mqtt.Message) { m.Payload = bytes.Clone(m.Payload); b.heard <- m }); err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { _ = b.Serve(listener) })
	t.Cleanup(func() { b.Close(); listener.Close(); serving.Wait() })
	b.peer = &Peer{
		ID: "n1", Username: "n1", Token: "secret", Outbox: NewOutbox(),
		Will:          smartmeter.Message{Topic: "dev/n1/status", Payload: []byte("Offline"), QoS: 1, Retained: true},
		Subscriptions: []string{"dev/n1/relay/commands", "dev/n1/config"},
		Connected:     func() { b.told <- "connected" },
		Disconnected:  func() { b.told <- "disconnected" },
		Receive: func(topic string, payload []byte, retained bool) {
			b.came <- smartmeter.Message{Topic: topic, Payload: bytes.Clone(payload), Retained: retained}
		},
	}
	return b
}

// connect runs a session over a connection that hands out bytes one by one.
func (b *bench) connect(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", b.address)
	if err != nil {
		t.Fatal(err)
	}
	go func() { b.ended <- Run(slowConn{conn, iotest.OneByteReader(conn)}, b.peer) }()
	return conn
}

type slowConn struct {
	net.Conn
	io.Reader
}

func (c slowConn) Read(p []byte) (int, error) { return c.Reader.Read(p) }

// wait returns what comes next.
func wait[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(20 * time.Second):
		t.Fatalf("%s did not come", what)
	}
	return v
}

func TestSessionCarriesMessages(t *testing.T) {
	var hello mqtt.Connect
	b := newBench(t, mqtt.Hooks{Authenticate: func(c mqtt.Connect) (mqtt.Identity, error) { hello = c; return mqtt.Identity{}, nil }})
	if err := b.Publish(mqtt.Message{Topic: "dev/n1/config", Payload: []byte("kept"), Retain: true}); err != nil {
		t.Fatal(err)
	}
	if b.peer.Outbox.Publish("dev/n1/too-early", nil, 1, false) {
		t.Error("a message is taken without a session")
	}
	conn := b.connect(t)
	if got := wait(t, "the session", b.told); got != "connected" {
		t.Fatal(got)
	}
	if hello.Username != "n1" || string(hello.Password) != "secret" {
		t.Errorf("introduced as %q with %q", hello.Username, hello.Password)
	}
	if m := wait(t, "the retained message", b.came); string(m.Payload) != "kept" || !m.Retained {
		t.Errorf("%+v", m)
	}
	long := strings.Repeat("x", 6000)
	for _, m := range []smartmeter.Message{
		{Topic: "dev/n1/relay/state", Payload: []byte("1"), Retained: true}, {Topic: "dev/n1/pzem/backlog", Payload: []byte(long)},
	} {
		if !b.peer.Outbox.Publish(m.Topic, m.Payload, 1, m.Retained) {
			t.Fatalf("%s is not taken", m.Topic)
		}
		for heard := wait(t, m.Topic, b.heard); ; heard = wait(t, m.Topic, b.heard) {
			if heard.Topic == m.Topic {
				if !bytes.Equal(heard.Payload, m.Payload) || b.keeps(m.Topic) != m.Retained {
					t.Errorf("%s came as %d bytes, retained %v", m.Topic, len(heard.Payload), b.keeps(m.Topic))
				}
				break
			}
		}
	}
	b.tell(t, long) // nothing that a node understands is so long
	b.tell(t, strings.Repeat("y", longestMessage-1))
	b.tell(t, "RELAY_ON")
	for _, want := range []int{longestMessage - 1, len("RELAY_ON")} {
		if m := wait(t, "a command", b.came); len(m.Payload) != want || m.Topic != "dev/n1/relay/commands" || m.Retained {
			t.Errorf("%d bytes on %s, want %d", len(m.Payload), m.Topic, want)
		}
	}
	conn.Close() // as a WiFi that is gone
	if err := wait(t, "the end", b.ended); err == nil {
		t.Error("no reason for the end")
	}
	if got := wait(t, "the end", b.told); got != "disconnected" {
		t.Error(got)
	}
	for m := wait(t, "the will", b.heard); m.Topic != "dev/n1/status"; m = wait(t, "the will", b.heard) {
	}
}

// keeps reports whether the broker keeps a message on a topic.
func (b *bench) keeps(topic string) bool {
	for m := range b.Retained() {
		if m.Topic == topic {
			return true
		}
	}
	return false
}

func (b *bench) tell(t *testing.T, command string) {
	t.Helper()
	if err := b.Publish(mqtt.Message{Topic: "dev/n1/relay/commands", Payload: []byte(command), QoS: 1}); err != nil {
		t.Fatal(err)
	}
}

func TestSessionThatIsRefused(t *testing.T) {
	b := newBench(t, mqtt.Hooks{Authenticate: func(mqtt.Connect) (mqtt.Identity, error) {
		return mqtt.Identity{}, errors.New("who is that?")
	}})
	b.connect(t)
	if err := wait(t, "the refusal", b.ended); err == nil {
		t.Error("it was refused, and says nothing")
	}
	if len(b.told) != 0 {
		t.Errorf("told %q", <-b.told)
	}
}

// A broker that throws the node out can be connected to again, by the same peer.
func TestSessionAfterSession(t *testing.T) {
	b := newBench(t, mqtt.Hooks{})
	for range 5 {
		b.connect(t)
		wait(t, "the session", b.told)
		if !b.Disconnect("n1") {
			t.Fatal("it is not there")
		}
		wait(t, "the end", b.ended)
		wait(t, "the end", b.told)
	}
}

// readyMeter measures the same again and again.
type readyMeter struct{}

func (readyMeter) Read(into *smartmeter.Measurement) error {
	*into = smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: 2301, Power: 230, Current: 100, Frequency: 500, PowerFactor: 100}
	return nil
}

// TestNodeOverASession has the core introduce itself, send its backlog and obey.
func TestNodeOverASession(t *testing.T) {
	b := newBench(t, mqtt.Hooks{})
	relay := &contact{}
	core, err := node.New(node.Config{ID: "n1", Boot: 0xBEEF, Meter: readyMeter{}, Link: b.peer.Outbox, Relay: relay})
	if err != nil {
		t.Fatal(err)
	}
	now := smartmeter.Millis(0)
	live := func(d smartmeter.Millis) {
		for end := now + d; now < end; now += 250 {
			core.Step(now, 0)
			time.Sleep(time.Millisecond) // the outbox empties meanwhile
		}
	}
	live(60_000)
	b.peer.Will, b.peer.Subscriptions = core.Will(), core.Subscriptions()
	conn := b.connect(t)
	defer func() { conn.Close(); wait(t, "the end", b.ended) }()
	wait(t, "the session", b.told)
	core.Connected(now)
	live(3000)
	b.tell(t, `{"id":"a","boot":"0000beef","before_t":90000,"set":"on"}`)
	m := wait(t, "the command", b.came)
	core.Receive(now, m.Topic, m.Payload, m.Retained)
	if !relay.on {
		t.Error("the relay did not move")
	}
	missing := map[string]bool{"info": true, "status": true, "relay/state": true, "pzem/metrics": true, "pzem/backlog": true, "relay/ack": true}
	for len(missing) > 0 {
		m := wait(t, "a message", b.heard)
		delete(missing, strings.TrimPrefix(m.Topic, "dev/n1/"))
	}
}

type contact struct{ on bool }

func (c *contact) Set(on bool) error { c.on = on; return nil }
