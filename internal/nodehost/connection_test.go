package nodehost

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// recordingPeer is a node that only remembers what it was told.
type recordingPeer struct {
	told     chan string
	received chan smartmeter.Message
}

func newPeer() *recordingPeer {
	return &recordingPeer{told: make(chan string, 100), received: make(chan smartmeter.Message, 100)}
}

func (p *recordingPeer) ID() smartmeter.NodeID { return "n1" }
func (p *recordingPeer) Will() smartmeter.Message {
	return smartmeter.Message{Topic: "dev/n1/status", Payload: []byte("Offline"), QoS: 1, Retained: true}
}
func (p *recordingPeer) Subscriptions() []string      { return []string{"dev/n1/a", "dev/n1/b"} }
func (p *recordingPeer) Connected()                   { p.told <- "connected" }
func (p *recordingPeer) Disconnected()                { p.told <- "disconnected" }
func (p *recordingPeer) Receive(m smartmeter.Message) { p.received <- m }

// expect waits until the peer was told something.
func (p *recordingPeer) expect(t *testing.T, what string) {
	t.Helper()
	if got := wait(t, what, p.told); got != what {
		t.Fatalf("told %q, want %q", got, what)
	}
}

// connect returns a connection that retries at once, closed with the test.
func connect(t *testing.T, addr string, p Peer) *Connection {
	t.Helper()
	c, err := Connect(Broker{
		URL: "mqtt://" + addr, Username: "user", Password: "secret", Logger: quiet,
		Backoff: func(int) time.Duration { return 10 * time.Millisecond },
	}, p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestConnectionCarriesMessages(t *testing.T) {
	var seen atomic.Pointer[mqtt.Connect]
	b := startBroker(t, "", mqtt.Hooks{Authenticate: func(c mqtt.Connect) (mqtt.Identity, error) {
		seen.Store(&c)
		return mqtt.Identity{}, nil
	}})
	if err := b.Publish(mqtt.Message{Topic: "dev/n1/a", Payload: []byte("old"), Retain: true}); err != nil {
		t.Fatal(err)
	}
	p := newPeer()
	c := connect(t, b.addr, p)
	defer c.Close()
	p.expect(t, "connected")
	b.send(t, "dev/n1/b", "new")
	b.send(t, "dev/n1/c", "for somebody else")
	b.send(t, "dev/n1/a", "newer")
	want := []smartmeter.Message{
		{Topic: "dev/n1/a", Payload: []byte("old"), Retained: true},
		{Topic: "dev/n1/b", Payload: []byte("new"), QoS: 1},
		{Topic: "dev/n1/a", Payload: []byte("newer"), QoS: 1},
	}
	for _, w := range want {
		if diff := cmp.Diff(w, wait(t, "a message", p.received)); diff != "" {
			t.Errorf("received (-want +got):\n%s", diff)
		}
	}
	payload := []byte("mine")
	if !c.Publish("dev/n1/x", payload, 1, true) {
		t.Error("not taken")
	}
	clear(payload) // the connection has its own copy
	if m := b.await(t, "dev/n1/x", "mine"); m.QoS != 1 || b.retained("dev/n1/x") != "mine" {
		t.Errorf("published %+v, retained %q", m, b.retained("dev/n1/x"))
	}
	if s := seen.Load(); s.ClientID != "n1" || s.Username != "user" || string(s.Password) != "secret" {
		t.Errorf("connected as %+v", s)
	}
}

func TestConnectionComesBack(t *testing.T) {
	b := startBroker(t, "", mqtt.Hooks{})
	p := newPeer()
	c := connect(t, b.addr, p)
	defer c.Close()
	for range 3 {
		p.expect(t, "connected")
		b.stop()
		p.expect(t, "disconnected")
		if c.Publish("dev/n1/x", nil, 0, false) {
			t.Error("took a message without a broker")
		}
		b = startBroker(t, b.addr, mqtt.Hooks{})
	}
	p.expect(t, "connected")
	b.send(t, "dev/n1/a", "still subscribed")
	wait(t, "a message", p.received)
}

func TestBrokerPublishesTheWillOfAKilledNode(t *testing.T) {
	b := startBroker(t, "", mqtt.Hooks{})
	p := newPeer()
	c := connect(t, b.addr, p)
	p.expect(t, "connected")
	c.cancel() // cuts the socket, as the kernel does for a process that dies
	b.await(t, "dev/n1/status", "Offline")
	if got := b.retained("dev/n1/status"); got != "Offline" {
		t.Errorf("retained status %q", got)
	}
	within(t, "close", func() { c.Close() })
}

func TestCloseSaysGoodbye(t *testing.T) {
	b := startBroker(t, "", mqtt.Hooks{})
	p := newPeer()
	c := connect(t, b.addr, p)
	p.expect(t, "connected")
	c.Publish("dev/n1/x", []byte("last words"), 0, false)
	within(t, "close", func() { c.Close() })
	p.expect(t, "disconnected")
	b.await(t, "dev/n1/x", "last words")
	b.await(t, "dev/n1/status", "Offline")
	if got := b.retained("dev/n1/status"); got != "Offline" {
		t.Errorf("retained status %q", got)
	}
	b.stop()
	if len(b.heard) != 0 {
		t.Errorf("the will came, too: %+v", <-b.heard)
	}
}

func TestCloseWithoutABroker(t *testing.T) {
	nobody := listen(t, "")
	nobody.Close()
	c := connect(t, nobody.Addr().String(), newPeer())
	within(t, "close", func() { c.Close() })
}

// TestStalledBroker connects to a broker that takes the connection and the
// subscriptions, and never reads again.
func TestStalledBroker(t *testing.T) {
	listener := listen(t, "")
	defer listener.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		accepted <- conn
		answerConnectAndSubscribe(conn)
	}()
	p := newPeer()
	c := connect(t, listener.Addr().String(), p)
	p.expect(t, "connected")
	conn := wait(t, "the socket", accepted)
	defer conn.Close()

	payload := bytes.Repeat([]byte("x"), 16<<10)
	within(t, "publishing until it does not take more", func() {
		for c.Publish("dev/n1/x", payload, 1, false) || len(p.told) > 0 {
			continue // the kernel's buffers take some megabytes
		}
	})
	within(t, "close", func() { c.Close() })
}

// answerConnectAndSubscribe plays a broker's part as far as it has to.
func answerConnectAndSubscribe(conn net.Conn) {
	packet := func() []byte {
		var head [2]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return nil
		}
		body := make([]byte, head[1]) // these packets are short
		_, _ = io.ReadFull(conn, body)
		return body
	}
	packet()
	_, _ = conn.Write([]byte{0x20, 2, 0, 0})
	if s := packet(); len(s) > 2 {
		_, _ = conn.Write([]byte{0x90, 4, s[0], s[1], 1, 1})
	}
}

