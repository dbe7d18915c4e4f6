package mqtt

import (
	"fmt"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// telemetry is a payload of the size that a meter node sends.
const telemetry = `{"t":1764000000000,"v":2301,"i":1234,"p":2839,"e":123456,"f":500,"pf":98}  `

func BenchmarkDecodePublish(b *testing.B) {
	packet := publishBytes("dev/fridge/tele", telemetry, 1, false, 7)
	b.ReportAllocs()
	for b.Loop() {
		f, _, err := parseFrame(packet, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := decodePublish(f); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodePublish(b *testing.B) {
	m := &Message{Topic: "dev/fridge/tele", Payload: []byte(telemetry)}
	buf := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendPublish(buf[:0], m, 1, false, 7)
	}
}

// BenchmarkMatch finds the subscribers of a topic among those of 10,000 nodes.
func BenchmarkMatch(b *testing.B) {
	var t tree
	for i := range 10_000 {
		t.subscribe(fmt.Sprintf("dev/node-%05d/set/#", i), &session{}, 1)
	}
	t.subscribe("dev/+/tele", &session{}, 1)
	t.subscribe("dev/#", &session{}, 0)
	found := &matches{sessions: make(map[*session]byte)}
	b.ReportAllocs()
	for b.Loop() {
		t.match("dev/node-07777/set/0/relay", found)
		found.reset()
	}
}

// BenchmarkFanIn publishes telemetry from 1,000 connections over loopback TCP
// to an in-process handler. The generator's share of the processor is in the
// figures, too.
func BenchmarkFanIn(b *testing.B) {
	for _, qos := range []byte{0, 1} {
		b.Run(fmt.Sprintf("qos%d", qos), func(b *testing.B) { fanIn(b, 1000, qos) })
	}
}

func fanIn(b *testing.B, publishers int, qos byte) {
	broker, address := startBroker(b, Config{})
	var received atomic.Int64
	if _, err := broker.Subscribe("dev/+/tele", func(Message) { received.Add(1) }); err != nil {
		b.Fatal(err)
	}
	conns := make([]*client, publishers)
	for i := range conns {
		conns[i] = join(b, address, fmt.Sprintf("node-%d", i))
	}
	b.ReportAllocs()
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, c := range conns {
		n := b.N / publishers
		if i < b.N%publishers {
			n++
		}
		packet := publishBytes(fmt.Sprintf("dev/node-%d/tele", i), telemetry, qos, false, 1)
		wg.Go(func() { publishMany(b, c.conn, packet, n, qos) })
	}
	wg.Wait()
	waitFor(b, "all delivered", func() bool { return received.Load() >= int64(b.N) })
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// publishMany sends one packet n times; with QoS 1 it waits for each PUBACK.
func publishMany(b *testing.B, conn net.Conn, packet []byte, n int, qos byte) {
	var ack [4]byte
	for range n {
		if _, err := conn.Write(packet); err != nil {
			b.Error(err)
			return
		}
		if qos == 0 {
			continue
		}
		if _, err := conn.Read(ack[:]); err != nil {
			b.Error(err)
			return
		}
	}
}

// BenchmarkFanOut publishes in process to 100 subscribers on loopback TCP.
func BenchmarkFanOut(b *testing.B) {
	const subscribers = 100
	broker, address := startBroker(b, Config{})
	for i := range subscribers {
		c := join(b, address, fmt.Sprintf("app-%d", i))
		c.subscribe("dev/#", 0)
		if err := c.conn.SetReadDeadline(time.Time{}); err != nil {
			b.Fatal(err)
		}
		go drain(c.conn)
	}
	m := Message{Topic: "dev/fridge/tele", Payload: []byte(telemetry)}
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		if err := broker.Publish(m); err != nil {
			b.Fatal(err)
		}
		if n%1000 == 0 {
			waitFor(b, "subscribers keep up", func() bool { return sent(broker) == uint64((n+1)*subscribers) })
		}
	}
	waitFor(b, "all sent", func() bool { return sent(broker) == uint64(b.N*subscribers) })
	b.ReportMetric(float64(b.N*subscribers)/b.Elapsed().Seconds(), "msg/s")
}

func sent(b *Broker) uint64 { return b.counters.messagesSent.Load() }

// BenchmarkPublishToStoppedReader reports the longest time that a publisher
// was held up by a subscriber on loopback TCP that reads nothing.
func BenchmarkPublishToStoppedReader(b *testing.B) {
	broker, address := startBroker(b, Config{})
	join(b, address, "stopped").subscribe("#", 0)
	m := Message{Topic: "dev/fridge/tele", Payload: []byte(telemetry)}
	var longest time.Duration
	for b.Loop() {
		start := time.Now()
		if err := broker.Publish(m); err != nil {
			b.Fatal(err)
		}
		longest = max(longest, time.Since(start))
	}
	b.ReportMetric(float64(longest.Microseconds()), "µs-longest")
}

// BenchmarkIdleConnection reports what an admitted and subscribed but silent
// connection occupies in the broker, goroutine stacks included.
func BenchmarkIdleConnection(b *testing.B) {
	const count = 4000
	broker, address := startBroker(b, Config{Limits: Limits{ConnectionsPerAddress: count}})
	for b.Loop() {
		before := inUse()
		conns := make([]*client, count)
		for i := range conns {
			id := fmt.Sprintf("node-%d", i)
			conns[i] = dial(b, address)
			conns[i].send(appendConnect(nil, connectOptions{id: id, keepAlive: 60}),
				appendSubscribe(nil, 1, subscription{"dev/" + id + "/set/#", 1}))
		}
		waitFor(b, "all subscribed", func() bool { return broker.Stats().Subscriptions == count })
		b.ReportMetric(float64(inUse()-before)/count, "B/connection")
		for _, c := range conns {
			_ = c.conn.Close()
		}
		waitFor(b, "all gone", func() bool { return broker.Stats().Connections == 0 })
	}
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}
