package bus_test

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
)

// scripted is a broker of one connection that the test plays byte by byte.
type scripted struct {
	t *testing.T
	net.Conn
}

// greet admits a client and returns the packet id of its first subscription.
func greet(t *testing.T, l net.Listener) (s *scripted, id string) {
	t.Helper()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	s = &scripted{t, conn}
	s.skipPacket()
	s.send("\x20\x02\x00\x00") // CONNACK
	return s, string(s.skipPacket()[:2])
}

// admit also grants that subscription.
func admit(t *testing.T, l net.Listener) *scripted {
	t.Helper()
	s, id := greet(t, l)
	s.send("\x90\x03" + id + "\x01") // SUBACK
	return s
}

func (s *scripted) send(packet string) {
	s.t.Helper()
	if _, err := io.WriteString(s, packet); err != nil {
		s.t.Fatal(err)
	}
}

// skipPacket reads a packet of less than 128 bytes and returns what follows
// its fixed header.
func (s *scripted) skipPacket() []byte {
	s.t.Helper()
	header := make([]byte, 2)
	if _, err := io.ReadFull(s, header); err != nil {
		s.t.Fatal(err)
	}
	body := make([]byte, header[1])
	if _, err := io.ReadFull(s, body); err != nil {
		s.t.Fatal(err)
	}
	return body
}

// publication is a PUBLISH with QoS 1 to the topic "a" and less than 128 bytes.
func publication(id int, payload string) string {
	return "\x32" + string(rune(5+len(payload))) + "\x00\x01a" + string([]byte{byte(id >> 8), byte(id)}) + payload
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// A broker that is killed resets the connection, and receipts cannot be sent
// any more. What it had sent arrives all the same.
func TestResetConnectionIsReadToItsEnd(t *testing.T) {
	const messages = 3000 // more than is read at once
	l := listen(t)
	b := newExternal(t, l.Addr().String(), bus.ExternalConfig{})
	h, subscribed, goOn := &heard{}, make(chan struct{}, messages), make(chan struct{})
	if err := b.Subscribe("a", func(m smartmeter.Message) {
		subscribed <- struct{}{}
		<-goOn
		h.take(m)
	}); err != nil {
		t.Fatal(err)
	}
	run(t, b)
	broker := admit(t, l)
	all, want := "", make([]string, messages)
	for i := range want {
		want[i] = fmt.Sprint(i)
		all += publication(i+1, want[i])
	}
	broker.send(all) // in one segment: a reset destroys what is not sent yet
	<-subscribed
	if err := broker.Conn.(*net.TCPConn).SetLinger(0); err != nil { // Close resets
		t.Fatal(err)
	}
	broker.Close()
	close(goOn)
	fails(t, b, "is not reachable")
	got := h.all()
	for i, payload := range want {
		if i >= len(got) || string(got[i].Payload) != payload {
			t.Fatalf("%d messages arrived, want %d in order", len(got), messages)
		}
	}
}

// Whatever a broker sends, the bus ends the connection at most.
func TestBrokerSpeaksNonsense(t *testing.T) {
	for name, nonsense := range map[string]string{
		"an endless length":          "\x30\xff\xff\xff\xff\xff",
		"a packet of nothing":        "\x00\x00",
		"a giant that is no PUBLISH": "\xd0\xff\xff\xff\x7f",
		"a giant without a topic":    "\x30\x80\x80\x80\x01\xff\xff",
		"a receipt of nothing":       "\x40\x00",
		"a receipt for nothing":      "\x40\x02\x77\x77",
		"a grant of nothing":         "\x90\x02\x00\x01",
		"another CONNACK":            "\x20\x02\x00\x00",
		"a CONNECT":                  "\x10\x00",
		"a PUBLISH too short":        "\x32\x02\x00\x01",
		"a topic longer than all":    "\x30\x03\x00\xffa",
		"the end in a header":        "\x30",
		"the end in a giant":         "\x32\x80\x80\x80\x01\x00\x01a\x00\x01xxx",
		"the end in a message":       "\x30\x05\x00\x01",
	} {
		t.Run(name, func(t *testing.T) {
			l := listen(t)
			b := newExternal(t, l.Addr().String(), bus.ExternalConfig{})
			h := &heard{}
			if err := b.Subscribe("a", h.take); err != nil {
				t.Fatal(err)
			}
			run(t, b)
			mad := admit(t, l)
			mad.send(nonsense)
			mad.Conn.(*net.TCPConn).CloseWrite()
			sane := admit(t, l)
			sane.send(publication(1, "x"))
			h.await(t, "a", "x")
			if n := len(h.all()); n != 1 {
				t.Errorf("%d messages were heard", n)
			}
		})
	}
}

// The MQTT library would not survive this.
func TestBrokerGrantsMoreThanWasAsked(t *testing.T) {
	l := listen(t)
	b := newExternal(t, l.Addr().String(), bus.ExternalConfig{})
	h := &heard{}
	if err := b.Subscribe("a", h.take); err != nil {
		t.Fatal(err)
	}
	run(t, b)
	mad, id := greet(t, l)
	mad.send("\x90\x05" + id + "\x01\x01\x01")
	admit(t, l).send(publication(1, "x"))
	h.await(t, "a", "x")
}
