package nodehost

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/ca"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// hubDoor is a hub's encrypted door, and who knocked there.
type hubDoor struct {
	url   string
	ca    *ca.Authority
	nodes *access.Nodes
	der   []byte // of the authority

	mu     sync.Mutex
	tried  []access.Attempt
	refuse bool // whoever comes
}

func newHubDoor(t *testing.T) *hubDoor {
	t.Helper()
	files := faultdisk.New(1)
	authority, err := ca.Open(ca.Config{Files: files, Logger: slog.New(slog.DiscardHandler), Names: func() ca.Names { return ca.Names{Hosts: []string{"hub.local"}} }})
	if err != nil {
		t.Fatal(err)
	}
	nodes, err := access.OpenNodes(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(authority.PEM())
	h := &hubDoor{ca: authority, nodes: nodes, der: block.Bytes}
	h.serve(t, authority.TLS())
	return h
}

// serve opens a door that shows what secure says.
func (h *hubDoor) serve(t *testing.T, secure *tls.Config) {
	t.Helper()
	l := listen(t, "127.0.0.1:0")
	h.url = "mqtts://" + l.Addr().String()
	broker := mqtt.New(mqtt.Config{Logger: slog.New(slog.DiscardHandler), Hooks: mqtt.Hooks{Authenticate: h.admit}})
	served := make(chan error, 1)
	go func() { served <- broker.Serve(tls.NewListener(l, secure)) }()
	t.Cleanup(func() { broker.Close(); <-served })
}

func (h *hubDoor) admit(c mqtt.Connect) (mqtt.Identity, error) {
	attempt := access.Attempt{ID: smartmeter.NodeID(c.ClientID), User: c.Username, Password: c.Password, Encrypted: c.TLS != nil}
	h.mu.Lock()
	h.tried = append(h.tried, attempt)
	refuse := h.refuse
	h.mu.Unlock()
	if refuse {
		return mqtt.Identity{}, mqtt.ErrCredentials
	}
	who, err := h.nodes.Enter(attempt)
	return mqtt.Identity{User: who.Kind.String()}, err
}

func (h *hubDoor) code(t *testing.T) smartmeter.PairingCode {
	t.Helper()
	secret, _, err := h.nodes.BeginPairing("", access.AtConsole())
	if err != nil {
		t.Fatal(err)
	}
	print := h.ca.Fingerprint()
	return smartmeter.PairingCode{Secret: secret, Authority: [11]byte(print[:])}
}

// begin starts node n1, as a program with these flags does.
func begin(t *testing.T, url, pairing string, in settings) (*recordingPeer, error) {
	t.Helper()
	broker := Broker{URL: url, Logger: quiet, Backoff: func(int) time.Duration { return 10 * time.Millisecond }}
	if err := identify(&broker, "n1", pairing, in); err != nil {
		return nil, err
	}
	p := newPeer()
	c, err := Connect(broker, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return p, nil
}

func newSettings(t *testing.T) settings {
	t.Helper()
	in, err := openDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return settings{in}
}

func TestS7ANodePairsAndIsKnownEverAfter(t *testing.T) {
	h, in := newHubDoor(t), newSettings(t)
	code := h.code(t).String()
	for _, pairing := range []string{code, code, ""} { // the second time it had lost its power
		p, err := begin(t, h.url, pairing, in)
		if err != nil {
			t.Fatal(err)
		}
		p.expect(t, "connected")
	}
	if list := h.nodes.List(); len(list) != 1 || list[0].Kind != access.Paired {
		t.Errorf("%v", list)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	first, last := h.tried[0], h.tried[len(h.tried)-1]
	if string(first.Password) != string(last.Password) || len(first.Password) < 43 || last.User != "n1" {
		t.Errorf("secrets of %d and %d bytes, user %q", len(first.Password), len(last.Password), last.User)
	}
}

// TestS7AnotherHubLearnsNothing puts somebody between: with an authority of
// their own, and with the hub's own certificate behind it.
func TestS7AnotherHubLearnsNothing(t *testing.T) {
	h, villain := newHubDoor(t), newHubDoor(t)
	shown, err := villain.ca.TLS().GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, chain := range map[string][][]byte{
		"its own authority":     shown.Certificate,
		"the hub's beside it":   append(shown.Certificate[:2:2], h.der),
		"the hub's in place":    {shown.Certificate[0], h.der},
		"the hub's alone":       {h.der},
		"the hub's as a server": {h.der, h.der},
	} {
		t.Run(name, func(t *testing.T) {
			between := &hubDoor{ca: villain.ca, nodes: villain.nodes}
			between.serve(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: chain, PrivateKey: shown.PrivateKey}}})
			begins := h.code(t).Authority
			a := authority{begins: begins[:], found: func(der []byte) error {
				if string(der) != string(h.der) {
					t.Error("another authority is kept")
				}
				return nil
			}}
			conn, err := net.Dial("tcp", strings.TrimPrefix(between.url, "mqtts://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := tls.Client(conn, a.config()).Handshake(); err == nil {
				t.Error("the node goes on")
			}
			if len(between.tried) > 0 {
				t.Error("something was said")
			}
		})
	}
}

// TestS7APairedNodeStaysWithItsHub replaces the hub by another one at the same
// address: not a byte of the node's secret goes there.
func TestS7APairedNodeStaysWithItsHub(t *testing.T) {
	h, other, in := newHubDoor(t), newHubDoor(t), newSettings(t)
	p, err := begin(t, h.url, h.code(t).String(), in)
	if err != nil {
		t.Fatal(err)
	}
	p.expect(t, "connected")
	known, err := loadHub(in)
	if err != nil || string(known.Authority) != string(h.der) {
		t.Fatalf("it knows %v, %v", known, err)
	}
	a := authority{der: known.Authority}
	conn, err := tls.Dial("tcp", strings.TrimPrefix(other.url, "mqtts://"), a.config())
	if err == nil {
		conn.Close()
	}
	if !errors.Is(err, errStranger) {
		t.Errorf("the other hub: %v", err)
	}
}

func TestS7ANewCodeIsANewBeginning(t *testing.T) {
	h, in := newHubDoor(t), newSettings(t)
	first := h.code(t)
	p, err := begin(t, h.url, first.String(), in)
	if err != nil {
		t.Fatal(err)
	}
	p.expect(t, "connected")
	before, _ := loadHub(in)
	if _, err := begin(t, h.url, h.code(t).String(), in); err != nil {
		t.Fatal(err)
	}
	if after, _ := loadHub(in); after.Secret == before.Secret {
		t.Error("the secret of the first pairing is used again")
	}
}

func TestWhatCannotBePairedIsSaid(t *testing.T) {
	in := newSettings(t)
	code := smartmeter.PairingCode{}.String()
	for flags, want := range map[[2]string]string{
		{"mqtt://hub", code}:                       "mqtts://",
		{"mqtts://hub", "x"}:                       "seven groups",
		{"mqtts://hub", code[:2] + "1" + code[3:]}: "group 1",
	} {
		if _, err := begin(t, flags[0], flags[1], in); smartmeter.CodeOf(err) != smartmeter.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", flags, err)
		}
	}
	if err := in.Save(savedHub, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := begin(t, "mqtts://hub", code, in); err == nil || !strings.Contains(err.Error(), "pair anew") {
		t.Errorf("a damaged file: %v", err)
	}
}

// A node whose clock is at the beginning of time does not know better.
func TestAClockThatIsBehindIsNoReason(t *testing.T) {
	future := &x509.Certificate{NotBefore: time.Now().Add(1000 * time.Hour)}
	if got := clockFor(future); got.Before(future.NotBefore) {
		t.Errorf("judged at %v", got)
	}
	past := &x509.Certificate{NotBefore: time.Now().Add(-1000 * time.Hour)}
	if got := clockFor(past); time.Since(got) > time.Hour {
		t.Errorf("judged at %v", got)
	}
}
