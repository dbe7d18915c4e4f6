package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/nodehost"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
)

// A fielded node obeys its own relay/state, so two commands at once would end
// in four transitions: off, on, and both again by its echo. The whole hub, with
// a node that is slow to answer, keeps it to the two that were asked for: all
// that is ever said about the relay is a command, the node's word, the other
// command, the node's word. Nobody but the node says where the relay is.
func TestDoubleTapOnAFieldedNode(t *testing.T) {
	const taps = 10
	tap := newDoubleTap(t)
	want := []string{"relay/state 1"}
	for range taps {
		tap.twice()
		want = append(want, "relay/commands RELAY_OFF", "relay/state 0", "relay/commands RELAY_ON", "relay/state 1")
	}
	if d := cmp.Diff(want, tap.heard()); d != "" {
		t.Errorf("said about the relay (-want +got):\n%s", d)
	}
	if got := tap.house.Transitions(tap.node); got != 2*taps {
		t.Errorf("the relay moved %d times, asked for were %d", got, 2*taps)
	}
}

// doubleTap is a whole hub, a house with a fielded node that moves only when
// the test says so, and a spy that hears everything at the broker.
type doubleTap struct {
	t     *testing.T
	hub   *system
	house *sim.House
	node  smartmeter.NodeID

	mu   sync.Mutex
	said []string // about the node's relay, as "topic payload"
}

func newDoubleTap(t *testing.T) *doubleTap {
	t.Helper()
	tap := &doubleTap{t: t, hub: runSystem(t), node: "ESP32-00c40a24"}
	broker := tap.hub.cfg.doors.mqtt.Addr().String()
	tap.spy(broker)
	log := slog.New(slog.DiscardHandler)
	var err error
	tap.house, err = newHouse(sim.Config{Devices: 1, Fielded: 1, Seed: 1, Logger: log}, nodehost.Broker{URL: "mqtt://" + broker, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tap.house.Close(); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "the node is there", func() error {
		tap.house.Step(0)
		d, err := tap.hub.hub.Device(smartmeter.DeviceID(tap.node))
		if err == nil && (!d.Online || d.Relay.State != smartmeter.RelayOn) {
			err = fmt.Errorf("online %v, relay %v", d.Online, d.Relay.State)
		}
		return err
	})
	return tap
}

// runSystem runs a hub with its own broker until the test ends.
func runSystem(t *testing.T) *system {
	t.Helper()
	doors, err := addresses{http: "127.0.0.1:0", mqtt: "127.0.0.1:0"}.open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s, err := newSystem(ctx, systemConfig{dataDir: t.TempDir(), doors: doors, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// spy hears everything, and notes what is said about the node's relay.
func (tap *doubleTap) spy(broker string) {
	client := connect(tap.t, broker, "spy")
	tap.t.Cleanup(func() { client.Disconnect(0) })
	relay := "dev/" + string(tap.node) + "/"
	wait(tap.t, client.Subscribe("dev/#", 1, func(_ mqtt.Client, m mqtt.Message) {
		if topic := strings.TrimPrefix(m.Topic(), relay); strings.HasPrefix(topic, "relay/") {
			tap.mu.Lock()
			defer tap.mu.Unlock()
			tap.said = append(tap.said, topic+" "+string(m.Payload()))
		}
	}))
}

func (tap *doubleTap) heard() []string {
	tap.mu.Lock()
	defer tap.mu.Unlock()
	return slices.Clone(tap.said)
}

// twice taps off and, before the node has answered, on again.
func (tap *doubleTap) twice() {
	tap.t.Helper()
	before := len(tap.heard())
	off := tap.put(false)
	eventually(tap.t, "the first command is on its way", func() error {
		if len(tap.heard()) == before {
			return errors.New("not yet")
		}
		return nil
	})
	on := tap.put(true)
	eventually(tap.t, "the hub has the second request", func() error {
		d, err := tap.hub.hub.Device(smartmeter.DeviceID(tap.node))
		if err == nil && !d.Relay.Command.On {
			err = errors.New("not yet")
		}
		return err
	})
	eventually(tap.t, "both are answered, and heard of", func() error {
		tap.house.Step(0) // what came in until now is received
		if len(off) == 0 || len(on) == 0 || len(tap.heard()) < before+4 {
			return fmt.Errorf("%d and %d answers, heard %q", len(off), len(on), tap.heard()[before:])
		}
		return nil
	})
	if off, on := <-off, <-on; off != "200 off acknowledged" && off != "200 on acknowledged" || on != "200 on acknowledged" {
		tap.t.Errorf("the first tap: %s; the second: %s", off, on)
	}
}

// put asks the API to move the relay. The answer comes as status, state of the
// relay and state of the command.
func (tap *doubleTap) put(on bool) <-chan string {
	answer := make(chan string, 1)
	url := fmt.Sprintf("http://%s/api/v1/devices/%s/relay", tap.hub.cfg.doors.http.Addr(), tap.node)
	go func() {
		answer <- func() string {
			req, err := http.NewRequestWithContext(tap.t.Context(), http.MethodPut, url, strings.NewReader(fmt.Sprintf(`{"on":%v,"wait":"30s"}`, on)))
			if err != nil {
				return err.Error()
			}
			req.Header.Set("Content-Type", "application/json")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err.Error()
			}
			defer resp.Body.Close()
			var reply struct {
				State   string
				Command struct{ State string }
			}
			if err := json.NewDecoder(resp.Body).Decode(&reply); err != nil {
				return err.Error()
			}
			return fmt.Sprintf("%d %s %s", resp.StatusCode, reply.State, reply.Command.State)
		}()
	}()
	return answer
}
