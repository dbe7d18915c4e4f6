package sim

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// order sends a message to a node by its kind.
func (w *world) order(node smartmeter.NodeID, kind wire.Kind, payload []byte, retained bool) {
	w.peers[node].Receive(smartmeter.Message{
		Topic: wire.Topics{}.Topic(node, kind, 0), Payload: payload, QoS: 1, Retained: retained,
	})
}

// watch keeps the last payload of every topic of a node, and its last sample.
func (w *world) watch(t *testing.T, node smartmeter.NodeID) (last map[string]string, sample *smartmeter.Sample) {
	last, sample = map[string]string{}, new(smartmeter.Sample)
	w.samples(t, func(from smartmeter.NodeID, s *smartmeter.Sample) {
		if from == node {
			*sample = *s
		}
	})
	samples := w.taken
	w.taken = func(m smartmeter.Message) {
		samples(m)
		if a, _ := (wire.Topics{}).Parse(m.Topic); a.Node == node {
			last[a.Kind.String()] = string(m.Payload)
		}
	}
	return last, sample
}

func TestRelayOffDrawsNothing(t *testing.T) {
	var w world
	last, sample := w.watch(t, "sim-fridge")
	h := newHouseAt(t, &w, 8, 1, time.Second, testStart.Add(14*time.Hour))
	h.Step(10 * second)
	if sample.Power == 0 {
		t.Fatalf("draws nothing to begin with: %+v", sample)
	}
	w.order("sim-fridge", wire.KindRelayCommands, []byte("relay_off"), false)
	h.Step(10*second + 500)
	if last["relay/state"] != "0" {
		t.Errorf("relay/state is %q at once after the command", last["relay/state"])
	}
	h.Step(11 * second)
	energy := sample.Energy
	h.Step(oneHour)
	if sample.Power != 0 || sample.Current != 0 || sample.PowerFactor != 0 || sample.Energy != energy {
		t.Errorf("draws something: %+v", sample)
	}
	if sample.Voltage < 2000 || sample.Frequency < 490 {
		t.Errorf("the module does not measure the mains: %+v", sample)
	}
	w.order("sim-fridge", wire.KindRelayCommands, []byte("RELAY_ON"), true)
	h.Step(oneHour + second)
	if last["relay/state"] != "0" {
		t.Error("a retained command was obeyed")
	}
	w.order("sim-fridge", wire.KindRelayCommands, []byte("RELAY_ON"), false)
	h.Step(oneHour + 3*second)
	if last["relay/state"] != "1" || sample.Power < 800 {
		t.Errorf("after an hour without cooling: relay %q, %+v", last["relay/state"], sample)
	}
}

func TestCommandIsAnsweredByTheNode(t *testing.T) {
	var w world
	last, sample := w.watch(t, "sim-tv")
	h := newHouse(t, &w, 8, 1, time.Second)
	h.Step(5 * second)
	command := wire.Command{ID: "c1", Boot: sample.Boot, BeforeT: 20_000}
	w.order("sim-tv", wire.KindRelayCommands, wire.AppendCommand(nil, &command), false)
	h.Step(6 * second)
	ack, err := wire.DecodeCommandAck([]byte(last["relay/ack"]))
	if want := (wire.CommandAck{ID: "c1", Result: wire.ResultDone, State: smartmeter.RelayOff}); ack != want || err != nil {
		t.Errorf("answered %+v, %v", ack, err)
	}
	command.ID = "c2"
	h.Step(19 * second)
	w.order("sim-tv", wire.KindRelayCommands, wire.AppendCommand(nil, &command), false)
	h.Step(20 * second)
	if ack, err := wire.DecodeCommandAck([]byte(last["relay/ack"])); ack.Result != wire.ResultExpired || err != nil {
		t.Errorf("a command that came too late is answered %+v, %v", ack, err)
	}
}

func TestConfigurationIsTakenUp(t *testing.T) {
	var w world
	last, sample := w.watch(t, "sim-tv")
	h := newHouse(t, &w, 8, 1, time.Second)
	h.Step(10 * second)
	before := sample.Seq
	w.order("sim-tv", wire.KindConfig, []byte(`{"rev":3,"metrics":10000}`), false)
	h.Step(40 * second)
	if ack, err := wire.DecodeConfigAck([]byte(last["config/ack"])); !ack.OK || ack.Rev != 3 || err != nil {
		t.Errorf("answered %+v, %v", ack, err)
	}
	if taken := sample.Seq - before; taken != 2 || sample.T != 31_000 {
		t.Errorf("%d samples in 30 s after the configuration, the last at %d", taken, sample.T)
	}
}

func TestNodeGoesOnWithoutItsBroker(t *testing.T) {
	var w world
	last, sample := w.watch(t, "sim-fridge")
	h := newHouse(t, &w, 1, 1, time.Second)
	h.Step(5 * second)
	if _, err := wire.DecodeInfo([]byte(last["info"])); err != nil || last["status"] != wire.Online {
		t.Errorf("introduced itself as %q, %v", last, err)
	}
	seq := sample.Seq
	w.peers["sim-fridge"].Disconnected()
	h.Step(6 * second)
	clear(last)
	h.Step(60 * second)
	if len(last) != 0 {
		t.Errorf("published while disconnected: %q", last)
	}
	w.peers["sim-fridge"].Connected()
	h.Step(60*second + 1)
	h.Step(61 * second)
	if last["status"] != wire.Online || last["relay/state"] != "1" || sample.Seq != seq+56 {
		t.Errorf("back again: %q, sample %d after %d", last, sample.Seq, seq)
	}
}

func TestPeerTellsWhatItsConnectionNeeds(t *testing.T) {
	var w world
	newHouse(t, &w, 1, 1, time.Second)
	p := w.peers["sim-fridge"]
	will := p.Will()
	if will.Topic != "dev/sim-fridge/status" || string(will.Payload) != wire.Offline || will.QoS != 1 || !will.Retained {
		t.Errorf("the will is %+v", will)
	}
	if topics := p.Subscriptions(); !slices.Contains(topics, "dev/sim-fridge/relay/commands") ||
		slices.Contains(topics, "dev/sim-fridge/relay/state") {
		t.Errorf("subscribes to %q", topics)
	}
}

func TestInboxIsBounded(t *testing.T) {
	var w world
	h := newHouse(t, &w, 1, 1, time.Second)
	h.Step(0)
	payload := []byte("RELAY_OFF")
	for range maxWaiting + 5 {
		w.order("sim-fridge", wire.KindHeartbeat, payload, false)
	}
	w.peers["sim-fridge"].Disconnected()
	if got := len(h.inbox.waiting); got != maxWaiting+1 {
		t.Errorf("%d events wait", got)
	}
	if got := h.inbox.lost(); got != 5 {
		t.Errorf("%d are counted as lost", got)
	}
	clear(payload) // the connection may use it again
	if got := string(h.inbox.take()[0].message.Payload); got != "RELAY_OFF" {
		t.Errorf("the payload became %q", got)
	}
	if len(h.inbox.take()) != 0 {
		t.Error("events are taken twice")
	}
}

func TestRunMovesInRealTimeUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w world
		last, sample := w.watch(t, "sim-lights")
		h, err := New(Config{
			Devices: 8, Seed: 1, Start: time.Now(), Interval: time.Second,
			Connect: w.connect, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		time.Sleep(10*time.Second + 300*time.Millisecond)
		synctest.Wait()
		if sample.T != 10_000 || sample.Seq != 11 {
			t.Errorf("after ten seconds: %+v", sample)
		}
		w.order("sim-lights", wire.KindRelayCommands, []byte("RELAY_OFF"), false)
		synctest.Wait() // no time passes: the message itself wakes the house
		if last["relay/state"] != "0" {
			t.Errorf("relay/state is %q", last["relay/state"])
		}
		cancel()
		if err := <-done; err != nil || w.closed.Load() != 9 {
			t.Errorf("ended with %v, %d links closed", err, w.closed.Load())
		}
	})
}
