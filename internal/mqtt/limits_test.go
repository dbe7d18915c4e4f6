package mqtt

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func TestConnectionLimits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		limits Limits
		want   Reason
	}{
		{"in all", Limits{Connections: 2}, ReasonConnectionLimit},
		{"per address", Limits{ConnectionsPerAddress: 2}, ReasonAddressLimit},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b, address := startBroker(t, Config{Limits: tt.limits})
			first, second := join(t, address, "1"), join(t, address, "2")
			dial(t, address).expectClosed()
			expectEnded(t, b, tt.want, 1)
			first.ping()
			second.ping()
			_ = first.conn.Close()
			expectEnded(t, b, ReasonLost, 1)
			waitFor(t, "room again", func() bool { return b.Stats().Connections == 1 })
			join(t, address, "3").ping()
			if s := b.Stats(); s.ConnectionsTotal != 4 || s.Clients != 2 {
				t.Errorf("%d connections in all, %d clients", s.ConnectionsTotal, s.Clients)
			}
		})
	}
}

func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		b := serveBroker(t, Config{}, l)
		lively, silent, forever := newClient(t, l.dial()), newClient(t, l.dial()), newClient(t, l.dial())
		lively.connect(connectOptions{id: "lively", keepAlive: 10})
		silent.connect(connectOptions{id: "silent", keepAlive: 10})
		forever.connect(connectOptions{id: "forever"})
		start := time.Now()
		for range 3 {
			time.Sleep(14 * time.Second)
			synctest.Wait()
			lively.ping()
		}
		silent.expectClosed()
		lively.expectClosed()
		if open := time.Since(start); open != (3*14+15)*time.Second {
			t.Errorf("open for %v after the last packet", open-3*14*time.Second)
		}
		time.Sleep(24 * time.Hour)
		forever.ping()
		synctest.Wait()
		if n := b.Stats().Closed[ReasonKeepAlive]; n != 2 {
			t.Errorf("closed for %v", b.Stats().Closed)
		}
	})
}

// TestKeepAliveCountsPackets feeds a client's packet byte by byte: that is no
// sign of life.
func TestKeepAliveCountsPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		b := serveBroker(t, Config{}, l)
		c := newClient(t, l.dial())
		c.connect(connectOptions{id: "trickle", keepAlive: 10})
		start := time.Now()
		for _, octet := range publishBytes("a", telemetry, 0, false, 0) {
			if _, err := c.conn.Write([]byte{octet}); err != nil {
				break
			}
			time.Sleep(4 * time.Second)
		}
		if open := time.Since(start); open != 16*time.Second {
			t.Errorf("first write that failed was after %v", open)
		}
		if s := b.Stats(); s.MessagesReceived != 0 || s.Closed[ReasonPacketTimeout] != 1 {
			t.Errorf("%d messages, closed for %v", s.MessagesReceived, s.Closed)
		}
	})
}

// TestSlowHookDoesNotCostTheClientItsKeepAlive holds the reader up for longer
// than the keep-alive while the client goes on sending.
func TestSlowHookDoesNotCostTheClientItsKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		serveBroker(t, Config{Hooks: Hooks{Published: func(Message) error {
			time.Sleep(time.Minute)
			return nil
		}}}, l)
		c := newClient(t, l.dial())
		c.connect(connectOptions{id: "n", keepAlive: 10})
		go c.send(bytes.Join([][]byte{publishBytes("a", "x", 1, false, 1), pingreq}, nil))
		time.Sleep(time.Minute)
		c.expect("40 02 00 01")
		c.expect("d0 00")
		c.ping()
	})
}

func TestInFlightWindow(t *testing.T) {
	b, address := startBroker(t, Config{Limits: Limits{InFlight: 3}})
	c := join(t, address, "c")
	c.subscribe("a", 1)
	for i := range 5 {
		if err := b.Publish(Message{Topic: "a", Payload: fmt.Append(nil, i), QoS: 1}); err != nil {
			t.Fatal(err)
		}
	}
	var ids []uint16
	for range 3 {
		_, id := c.unacknowledged()
		ids = append(ids, id)
	}
	c.ping() // no fourth
	c.send(appendAck(nil, kindPuback, 0x7777))
	c.ping() // that one was not in flight
	c.send(appendAck(nil, kindPuback, ids[1]))
	if m, _ := c.unacknowledged(); string(m.Payload) != "3" {
		t.Errorf("fourth message is %s", m.Payload)
	}
	c.ping()
	c.send(appendAck(nil, kindPuback, ids[0]), appendAck(nil, kindPuback, ids[2]))
	if m, _ := c.unacknowledged(); string(m.Payload) != "4" {
		t.Errorf("fifth message is %s", m.Payload)
	}
}

// TestPacketIDsComeRound sends more messages than there are packet ids, with
// one of them never acknowledged.
func TestPacketIDsComeRound(t *testing.T) {
	b := New(Config{Logger: quiet})
	s := &session{conn: &conn{broker: b}}
	if id := s.nextID(); id != 1 {
		t.Fatalf("first packet id is %d", id)
	}
	s.inFlight = []uint16{1, 3}
	for range 2 * maxPacketID {
		if id := s.nextID(); id == 0 || id == 1 || id == 3 {
			t.Fatalf("packet id %d", id)
		}
	}
}

// TestPublishRate floods the broker with one second's worth and half of
// another: the half takes half a second, and nothing is lost.
func TestPublishRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const rate = 1000
		l := newPipeListener()
		b := serveBroker(t, Config{Limits: Limits{PublishRate: rate}}, l)
		c, start := newClient(t, l.dial()), time.Now()
		c.connect(connectOptions{id: "flood"})
		for range rate * 3 / 2 {
			c.publish("a", "x", 1, false)
		}
		if took := time.Since(start); took != time.Second/2 {
			t.Errorf("took %v", took)
		}
		if s := b.Stats(); s.MessagesReceived != rate*3/2 || s.Throttled != rate/2 {
			t.Errorf("%d messages, %d times throttled", s.MessagesReceived, s.Throttled)
		}
	})
}

// TestPacerNeverLetsMoreThrough than one second's worth and the rate on top.
func TestPacerNeverLetsMoreThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 500).Draw(t, "rate")
		start := time.Unix(0, 0)
		now, passed := start, 0
		var p pacer
		for _, pause := range rapid.SliceOfN(rapid.IntRange(0, 3000), 1, 200).Draw(t, "pauses in ms") {
			now = now.Add(time.Duration(pause) * time.Millisecond / 10)
			if wait := p.wait(now, rate); wait > 0 {
				now = now.Add(wait)
			}
			passed++
			if most := float64(rate)*(now.Sub(start).Seconds()+1) + 1; float64(passed) > most {
				t.Fatalf("%d messages in %v at %d a second", passed, now.Sub(start), rate)
			}
		}
	})
}

// TestUnreadAnswersHoldUpTheirClientOnly sends packets without ever reading
// the answers: the broker stops reading, and ends it in the end.
func TestUnreadAnswersHoldUpTheirClientOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newPipeListener()
		b := serveBroker(t, Config{}, l)
		c := newClient(t, l.dial())
		c.connect(connectOptions{id: "c"})
		if err := c.conn.SetWriteDeadline(time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		written := 0
		for packets := bytes.Repeat(pingreq, 1000); ; {
			n, err := c.conn.Write(packets)
			written += n
			if err != nil {
				break
			}
		}
		if most := 2*maxAnswers + 2*busyBuffer; written > most {
			t.Errorf("%d bytes of packets taken with no answer read, want at most %d", written, most)
		}
		synctest.Wait()
		if n := b.Stats().Closed[ReasonWriteTimeout]; n != 1 {
			t.Errorf("closed for %v", b.Stats().Closed)
		}
	})
}

func TestDefaults(t *testing.T) {
	l := Limits{PacketBytes: 1 << 40, InFlight: 1 << 20}.withDefaults()
	if l.PacketBytes != maxPacketBytes || l.InFlight != maxPacketID {
		t.Errorf("packet of %d bytes, %d in flight", l.PacketBytes, l.InFlight)
	}
	if l != l.withDefaults() {
		t.Error("defaults have defaults")
	}
}

// TestNames makes sure that every reason and drop can be told apart in a log.
func TestNames(t *testing.T) {
	names := make(map[string]bool)
	for r := reasonNone + 1; r < reasonCount; r++ {
		names[r.String()] = true
	}
	for d := range dropCount {
		names["drop "+d.String()] = true
	}
	if len(names) != int(reasonCount)-1+int(dropCount) || names[""] || names["unknown"] {
		t.Errorf("names are missing or double: %v", names)
	}
	if reasonNone.String() != "unknown" || reasonCount.String() != "unknown" || dropCount.String() != "unknown" {
		t.Error("names beyond the last")
	}
}
