package mqtt

import (
	"encoding/binary"
	"io"
	"net"
	"testing"
	"time"
)

// answering returns the sending side of a connection over loopback TCP, as its
// reader has it, and the client at the other end.
func answering(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c := newConn(New(Config{Logger: quiet}), server)
	c.session = &session{conn: c}
	t.Cleanup(func() {
		_ = client.Close()
		c.kill(ReasonLost)
		c.out.stop()
	})
	if err := client.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return c, client
}

// ack answers and reports whether that needed a writer.
func ack(c *conn, id uint16) (writer bool) {
	c.answer(func(b []byte) []byte { return appendAck(b, kindPuback, id) })
	c.flush()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	return c.out.running
}

func expectAcks(t *testing.T, client net.Conn, from, to uint16) {
	t.Helper()
	for want := from; want <= to; want++ {
		var packet [4]byte
		if _, err := io.ReadFull(client, packet[:]); err != nil {
			t.Fatalf("waiting for answer %d: %v", want, err)
		}
		if got := binary.BigEndian.Uint16(packet[2:]); got != want {
			t.Fatalf("answer %d, want %d", got, want)
		}
	}
}

func TestAnswersNeedNoWriter(t *testing.T) {
	c, client := answering(t)
	if ack(c, 1) {
		t.Error("a writer was started")
	}
	expectAcks(t, client, 1, 1)
	// A writer was at work a while ago, and left its deadline behind.
	if err := c.net.SetWriteDeadline(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if ack(c, 2) {
		t.Error("a writer was started because of an old deadline")
	}
	expectAcks(t, client, 2, 2)
}

// TestUnreadAnswersAreKeptInOrder fills the socket: the reader must not wait
// for it, and what it could not send the writer sends behind what it could.
func TestUnreadAnswersAreKeptInOrder(t *testing.T) {
	c, client := answering(t)
	if err := c.net.(*net.TCPConn).SetWriteBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	if err := client.(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	last := uint16(1)
	for !ack(c, last) {
		last++
	}
	for range 100 {
		last++
		ack(c, last)
	}
	expectAcks(t, client, 1, last)
}

// TestMessageDuringAnAnswerIsSent has a message arrive while the reader sends: it
// must not stay behind.
func TestMessageDuringAnAnswerIsSent(t *testing.T) {
	c, client := answering(t)
	c.answer(appendPingresp)
	if !c.out.claim() {
		t.Fatal("the reader may not send")
	}
	c.session.deliver(&Message{Topic: "t"}, 0)
	c.out.unclaim(c.sendNow(c.out.answers))
	c.flush()
	want := string(appendPublish(appendPingresp(nil), &Message{Topic: "t"}, 0, false, 0))
	got := make([]byte, len(want))
	if _, err := io.ReadFull(client, got); err != nil || string(got) != want {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
}
