package mqtt

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A journal notes what happens, in order.
type journal struct {
	mu      sync.Mutex
	entries []string
}

func (j *journal) add(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, fmt.Sprintf(format, args...))
}

func (j *journal) expect(t *testing.T, want ...string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%d entries", len(want)), func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return len(j.entries) >= len(want)
	})
	j.mu.Lock()
	defer j.mu.Unlock()
	if diff := cmp.Diff(want, j.entries); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestHooksInOrder follows two connections of one client id.
func TestHooksInOrder(t *testing.T) {
	var j journal
	_, address := startBroker(t, Config{Hooks: Hooks{
		Authenticate: func(c Connect) (Identity, error) {
			j.add("authenticate %s %s:%s %v", c.ClientID, c.Username, c.Password, c.KeepAlive)
			return Identity{ClientID: "not for the hook to say", User: "user of " + c.Username}, nil
		},
		Authorize: func(who Identity, a Access, topic string, retain bool, qos byte) bool {
			j.add("authorize %s (%s) %s %s %v %d", who.ClientID, who.User, a, topic, retain, qos)
			return true
		},
		Published:    func(m Message) error { j.add("published %s %s=%s", m.From.ClientID, m.Topic, m.Payload); return nil },
		Connected:    func(who Identity) { j.add("connected %s", who.ClientID) },
		Disconnected: func(who Identity, r Reason) { j.add("disconnected %s: %s", who.ClientID, r) },
	}})
	options := connectOptions{
		id: "n", username: "u", password: "p", keepAlive: 60,
		will: &Message{Topic: "state", Payload: []byte("offline"), QoS: 2, Retain: true},
	}
	first := dial(t, address)
	first.connect(options)
	first.subscribe("set/+", 1)
	first.publish("state", "online", 1, true)
	second := dial(t, address)
	second.connect(options)
	second.send(disconnect)
	first.expectClosed()
	j.expect(
		t,
		"authenticate n u:p 1m0s",
		"connected n",
		"authorize n (user of u) read set/+ false 1",
		"authorize n (user of u) write state true 1",
		"published n state=online",
		"authenticate n u:p 1m0s",
		"authorize n (user of u) write state true 1",
		"published n state=offline",
		"disconnected n: taken over",
		"connected n",
		"disconnected n: disconnect",
	)
}

func TestUnauthorizedPublishIsDroppedButAcknowledged(t *testing.T) {
	b, address := startBroker(t, Config{Hooks: Hooks{Authorize: func(_ Identity, a Access, topic string, retain bool, _ byte) bool {
		return a == Read || !strings.HasPrefix(topic, "secret") && !retain
	}}})
	c := join(t, address, "c")
	c.subscribe("#", 0)
	c.subscribe("$SYS/#", 0)
	c.publish("secret/a", "x", 1, false)
	c.publish("open", "x", 1, true)
	c.publish("$SYS/uptime", "x", 1, false)
	c.publish("open", "y", 0, false)
	c.expectMessage("open", "y", 0, false)
	if s := b.Stats(); s.Dropped[DropNotAuthorized] != 3 || s.RetainedMessages != 0 {
		t.Errorf("%d dropped, %d retained", s.Dropped[DropNotAuthorized], s.RetainedMessages)
	}
}

func TestMessageNotTakenIsNotAcknowledged(t *testing.T) {
	b, address := startBroker(t, Config{Hooks: Hooks{Published: func(m Message) error {
		if string(m.Payload) == "bad" {
			return errors.New("disk full")
		}
		return nil
	}}})
	watcher, c := join(t, address, "watcher"), dial(t, address)
	watcher.subscribe("#", 0)
	c.connect(connectOptions{id: "c", will: &Message{Topic: "will", Payload: []byte("bad"), Retain: true}})
	c.publish("a", "good", 1, false)
	watcher.expectMessage("a", "good", 0, false)
	c.send(publishBytes("a", "bad", 1, true, 2))
	if f, err := c.in.next(); err == nil {
		t.Errorf("answered with %s", f.dump())
	}
	expectEnded(t, b, ReasonNotTaken, 1)
	waitFor(t, "client gone", func() bool { return b.Stats().Clients == 1 })
	watcher.ping()
	if s := b.Stats(); s.RetainedMessages != 0 || s.Dropped[DropNotTaken] != 1 {
		t.Errorf("%d retained, %d wills not taken", s.RetainedMessages, s.Dropped[DropNotTaken])
	}
}

// explosive hooks panic for the client that is named after them, and for a
// message to the topic "will".
func explosive() Hooks {
	boom := func(who, where string) {
		if who == where {
			panic("boom in " + where)
		}
	}
	return Hooks{
		Authenticate: func(c Connect) (Identity, error) { boom(c.ClientID, "authenticate"); return Identity{}, nil },
		Authorize: func(who Identity, _ Access, topic string, _ bool, _ byte) bool {
			boom(who.ClientID, "authorize")
			boom(topic, "will")
			return true
		},
		Published:    func(m Message) error { boom(m.From.ClientID, "published"); return nil },
		Connected:    func(who Identity) { boom(who.ClientID, "connected") },
		Disconnected: func(who Identity, _ Reason) { boom(who.ClientID, "disconnected") },
	}
}

