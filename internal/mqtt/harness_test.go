package mqtt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen. Only a failing test
// ever waits that long.
const patience = 20 * time.Second

// quiet is a logger for tests that do not look at the log.
var quiet = slog.New(slog.DiscardHandler)

// startBroker serves cfg on a loopback port until the test ends.
func startBroker(t testing.TB, cfg Config) (*Broker, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveBroker(t, cfg, l), l.Addr().String()
}

func serveBroker(t testing.TB, cfg Config, l net.Listener) *Broker {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	b := New(cfg)
	served := make(chan error, 1)
	go func() { served <- b.Serve(l) }()
	waitFor(t, "listening", func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		return len(b.listeners) == 1
	})
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return b
}

// A pipeListener accepts the far ends of in-memory connections.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newPipeListener() *pipeListener {
	return &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

func (l *pipeListener) dial() net.Conn {
	near, far := net.Pipe()
	l.conns <- far
	return near
}

// A client speaks to the broker packet by packet, so that tests can say and
// see exactly what is on the wire.
type client struct {
	t     testing.TB
	conn  net.Conn
	in    frameReader
	early []frame // messages that came while another packet was waited for
}

func dial(t testing.TB, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return newClient(t, conn)
}

func newClient(t testing.TB, conn net.Conn) *client {
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, conn: conn, in: frameReader{source: conn, limit: maxPacketBytes}}
}

// join connects with a clean session and a client id.
func join(t testing.TB, address, id string) *client {
	t.Helper()
	c := dial(t, address)
	c.connect(connectOptions{id: id})
	return c
}

func (c *client) connect(o connectOptions) {
	c.t.Helper()
	c.send(appendConnect(nil, o))
	c.expect("20 02 00 00")
}

func (c *client) send(packets ...[]byte) {
	c.t.Helper()
	if _, err := c.conn.Write(bytes.Join(packets, nil)); err != nil {
		c.t.Fatalf("send: %v", err)
	}
}

// next returns the next packet, valid until the following call.
func (c *client) next() frame {
	c.t.Helper()
	if len(c.early) > 0 {
		f := c.early[0]
		c.early = c.early[1:]
		return f
	}
	return c.receive()
}

func (c *client) receive() frame {
	c.t.Helper()
	if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		c.t.Fatal(err)
	}
	f, err := c.in.next()
	if err != nil {
		c.t.Fatalf("waiting for a packet: %v", err)
	}
	return f
}

// expect checks that the next packet is the one given in hex.
func (c *client) expect(want string) {
	c.t.Helper()
	f := c.next()
	got := append(appendHeader(nil, f.kind, f.flags, len(f.body)), f.body...)
	if diff := cmp.Diff(unhex(c.t, want), got); diff != "" {
		c.t.Fatalf("packet (-want +got):\n%s", diff)
	}
}

// message returns the next message, which it acknowledges if need be.
func (c *client) message() Message {
	c.t.Helper()
	m, id := c.unacknowledged()
	if m.QoS > 0 {
		c.send(appendAck(nil, kindPuback, id))
	}
	return m
}

func (c *client) unacknowledged() (m Message, id uint16) {
	c.t.Helper()
	f := c.next()
	if f.kind != kindPublish {
		c.t.Fatalf("got %s, want a PUBLISH", f.dump())
	}
	p, err := decodePublish(f)
	if err != nil {
		c.t.Fatal(err)
	}
	return Message{Topic: string(p.topic), Payload: bytes.Clone(p.payload), QoS: p.qos, Retain: p.retain}, p.id
}

// expectMessage checks the next message; QoS 1 is acknowledged.
func (c *client) expectMessage(topic, payload string, qos byte, retain bool) {
	c.t.Helper()
	want := Message{Topic: topic, Payload: []byte(payload), QoS: qos, Retain: retain}
	if diff := cmp.Diff(text(want), text(c.message())); diff != "" {
		c.t.Fatalf("message (-want +got):\n%s", diff)
	}
}

// ping makes sure that everything sent before has been handled and everything
// caused by it has been received: the next packet must be the answer.
func (c *client) ping() {
	c.t.Helper()
	c.send(pingreq)
	c.expect("d0 00")
}