func TestRefusedConnectionsAreTriedAgain(t *testing.T) {
	tests := map[string]mqtt.Hooks{
		"bad password": {Authenticate: func(mqtt.Connect) (mqtt.Identity, error) { return mqtt.Identity{}, mqtt.ErrCredentials }},
		"may not read": {Authorize: func(_ mqtt.Identity, access mqtt.Access, _ string, _ bool, _ byte) bool { return access == mqtt.Write }},
	}
	for name, hooks := range tests {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t, "", hooks)
			attempts := make(chan int, 1000)
			c, err := Connect(Broker{
				URL: "tcp://" + b.addr, Logger: quiet,
				Backoff: func(failed int) time.Duration { attempts <- failed; return time.Millisecond },
			}, newPeer())
			if err != nil {
				t.Fatal(err)
			}
			for want := range 3 {
				if got := wait(t, "an attempt", attempts); got != want+1 {
					t.Errorf("attempt after %d failed ones, want %d", got, want+1)
				}
			}
			within(t, "close", func() { c.Close() })
		})
	}
}

func TestBrokerURLs(t *testing.T) {
	for url, want := range map[string]string{
		"mqtt://hub.local":         "hub.local:1883",
		"tcp://10.0.0.1:1884":      "10.0.0.1:1884",
		"mqtt://[fe80::1]:1883":    "[fe80::1]:1883",
		"mqtt://[fe80::1]":         "[fe80::1]:1883",
		"hub.local":                "",
		"hub.local:1883":           "",
		"http://hub.local":         "",
		"mqtt://":                  "",
		"":                         "",
		"mqtt://bad host/\x7fpath": "",
	} {
		got, err := (&Broker{URL: url}).address()
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", url, got, err, want)
		}
		if err != nil && (smartmeter.CodeOf(err) != smartmeter.Invalid || !strings.Contains(err.Error(), "mqtt://host")) {
			t.Errorf("%q: %v does not say what to write instead", url, err)
		}
	}
	if _, err := Connect(Broker{URL: "mqtt://x"}, newPeer()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("without a logger: %v", err)
	}
}

func TestDefaultBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		failed := rapid.IntRange(0, 1_000_000).Draw(t, "failed")
		longest := time.Minute
		if failed <= 5 {
			longest = 2 * time.Second << max(0, failed-1)
		}
		if got := DefaultBackoff(failed); got < time.Second || got > longest {
			t.Fatalf("%v after %d, want 1s to %v", got, failed, longest)
		}
	})
}

// A connection that is cut while messages are on their way must be noticed at
// once: the MQTT library alone would wait half a minute for a lost network to
// take the next one.
func TestCutWhilePublishing(t *testing.T) {
	broker := mqtt.New(mqtt.Config{Logger: quiet})
	listener := listen(t, "")
	served := make(chan error, 1)
	go func() { served <- broker.Serve(listener) }()
	p := newPeer()
	c := connect(t, listener.Addr().String(), p)
	p.expect(t, "connected")

	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if !c.Publish("dev/n1/x", make([]byte, 4000), 0, false) {
					time.Sleep(100 * time.Microsecond) // do not keep a core from the broker
				}
			}
		}
	}()
	for range 30 {
		for !broker.Disconnect("n1") {
			time.Sleep(time.Millisecond)
		}
		p.expect(t, "disconnected")
		p.expect(t, "connected")
	}
	within(t, "close", func() { c.Close() })
	close(stop)
	<-stopped
	broker.Close()
	if err := wait(t, "the broker to end", served); err != nil {
		t.Error(err)
	}
}
