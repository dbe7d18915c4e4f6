package bus_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

func newBroker(t *testing.T) *mqtt.Broker {
	t.Helper()
	b := mqtt.New(mqtt.Config{Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { b.Close() })
	return b
}

func TestEmbeddedTellsWhoSpoke(t *testing.T) {
	broker, address := serve(t, mqtt.Config{})
	b := bus.NewEmbedded(broker)
	from := make(chan smartmeter.Identity, 2)
	if err := b.Subscribe("dev/+/#", func(m smartmeter.Message) { from <- m.From }); err != nil {
		t.Fatal(err)
	}
	node := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + address).SetClientID("ESP32-1"))
	c := &client{t, node}
	c.wait(c.Connect())
	defer c.Disconnect(100)
	c.say("dev/ESP32-1/heartbeat", "Alive")
	publish(t, b, smartmeter.Message{Topic: "dev/ESP32-1/relay/commands"})
	for _, want := range []string{"ESP32-1", ""} {
		if got := <-from; got.ClientID != want {
			t.Errorf("from %q, want %q", got.ClientID, want)
		}
	}
}

func TestRetainedSurvivesRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &memory{}
		first := bus.NewEmbedded(newBroker(t))
		ctx, stop := context.WithCancel(t.Context())
		kept := make(chan error, 1)
		skip := func(topic string) bool { return strings.HasSuffix(topic, "heartbeat") }
		go func() { kept <- first.Keep(ctx, memory, skip) }()

		status := smartmeter.Message{Topic: "dev/n/status", Payload: []byte("Offline"), QoS: 1, Retained: true}
		publish(t, first, status)
		publish(t, first, smartmeter.Message{Topic: "dev/n/heartbeat", Payload: []byte("Alive"), Retained: true})
		publish(t, first, smartmeter.Message{Topic: "dev/n/metrics", Payload: []byte("{}")})
		time.Sleep(time.Minute) // virtual
		synctest.Wait()
		if memory.writes != 1 {
			t.Errorf("%d writes for one change, want 1", memory.writes)
		}
		last := smartmeter.Message{Topic: "dev/n/info", Payload: []byte("{}"), Retained: true}
		publish(t, first, last)
		stop() // within the debounce: saved all the same
		if err := <-kept; err != nil {
			t.Fatal(err)
		}

		second := bus.NewEmbedded(newBroker(t))
		if err := second.Restore(t.Context(), memory); err != nil {
			t.Fatal(err)
		}
		var got []smartmeter.Message
		if err := second.Subscribe("#", func(m smartmeter.Message) { got = append(got, m) }); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]smartmeter.Message{last, status}, got); d != "" {
			t.Errorf("after the restart (-want +got):\n%s", d)
		}
	})
}

type memory struct {
	messages []smartmeter.Message
	writes   int
}

func (m *memory) PutRetained(messages []smartmeter.Message) error {
	m.messages = messages
	m.writes++
	return nil
}

func (m *memory) Retained(context.Context) ([]smartmeter.Message, error) { return m.messages, nil }

func publish(t *testing.T, b *bus.Embedded, m smartmeter.Message) {
	t.Helper()
	if err := b.Publish(m); err != nil {
		t.Fatalf("publish %s: %v", m.Topic, err)
	}
}
