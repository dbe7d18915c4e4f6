package bus_test

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// fails waits until Publish fails for a reason that contains part.
func fails(t *testing.T, b *bus.External, part string) {
	t.Helper()
	var err error
	eventually(t, "an error with "+part, func() bool {
		err = b.Publish(smartmeter.Message{Topic: "x"})
		return err != nil && strings.Contains(err.Error(), part)
	})
}

// works waits until b has a connection.
func works(t *testing.T, b *bus.External) {
	t.Helper()
	eventually(t, "a connection", func() bool { return b.Publish(smartmeter.Message{Topic: "x"}) == nil })
}

func TestExternalWithoutABroker(t *testing.T) {
	address := freeAddress(t)
	log := &logged{}
	b := newExternal(t, address, bus.ExternalConfig{Logger: log.logger()})
	h := &heard{}
	if err := b.Subscribe("dev/+/#", h.take); err != nil {
		t.Fatal(err)
	}
	fails(t, b, "the broker at "+address+" is not reachable: not connected yet")
	stop := run(t, b)
	fails(t, b, "the broker at "+address+" is not reachable: connect: connection refused")
	eventually(t, "three attempts", func() bool { return strings.Count(log.String(), "no connection") >= 3 })
	if n := strings.Count(log.String(), "level=WARN"); n != 1 {
		t.Errorf("one outage is %d warnings:\n%s", n, log)
	}

	broker := serveOn(t, mqtt.Config{}, listenAt(t, address))
	works(t, b)
	eventually(t, "the subscription", func() bool { return broker.Stats().Subscriptions == 1 })
	join(t, address).say("dev/n1/status", "Online")
	h.await(t, "dev/n1/status", "Online")

	stop()
	fails(t, b, "is not reachable")
}

// Every time the connection comes back, so do the subscriptions and, flagged,
// what the broker keeps.
func TestExternalComesBack(t *testing.T) {
	address := freeAddress(t)
	b := newExternal(t, address, bus.ExternalConfig{})
	h := &heard{}
	if err := b.Subscribe("dev/+/#", h.take); err != nil {
		t.Fatal(err)
	}
	run(t, b)
	var want []smartmeter.Message
	for round := range 3 {
		broker := serveOn(t, mqtt.Config{}, listenAt(t, address))
		if err := broker.Restore([]mqtt.Message{{Topic: "dev/n1/status", Payload: []byte("Online"), QoS: 1}}); err != nil {
			t.Fatal(err)
		}
		works(t, b)
		now := fmt.Sprint(round)
		h.await(t, "dev/n1/status", "Online")
		eventually(t, "the subscription", func() bool { return broker.Stats().Subscriptions == 1 })
		c := join(t, address)
		c.say("dev/n1/heartbeat", now)
		h.await(t, "dev/n1/heartbeat", now)
		want = append(want, kept("dev/n1/status", "Online"), said("dev/n1/heartbeat", now))
		broker.Close()
		fails(t, b, "is not reachable")
	}
	if d := cmp.Diff(want, h.all()); d != "" {
		t.Errorf("heard (-want +got):\n%s", d)
	}
}

// Subscribe works at any time, from a handler, too.
func TestExternalSubscribesLate(t *testing.T) {
	_, address := serve(t, mqtt.Config{})
	b := newExternal(t, address, bus.ExternalConfig{})
	run(t, b)
	works(t, b)
	c := join(t, address)
	c.leave("late/1", "first")
	c.leave("later/1", "second")
	h := &heard{}
	if err := b.Subscribe("late/+", func(m smartmeter.Message) {
		h.take(m)
		if err := b.Subscribe("later/+", h.take); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	h.await(t, "late/1", "first")
	h.await(t, "later/1", "second")
}

func TestExternalDeliversOneAtATime(t *testing.T) {
	const publishers, each = 4, 200
	_, address := serve(t, mqtt.Config{})
	b := newExternal(t, address, bus.ExternalConfig{})
	h := &heard{}
	var inside atomic.Int32
	handle := func(m smartmeter.Message) {
		if inside.Add(1) != 1 {
			t.Error("two handlers at once")
		}
		h.take(m)
		runtime.Gosched()
		inside.Add(-1)
	}
	for _, filter := range []string{"dev/n0/#", "dev/n1/#", "dev/n2/#", "dev/n3/#"} {
		if err := b.Subscribe(filter, handle); err != nil {
			t.Fatal(err)
		}
	}
	run(t, b)
	node := join(t, address)
	node.leave("dev/n0/ready", "ready")
	h.await(t, "dev/n0/ready", "ready")
	var publishing sync.WaitGroup
	for n := range publishers {
		c := join(t, address)
		publishing.Go(func() {
			for i := range each {
				c.say(fmt.Sprintf("dev/n%d/x", n), fmt.Sprint(i))
			}
		})
	}
	publishing.Wait()
	eventually(t, "all messages", func() bool { return len(h.all()) == publishers*each+1 })
	next := make(map[string]int)
	for _, m := range h.all()[1:] {
		if string(m.Payload) != fmt.Sprint(next[m.Topic]) {
			t.Fatalf("%s: %s after %d", m.Topic, m.Payload, next[m.Topic]-1)
		}
		next[m.Topic]++
	}
}

// mute is a broker that admits everybody, grants everything, and then does not
// even read.
func mute(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	over := make(chan struct{})
	t.Cleanup(func() { close(over); l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = conn.(*net.TCPConn).SetReadBuffer(4 << 10)
			_, _ = conn.Write([]byte{0x20, 2, 0, 0})
			serving.Go(func() { <-over; conn.Close() })
		}
	})
	return l.Addr().String()
}

// However a broker behaves, who publishes does not wait for it, and Run ends.
func TestExternalDoesNotWaitForAMuteBroker(t *testing.T) {
	b := newExternal(t, mute(t), bus.ExternalConfig{})
	stop := run(t, b)
	works(t, b)
	large := smartmeter.Message{Topic: "x", Payload: make([]byte, 200<<10)}
	refused := false
	for range 2000 { // some are in the network's buffers, some in the queue
		if err := b.Publish(large); err != nil && strings.Contains(err.Error(), "does not keep up") {
			refused = true
			break
		}
	}
	if !refused {
		t.Error("400 MB were taken for a broker that does not read")
	}
	stop()
}

// The handlers set the pace; meanwhile the flood stays outside.
func TestExternalHoldsNoFlood(t *testing.T) {
	m := startMosquitto(t)
	b := newExternal(t, m.address, bus.ExternalConfig{})
	h, subscribed, handlersGoOn := &heard{}, make(chan struct{}, 1), make(chan struct{})
	if err := b.Subscribe("flood/#", func(m smartmeter.Message) {
		select {
		case subscribed <- struct{}{}:
		default:
		}
		<-handlersGoOn
		h.take(smartmeter.Message{Topic: m.Topic, Payload: m.Payload[:8]})
	}); err != nil {
		t.Fatal(err)
	}
	c := join(t, m.address)
	c.leave("flood/begin", "watch it")
	run(t, b)
	<-subscribed
	payload := make([]byte, 128<<10)
	before := heapBytes()
	const messages = 400 // 50 MiB
	for i := range messages {
		copy(payload, fmt.Sprintf("%08d", i))
		c.wait(c.Publish("flood/x", 0, false, payload))
	}
	if grown := heapBytes() - before; grown > 8<<20 {
		t.Errorf("the flood takes %d bytes of this process", grown)
	}
	close(handlersGoOn)
	eventually(t, "the bus goes on after the flood", func() bool {
		c.say("flood/end", "finished")
		got := h.all()
		return len(got) > 0 && got[len(got)-1].Topic == "flood/end"
	})
	last := ""
	for _, m := range h.all() {
		if m.Topic == "flood/x" {
			if string(m.Payload) <= last {
				t.Fatalf("%s after %s", m.Payload, last)
			}
			last = string(m.Payload)
		}
	}
	if last == "" {
		t.Error("nothing of the flood came")
	}
}

func heapBytes() int64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// What is too large to be held is left out, live and retained, and the broker
// gets its receipt.
func TestExternalLeavesOutGiants(t *testing.T) {
	m := startMosquitto(t)
	c := join(t, m.address)
	giant := strings.Repeat("x", 300<<10)
	for i := range 5 {
		c.leave(fmt.Sprintf("dev/n%d/info", i), giant)
	}
	log := &logged{}
	b := newExternal(t, m.address, bus.ExternalConfig{Logger: log.logger()})
	h := &heard{}
	if err := b.Subscribe("dev/+/#", h.take); err != nil {
		t.Fatal(err)
	}
	run(t, b)
	c.leave("dev/n1/status", "Online")
	h.await(t, "dev/n1/status", "Online")
	for i := range 5 {
		c.wait(c.Publish("dev/n1/x", byte(i%2), false, giant))
		c.say("dev/n1/y", fmt.Sprint(i))
		h.await(t, "dev/n1/y", fmt.Sprint(i))
	}
	for _, m := range h.all() {
		if len(m.Payload) > 10 {
			t.Errorf("%d bytes of %s came through", len(m.Payload), m.Topic)
		}
	}
	if got := strings.Count(log.String(), "left out a message that is too large"); got != 1 {
		t.Errorf("logged %d times, want once a minute:\n%s", got, log)
	}
	if strings.Count(log.String(), "connected to the broker") != 1 {
		t.Errorf("the connection broke:\n%s", log)
	}
}

func TestDefaultBackoffIsBoundedAndGrows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		failed := rapid.IntRange(-1, 1<<40).Draw(t, "failed")
		longest := min(30*time.Second, 500*time.Millisecond<<min(max(failed-1, 0), 20))
		if wait := bus.DefaultBackoff(failed); wait < longest/2 || wait > longest {
			t.Errorf("after %d failures it waits %v, want %v to %v", failed, wait, longest/2, longest)
		}
	})
}
