package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
	"go.uber.org/goleak"
)

// heard is what a broker received, by topic and in order.
type heard struct {
	mu     sync.Mutex
	topics map[string][]string
}

func (h *heard) take(m mqtt.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.topics[m.Topic] = append(h.topics[m.Topic], string(m.Payload))
}

func serve(t *testing.T) (*heard, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	broker := mqtt.New(mqtt.Config{Logger: slog.New(slog.DiscardHandler)})
	h := &heard{topics: make(map[string][]string)}
	if _, err := broker.Subscribe("#", h.take); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- broker.Serve(l) }()
	t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		goleak.VerifyNone(t)
	})
	return h, l.Addr().String()
}

// When a burst or a paced run returns, the broker has taken every message of
// every node, in order and readable.
func TestNothingIsOnItsWayAfterwards(t *testing.T) {
	const nodes, each = 7, 20 // not a multiple of lanes, nor of fences
	for name, publish := range map[string]func(*fleet, byte) error{
		"burst": func(f *fleet, qos byte) error { return f.burst(each, qos, numbered) },
		"paced": func(f *fleet, qos byte) error { return f.pace(nodes*each, 10_000, qos, numbered) },
	} {
		for qos := range byte(2) {
			t.Run(fmt.Sprintf("%s, QoS %d", name, qos), func(t *testing.T) {
				got, address := serve(t)
				f, err := join(t.Context(), address, "node", nodes)
				if err != nil {
					t.Fatal(err)
				}
				defer f.leave()
				if err := publish(f, qos); err != nil {
					t.Fatal(err)
				}
				got.mu.Lock()
				defer got.mu.Unlock()
				if len(got.topics) != nodes {
					t.Errorf("%d topics, want %d", len(got.topics), nodes)
				}
				for topic, payloads := range got.topics {
					checkNumbers(t, topic, payloads, each)
				}
			})
		}
	}
}

func checkNumbers(t *testing.T, topic string, payloads []string, want int) {
	t.Helper()
	if len(payloads) != want {
		t.Errorf("%s: %d messages, want %d", topic, len(payloads), want)
	}
	for i, payload := range payloads {
		var s smartmeter.Sample
		if err := wire.DecodeMetrics([]byte(payload), &s); err != nil {
			t.Fatalf("%s: %s: %v", topic, payload, err)
		}
		if s.Seq != uint32(i+1) || s.Energy != smartmeter.WattHour(i+1) {
			t.Errorf("%s: message %d has seq %d and register %d", topic, i+1, s.Seq, s.Energy)
		}
	}
}

func TestFieldedPayload(t *testing.T) {
	var s smartmeter.Sample
	if err := wire.DecodeMetrics(fielded(nil, &link{sent: 3}), &s); err != nil {
		t.Fatal(err)
	}
	if s.Seq != 0 || s.Power == 0 {
		t.Errorf("not a sample of protocol 0 with power: %+v", s)
	}
}

func TestListenerCountsEverything(t *testing.T) {
	_, address := serve(t)
	all, err := listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	f, err := join(t.Context(), address, "node", 3)
	if err != nil {
		t.Fatal(err)
	}
	defer f.leave()
	if err := introduce(f); err != nil {
		t.Fatal(err)
	}
	if err := f.burst(50, 0, fielded); err != nil {
		t.Fatal(err)
	}
	if err := all.await(3 + 3*50); err != nil {
		t.Error(err)
	}
	if err := all.leave(); err != nil {
		t.Error(err)
	}
	if got := all.got.Load(); got != 3+3*50 {
		t.Errorf("%d messages counted, want %d", got, 3+3*50)
	}
}

// A broker that goes away in the middle is an error, not a wait.
func TestCutFleetFails(t *testing.T) {
	_, address := serve(t)
	ctx, cancel := context.WithCancel(t.Context())
	f, err := join(ctx, address, "node", 3)
	if err != nil {
		t.Fatal(err)
	}
	defer f.leave()
	cancel()
	for err == nil { // the cut may come a moment later
		err = f.burst(1, 1, fielded)
	}
	if !strings.Contains(err.Error(), "closed") {
		t.Errorf("a cut fleet says: %v", err)
	}
}

func TestJoinFailsWithoutBroker(t *testing.T) {
	address, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := join(t.Context(), address, "node", 3); err == nil {
		t.Error("joined a broker that is not there")
	}
}