// expectClosed checks that the broker ends the connection, whatever it may
// send before.
func (c *client) expectClosed() {
	c.t.Helper()
	// An error says that it is closed already, in memory.
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		_, err := c.in.next()
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			c.t.Fatal("connection is still open")
		}
		if err != nil {
			return
		}
	}
}

func (c *client) subscribe(filter string, qos byte) {
	c.t.Helper()
	c.send(appendSubscribe(nil, 1, subscription{filter, qos}))
	c.expect("90 03 00 01 0" + string('0'+qos))
}

// publish waits for the acknowledgement of QoS 1. If the client has subscribed
// to what it publishes, the message may come before it, and is kept for later.
func (c *client) publish(topic, payload string, qos byte, retain bool) {
	c.t.Helper()
	c.send(publishBytes(topic, payload, qos, retain, 1))
	for qos == 1 {
		f := c.receive()
		if f.kind == kindPuback && bytes.Equal(f.body, []byte{0, 1}) {
			return
		}
		if f.kind != kindPublish {
			c.t.Fatalf("got %s, want the PUBACK", f.dump())
		}
		f.body = bytes.Clone(f.body)
		c.early = append(c.early, f)
	}
}

// textMessage is a Message that diffs readably.
type textMessage struct {
	Topic, Payload string
	QoS            byte
	Retain         bool
}

func text(m Message) textMessage {
	return textMessage{m.Topic, string(m.Payload), m.QoS, m.Retain}
}

type connectOptions struct {
	id        string
	level     byte // 0 for 4
	keepAlive uint16
	durable   bool // clean session 0
	username  string
	password  string
	will      *Message
}

// Packets that a client sends.
var (
	pingreq    = []byte{0xc0, 0}
	disconnect = []byte{0xe0, 0}
)

func appendText(dst []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(len(s))), s...)
}

func appendConnect(dst []byte, o connectOptions) []byte {
	if o.level == 0 {
		o.level = 4
	}
	flags := flagClean
	if o.durable {
		flags = 0
	}
	rest := appendText(nil, o.id)
	if w := o.will; w != nil {
		flags |= flagWill | connectFlags(w.QoS)<<3
		if w.Retain {
			flags |= flagWillRetain
		}
		rest = appendText(appendText(rest, w.Topic), string(w.Payload))
	}
	if o.username != "" {
		flags |= flagUsername
		rest = appendText(rest, o.username)
	}
	if o.password != "" {
		flags |= flagPassword
		rest = appendText(rest, o.password)
	}
	body := append(appendText(nil, "MQTT"), o.level, byte(flags))
	body = append(binary.BigEndian.AppendUint16(body, o.keepAlive), rest...)
	return append(appendHeader(dst, kindConnect, 0, len(body)), body...)
}

func appendSubscribe(dst []byte, id uint16, subscriptions ...subscription) []byte {
	body := binary.BigEndian.AppendUint16(nil, id)
	for _, s := range subscriptions {
		body = append(appendText(body, s.filter), s.qos)
	}
	return append(appendHeader(dst, kindSubscribe, 2, len(body)), body...)
}

func appendUnsubscribe(dst []byte, id uint16, filters ...string) []byte {
	body := binary.BigEndian.AppendUint16(nil, id)
	for _, f := range filters {
		body = appendText(body, f)
	}
	return append(appendHeader(dst, kindUnsubscribe, 2, len(body)), body...)
}

func publishBytes(topic, payload string, qos byte, retain bool, id uint16) []byte {
	return appendPublish(nil, &Message{Topic: topic, Payload: []byte(payload)}, qos, retain, id)
}

// unhex reads hex with spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	var out []byte
	for _, field := range bytes.Fields([]byte(s)) {
		for i := 0; i < len(field); i += 2 {
			var v byte
			for _, d := range field[i : i+2] {
				v = v<<4 | byte(bytes.IndexByte([]byte("0123456789abcdef"), d))
			}
			out = append(out, v)
		}
	}
	return out
}

// waitFor waits until what must become true is.
func waitFor(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); {
		if time.Now().After(deadline) {
			t.Fatalf("did not happen: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// expectEnded checks that connections have ended for a reason.
func expectEnded(t testing.TB, b *Broker, r Reason, n uint64) {
	t.Helper()
	waitFor(t, r.String(), func() bool { return b.counters.closed[r].Load() == n })
}

// drain reads and discards until the connection ends.
func drain(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }
