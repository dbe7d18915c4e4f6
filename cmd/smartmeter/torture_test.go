package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

var (
	torturePackets  = flag.Int("torture.mqtt", 5000, "how many mutated MQTT packets the hub takes")
	tortureRequests = flag.Int("torture.http", 500, "how many mutated HTTP requests the hub takes")
	tortureSeed     = flag.Uint64("torture.seed", 0, "repeats what a seed of the log did; 0 draws one")
)

// maxTortured is what the hub may take of the memory at any time, in KiB.
const maxTortured = 400 << 10

// TestS14HubUnderTorture sends mutated MQTT packets, of a client that was let in,
// and mutated HTTP requests to a running hub, while 50 healthy nodes report. The
// hub lives, has each of their readings once, and keeps within its memory. It is
// an open hub: behind the door there is more to break than before it.
func TestS14HubUnderTorture(t *testing.T) {
	seed := *tortureSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -torture.seed=%d -torture.mqtt=%d -torture.http=%d", seed, *torturePackets, *tortureRequests)
	hub := startReady(t, "hub", "--open", "--data", t.TempDir(), "--sync", "1s", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--log-level", "error")
	var healthy []*numbered
	for i := range 50 {
		healthy = append(healthy, newNumbered(t, hub, fmt.Sprintf("healthy-%d", i)))
	}
	var attack sync.WaitGroup
	attack.Go(func() { tortureMQTT(hub.mqtt, rand.New(rand.NewPCG(seed, 1)), *torturePackets) })
	attack.Go(func() { tortureHTTP(hub.http, rand.New(rand.NewPCG(seed, 2)), *tortureRequests) })
	over := make(chan struct{})
	go func() { attack.Wait(); close(over) }()
	for round := 0; ; round++ {
		if !isOver(over) || round < 3 {
			for _, n := range healthy {
				n.publish()
			}
			time.Sleep(100 * time.Millisecond) // nodes report by the second
			continue
		}
		break
	}
	for _, n := range healthy {
		n.check(t, hub, "after the attack")
	}
	var health struct{ Status string }
	if hub.call("GET", "/api/v1/health", "", &health); health.Status != "ok" {
		t.Errorf("health %q", health.Status)
	}
	peak := 0
	for line := range strings.Lines(readFile(fmt.Sprintf("/proc/%d/status", hub.cmd.Process.Pid))) {
		fmt.Sscanf(line, "VmHWM: %d kB", &peak)
	}
	t.Logf("%d samples of each healthy node, peak memory %d KiB", healthy[0].sent, peak)
	if peak == 0 || peak > maxTortured {
		t.Errorf("the hub took %d KiB at its peak, want at most %d", peak, maxTortured)
	}
	if err := hub.stop(); err != nil {
		t.Errorf("it ended badly: %v", err)
	}
}

func isOver(over <-chan struct{}) bool {
	select {
	case <-over:
		return true
	default:
		return false
	}
}

// tortureMQTT sends mutated packets, each connection until the hub has enough.
func tortureMQTT(addr string, random *rand.Rand, n int) {
	specimens := mqttSpecimens()
	for n > 0 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return // the hub is dead, which is seen elsewhere
		}
		go io.Copy(io.Discard, conn)
		_, err = conn.Write(specimens[0])
		for ; err == nil && n > 0; n-- {
			conn.SetWriteDeadline(time.Now().Add(patience))
			_, err = conn.Write(mutate(random, specimens[random.IntN(len(specimens))]))
		}
		conn.Close()
	}
}

// mqttSpecimens are packets of a client, a good CONNECT first.
func mqttSpecimens() (all [][]byte) {
	add := func(p packets.ControlPacket) {
		var b bytes.Buffer
		_ = p.Write(&b) // into memory
		all = append(all, b.Bytes())
	}
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession, hello.ClientIdentifier, hello.Keepalive = "MQTT", 4, true, "villain", 60
	hello.WillFlag, hello.WillTopic, hello.WillMessage = true, "dev/villain/status", []byte("Offline")
	add(hello)
	for _, leaf := range []string{"status", "pzem/metrics", "pzem/backlog", "info", "relay/state", "relay/commands", "event"} {
		for _, payload := range []string{`{"voltage":230.1,"power":5,"boot":"0000beef","seq":1,"first":1,"t":5}`, "Online", "1"} {
			p := publication("dev/villain/"+leaf, payload, len(payload)%2 == 0)
			p.Qos, p.MessageID = byte(len(leaf)%2), 7
			add(p)
		}
	}
	subscribe := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	subscribe.MessageID, subscribe.Topics, subscribe.Qoss = 8, []string{"dev/villain/#", "a/+/b"}, []byte{1, 0}
	add(subscribe)
	unsubscribe := packets.NewControlPacket(packets.Unsubscribe).(*packets.UnsubscribePacket)
	unsubscribe.MessageID, unsubscribe.Topics = 9, []string{"a/+/b"}
	add(unsubscribe)
	for _, kind := range []byte{packets.Puback, packets.Pubrec, packets.Pubrel, packets.Pubcomp, packets.Pingreq, packets.Disconnect} {
		add(packets.NewControlPacket(kind))
	}
	return all
}

// mutate returns a copy of b with some of it changed, lost, doubled or new; some
// are left as they are.
func mutate(random *rand.Rand, b []byte) []byte {
	b = bytes.Clone(b)
	for range random.IntN(4) {
		if len(b) < 2 {
			return append(b, byte(random.Uint32()))
		}
		at := random.IntN(len(b))
		switch random.IntN(5) {
		case 0:
			b[at] ^= 1 << random.IntN(8)
		case 1:
			b[at] = []byte{0, 1, 0x7f, 0x80, 0xff}[random.IntN(5)]
		case 2:
			b = b[:at]
		case 3:
			b = append(b, b[at:]...)
		default:
			b = append(b[:at:at], append([]byte{byte(random.Uint32())}, b[at:]...)...)
		}
	}
	return b
}

// tortureHTTP sends mutated requests, each on a connection of its own. It does
// not wait for what takes the hub long.
func tortureHTTP(addr string, random *rand.Rand, n int) {
	var specimens [][]byte
	for _, line := range []string{
		"GET /api/v1/devices", "GET /api/v1/devices/villain/readings?from=2026-01-01&step=15m", "GET /api/v1/energy?step=1d", "GET /openapi.json", "GET /metrics",
		"PUT /api/v1/devices/villain/relay {\"on\":true,\"wait\":\"1ms\"}", "PATCH /api/v1/devices/villain {\"name\":\"x\"}", "POST /api/v1/nodes {\"kind\":\"login\",\"id\":\"x\"}",
		"POST /api/v1/corrections {\"kind\":\"set\",\"device\":\"villain\"}", "PUT /api/v1/settings {\"currency\":\"EUR\",\"prices\":[]}", "GET /api/v1/nodes/knocks",
	} {
		request, body, _ := strings.Cut(line, " {")
		if body != "" {
			body = "{" + body
		}
		specimens = append(specimens, fmt.Appendf(nil, "%s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", request, addr, len(body), body))
	}
	for range n {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return
		}
		conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
		_, _ = conn.Write(mutate(random, specimens[random.IntN(len(specimens))]))
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<20))
		conn.Close()
	}
}
