package bus_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"go.uber.org/goleak"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what must happen. Only a failing test
// ever waits that long.
const patience = 20 * time.Second

var quiet = slog.New(slog.DiscardHandler)

// eventually returns when condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for giveUp := time.Now().Add(patience); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(giveUp) {
			t.Fatal("too long: ", what)
		}
	}
}

// serve runs our own broker on a loopback port until the test ends.
func serve(t *testing.T, cfg mqtt.Config) (*mqtt.Broker, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, cfg, l), l.Addr().String()
}

func serveOn(t *testing.T, cfg mqtt.Config, l net.Listener) *mqtt.Broker {
	t.Helper()
	cfg.Logger = quiet
	b := mqtt.New(cfg)
	var serving sync.WaitGroup
	serving.Go(func() { _ = b.Serve(l) })
	t.Cleanup(func() { b.Close(); l.Close(); serving.Wait() })
	return b
}

// listenAt listens where somebody listened before. A client that came from that
// very port may still have it.
func listenAt(t *testing.T, address string) net.Listener {
	t.Helper()
	var l net.Listener
	eventually(t, "the port is free", func() bool {
		var err error
		l, err = net.Listen("tcp", address)
		return err == nil
	})
	return l
}

// soon is a back-off for tests.
func soon(int) time.Duration { return 5 * time.Millisecond }

// newExternal returns a bus that is not running yet. What cfg lacks is filled
// in.
func newExternal(t *testing.T, address string, cfg bus.ExternalConfig) *bus.External {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = "mqtt://" + address
	}
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	if cfg.Backoff == nil {
		cfg.Backoff = soon
	}
	b, err := bus.NewExternal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs b until the test ends, or the returned function is called.
func run(t *testing.T, b *bus.External) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(patience):
			t.Error("Run does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

// heard is what a handler was called with.
type heard struct {
	mu       sync.Mutex
	messages []smartmeter.Message
}

func (h *heard) take(m smartmeter.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.Payload = slices.Clone(m.Payload)
	m.From = smartmeter.Identity{} // not all brokers tell
	h.messages = append(h.messages, m)
}

func (h *heard) all() []smartmeter.Message {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.messages)
}

// await waits for a message on topic with that payload.
func (h *heard) await(t *testing.T, topic, payload string) smartmeter.Message {
	t.Helper()
	var found smartmeter.Message
	eventually(t, fmt.Sprintf("%s on %s", payload, topic), func() bool {
		return slices.ContainsFunc(h.all(), func(m smartmeter.Message) bool {
			found = m
			return m.Topic == topic && string(m.Payload) == payload
		})
	})
	return found
}

// client is somebody else on the same broker: a node, or a person's script.
type client struct {
	t *testing.T
	paho.Client
}

func join(t *testing.T, address string) *client {
	t.Helper()
	c := &client{t, paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetAutoReconnect(false).SetProtocolVersion(4))}
	c.wait(c.Connect())
	t.Cleanup(func() { c.Disconnect(100) })
	return c
}

func (c *client) wait(token paho.Token) {
	c.t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		c.t.Fatalf("MQTT client: %v", token.Error())
	}
}

// say publishes with QoS 1 and returns when the broker has it.
func (c *client) say(topic, payload string) {
	c.t.Helper()
	c.wait(c.Publish(topic, 1, false, payload))
}

// leave publishes what the broker is to keep.
func (c *client) leave(topic, payload string) {
	c.t.Helper()
	c.wait(c.Publish(topic, 1, true, payload))
}

// listen returns what the client hears from now on.
func (c *client) listen(filter string) *heard {
	c.t.Helper()
	h := &heard{}
	c.wait(c.Subscribe(filter, 1, func(_ paho.Client, m paho.Message) {
		h.take(smartmeter.Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained()})
	}))
	return h
}

// logged is a logger that keeps what is said.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}
