package nodehost

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// answerTo returns the answer that a responder gives: the question repeated,
// and a record whose name points into it.
func answerTo(question []byte, addr [4]byte) []byte {
	answer := bytes.Clone(question)
	answer[2], answer[7] = 0x84, 1
	answer = append(answer, 0xC0, headerLen, 0, typeA, 0x80, classIN, 0, 0, 0, 120, 0, 4)
	return append(answer, addr[:]...)
}

// responder answers with what answer makes of a question, until the test ends.
func responder(t *testing.T, answer func(question []byte) [][]byte) netip.AddrPort {
	t.Helper()
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for message := make([]byte, longestMessage); ; {
			n, from, err := conn.ReadFromUDPAddrPort(message)
			if err != nil {
				return
			}
			for _, reply := range answer(message[:n]) {
				_, _ = conn.WriteToUDPAddrPort(reply, from)
			}
		}
	})
	t.Cleanup(func() { conn.Close(); wg.Wait() })
	return conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

func TestLookupLocal(t *testing.T) {
	other, err := appendQuestion(nil, 0, "other.local")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	at := responder(t, func(question []byte) [][]byte {
		if asked++; asked == 1 {
			return nil // the first question is lost
		}
		late := answerTo(question, [4]byte{9, 9, 9, 9})
		late[0]++ // to another question
		somebody := answerTo(append(bytes.Clone(question[:2]), other[2:]...), [4]byte{8, 8, 8, 8})
		return [][]byte{nil, question, late, somebody, answerTo(question, [4]byte{192, 168, 1, 7})}
	})
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	got, err := lookupLocal(ctx, "MQTTpi.local", at)
	if err != nil || got != netip.MustParseAddr("192.168.1.7") {
		t.Errorf("%v, %v", got, err)
	}
}

func TestLookupLocalGivesUp(t *testing.T) {
	at := responder(t, func([]byte) [][]byte { return nil })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if got, err := lookupLocal(ctx, "nobody.local", at); err == nil {
		t.Errorf("found %v", got)
	}
	for _, host := range []string{"", "a..local", ".local", string(make([]byte, 64)) + ".local"} {
		if got, err := lookupLocal(t.Context(), host, at); err == nil {
			t.Errorf("%q: found %v", host, got)
		}
	}
}

func FuzzParseAnswer(f *testing.F) {
	question, err := appendQuestion(nil, 7, "hub.local")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answerTo(question, [4]byte{10, 0, 0, 1}))
	f.Add(append(bytes.Clone(question[:headerLen]), 0xC0, headerLen)) // a name that points at itself
	f.Fuzz(func(t *testing.T, message []byte) {
		if got, err := parseAnswer(message, 7, "hub.local"); (err == nil) != got.Is4() {
			t.Errorf("%v, %v", got, err)
		}
	})
}