func TestPanicEndsItsConnectionOnly(t *testing.T) {
	for _, tt := range []struct {
		hook string
		want Reason
	}{
		{"authenticate", ReasonPanic},
		{"connected", ReasonPanic},
		{"authorize", ReasonPanic},
		{"published", ReasonPanic},
		{"disconnected", ReasonDisconnect},
	} {
		t.Run(tt.hook, func(t *testing.T) {
			var log bytes.Buffer
			b, address := startBroker(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil)), Hooks: explosive()})
			healthy, c := join(t, address, "healthy"), dial(t, address)
			c.send(
				appendConnect(nil, connectOptions{id: tt.hook, username: "u", password: "sesame"}),
				publishBytes("a", "x", 0, false, 0),
				disconnect,
			)
			c.expectClosed()
			expectEnded(t, b, tt.want, 1)
			healthy.ping()
			waitFor(t, "cleaned up", func() bool { return b.Stats().Clients == 1 })
			if n := b.Stats().Panics; n != 1 {
				t.Errorf("%d panics counted", n)
			}
			if err := b.Close(); err != nil {
				t.Fatal(err)
			}
			expectPanicLogged(t, log.String(), tt.hook)
		})
	}
}

// expectPanicLogged looks for the panic and the packet, and for no password.
func expectPanicLogged(t *testing.T, log, hook string) {
	t.Helper()
	packet := map[string]string{
		"authenticate": "not shown because of its password",
		"connected":    "not shown because of its password",
		"authorize":    `packet="30 00016178"`,
		"published":    `packet="30 00016178"`,
	}
	for _, want := range []string{"boom in " + hook, packet[hook]} {
		if !strings.Contains(log, want) {
			t.Errorf("log lacks %q:\n%s", want, log)
		}
	}
	if strings.Contains(log, "sesame") || strings.Contains(log, "736573616d65") {
		t.Errorf("log has a password:\n%s", log)
	}
}

func TestPanicInWillOrHandlerIsContained(t *testing.T) {
	b, address := startBroker(t, Config{Hooks: explosive()})
	if _, err := b.Subscribe("handler", func(Message) { panic("boom in handler") }); err != nil {
		t.Fatal(err)
	}
	healthy, c := join(t, address, "healthy"), dial(t, address)
	healthy.subscribe("#", 0)
	c.connect(connectOptions{id: "c", will: &Message{Topic: "will"}})
	c.publish("handler", "x", 1, false) // is acknowledged, and reaches the others
	healthy.expectMessage("handler", "x", 0, false)
	_ = c.conn.Close()
	waitFor(t, "panics counted", func() bool { return b.Stats().Panics == 2 })
	waitFor(t, "cleaned up", func() bool { return b.Stats().Clients == 1 })
	healthy.ping()
}

func TestDisconnectRevokesAtOnce(t *testing.T) {
	authenticating, proceed := make(chan struct{}), make(chan struct{})
	b, address := startBroker(t, Config{Hooks: Hooks{Authenticate: func(c Connect) (Identity, error) {
		if c.ClientID == "slow" {
			close(authenticating)
			<-proceed
		}
		return Identity{}, nil
	}}})
	c := join(t, address, "n")
	c.subscribe("a", 1)
	if b.Disconnect("someone else") {
		t.Error("disconnected someone who is not there")
	}
	if !b.Disconnect("n") {
		t.Error("did not find the client")
	}
	if err := b.Publish(Message{Topic: "a", Payload: []byte("x"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	if f, err := c.in.next(); err == nil {
		t.Errorf("got %s after it was disconnected", f.dump())
	}
	expectEnded(t, b, ReasonRevoked, 1)

	// One that is just being authenticated must not slip through.
	slow := dial(t, address)
	slow.send(appendConnect(nil, connectOptions{id: "slow"}))
	<-authenticating
	if !b.Disconnect("slow") {
		t.Error("did not find the client that is being authenticated")
	}
	close(proceed)
	slow.expectClosed()
	expectEnded(t, b, ReasonRevoked, 2)
	if n := b.Stats().Clients; n != 0 {
		t.Errorf("%d clients left", n)
	}
}

// TestBusyPredecessor keeps the previous connection busy in a hook for longer
// than a client that takes over is made to wait.
func TestBusyPredecessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		b := serveBroker(t, Config{Hooks: Hooks{Published: func(Message) error {
			time.Sleep(time.Minute)
			return nil
		}}}, l)
		first, second := newClient(t, l.dial()), newClient(t, l.dial())
		first.connect(connectOptions{id: "n"})
		first.send(publishBytes("a", "x", 0, false, 0))
		synctest.Wait()
		start := time.Now()
		second.send(appendConnect(nil, connectOptions{id: "n"}))
		second.expect("20 02 00 03")
		second.expectClosed()
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("made to wait for %v", waited)
		}
		time.Sleep(time.Minute)
		third := newClient(t, l.dial())
		third.connect(connectOptions{id: "n"})
		third.ping()
		if closed := b.Stats().Closed; closed[ReasonUnavailable] != 1 || closed[ReasonTakenOver] != 1 {
			t.Errorf("closed for %v", closed)
		}
	})
}

func TestTLS(t *testing.T) {
	certificate := selfSigned(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	b := serveBroker(t, Config{Hooks: Hooks{Authenticate: func(c Connect) (Identity, error) {
		if c.TLS == nil || !c.TLS.HandshakeComplete {
			return Identity{}, errors.New("not over TLS")
		}
		return Identity{}, nil
	}}}, l)
	roots := x509.NewCertPool()
	roots.AddCert(certificate.Leaf)
	conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	c := newClient(t, conn)
	c.connect(connectOptions{id: "n", keepAlive: 1})
	c.subscribe("a", 1)
	c.publish("a", telemetry, 1, true)
	c.expectMessage("a", telemetry, 1, false)
	if !b.Disconnect("n") {
		t.Error("did not find the client")
	}
	c.expectClosed()
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
