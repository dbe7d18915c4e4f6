package sim

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// field is a broker with one sketch of a house on it: it keeps what is
// retained, and delivers what the sketch subscribes to, its own words too.
type field struct {
	t        *testing.T
	peer     Peer
	retained map[string]string
	// said is everything published, as lines of seconds, topic, payload, QoS and
	// whether it is retained.
	said  []string
	house *House
}

const sketched = "ESP32-00c40a24"

// newField plays a home whose lights hang on a sketch, from an evening on.
func newField(t *testing.T) *field {
	t.Helper()
	f := &field{t: t, retained: map[string]string{}}
	h, err := New(Config{
		Devices: 8, Fielded: 1, Seed: 1, Start: time.Date(2026, time.November, 23, 20, 0, 0, 0, berlin), Interval: time.Second,
		Connect: f.connect, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	f.house = h
	return f
}

func (f *field) connect(p Peer) (Link, error) {
	if p.ID() != sketched {
		return worldLink{&world{}}, nil
	}
	f.peer = p
	p.Connected()
	return fieldLink{f}, nil
}

type fieldLink struct{ *field }

func (l fieldLink) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	l.said = append(l.said, fmt.Sprintf("%ds %s %s qos%d retained=%v",
		l.house.next/second, strings.TrimPrefix(topic, "dev/"+sketched+"/"), payload, qos, retained))
	if retained {
		l.retained[topic] = string(payload)
	}
	if slices.Contains(l.peer.Subscriptions(), topic) {
		l.peer.Receive(smartmeter.Message{Topic: topic, Payload: payload})
	}
	return true
}

func (fieldLink) Close() error { return nil }

// order sends a message to the sketch.
func (f *field) order(leaf, payload string, retained bool) {
	f.peer.Receive(smartmeter.Message{Topic: "dev/" + sketched + "/" + leaf, Payload: []byte(payload), Retained: retained})
}

// heard returns what was published until t, and forgets it.
func (f *field) heard(t smartmeter.Millis) []string {
	f.house.Step(t)
	said := f.said
	f.said = nil
	return said
}

func TestSketchSpeaksAsTheFieldedOnesDo(t *testing.T) {
	f := newField(t)
	f.house.devices[8].module.slave.Update(func(m *smartmeter.Measurement) { m.Energy = 12_335 })
	var want []string
	for s := range 61 {
		if s == 0 {
			want = append(want, "0s status Online qos0 retained=true", "0s relay/state 1 qos0 retained=true")
		}
		if s > 0 && s%30 == 0 {
			want = append(want, fmt.Sprintf("%ds heartbeat Alive qos0 retained=true", s))
		}
		if s == 60 {
			want = append(want, "60s pzem/energy 12.34 qos0 retained=true")
		}
		if s > 0 && s%3 == 0 {
			want = append(want, fmt.Sprintf("%ds pzem/metrics METRICS qos0 retained=true", s))
		}
	}
	got := f.heard(60 * second)
	for i, line := range got {
		parts := strings.Fields(line)
		if parts[1] != "pzem/metrics" {
			continue
		}
		var s smartmeter.Sample
		if err := wire.DecodeMetrics([]byte(parts[2]), &s); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if form := fmt.Sprintf(`{"voltage":%d.%d,"current":%s,"power":%d.%d}`, s.Voltage/10, s.Voltage%10, decimals(s.Current), s.Power/10, s.Power%10); form != parts[2] {
			t.Fatalf("%s, want %s", line, form)
		}
		if s.Voltage < 2100 || s.Power < 200 || s.Implausible() != 0 {
			t.Fatalf("%s is no evening's lights", line)
		}
		parts[2] = "METRICS"
		got[i] = strings.Join(parts, " ")
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// decimals writes amperes with as many decimals as it takes, but one at least.
func decimals(ma smartmeter.Milliamp) string {
	s := strings.TrimRight(fmt.Sprintf("%d.%03d", ma/1000, ma%1000), "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}

func TestSketchPublishesTheGoldenPayloads(t *testing.T) {
	f := newField(t)
	var golden string
	f.peer.device.core.(*sketch).meter = fixedMeter{Voltage: 2205, Current: 1200, Power: 2646, Energy: 12_340, Frequency: 500, PowerFactor: 100}
	for _, line := range f.heard(60 * second) {
		if strings.HasPrefix(line, "60s ") {
			golden += line + "\n"
		}
	}
	want := `60s heartbeat Alive qos0 retained=true
60s pzem/energy 12.34 qos0 retained=true
60s pzem/metrics {"voltage":220.5,"current":1.2,"power":264.6} qos0 retained=true
`
	if golden != want {
		t.Errorf("it said\n%swant\n%s", golden, want)
	}
}

// fixedMeter always measures the same.
type fixedMeter smartmeter.Measurement

func (m fixedMeter) Read(into *smartmeter.Measurement) error {
	*into = smartmeter.Measurement(m)
	return nil
}

func TestSketchKnowsNothingOfProtocol1(t *testing.T) {
	f := newField(t)
	f.heard(5 * second)
	f.order("relay/commands", `{"id":"c1","boot":"00000001","before_t":99999,"set":"off"}`, false)
	f.order("config", `{"rev":1,"metrics":1000}`, false)
	f.order("pzem/ack", `{"boot":"00000001","seq":1}`, false)
	f.heard(200 * second)
	got := slices.Sorted(maps.Keys(f.retained))
	var want []string
	for _, leaf := range []string{"heartbeat", "pzem/energy", "pzem/metrics", "relay/state", "status"} {
		want = append(want, "dev/"+sketched+"/"+leaf)
	}
	if d := cmp.Diff(want, got); d != "" || f.house.Transitions(sketched) != 0 {
		t.Errorf("%d transitions; it publishes\n%s", f.house.Transitions(sketched), d)
	}
}

func TestSketchTellsWhatItsConnectionNeeds(t *testing.T) {
	f := newField(t)
	will := f.peer.Will()
	if will.Topic != "dev/"+sketched+"/status" || string(will.Payload) != "Offline" || will.QoS != 1 || !will.Retained {
		t.Errorf("the will is %+v", will)
	}
	want := []string{"dev/" + sketched + "/relay/commands", "dev/" + sketched + "/relay/state", "dev/" + sketched + "/pzem/config"}
	if d := cmp.Diff(want, f.peer.Subscriptions()); d != "" {
		t.Error(d)
	}
}

func TestSketchObeysTheTextCommands(t *testing.T) {
	f := newField(t)
	f.heard(second)
	for i, c := range []struct {
		payload  string
		retained bool
		want     string
		moved    uint64
	}{
		{"RELAY_OFF", false, "0", 1},
		{"relay_on", false, "1", 2},
		{"Relay_Off", true, "0", 3}, // it cannot tell that nobody wants that now
		{"RELAY_OFF", false, "0", 3},
		{"RELAY_TOGGLE", false, "0", 3},
		{"RELAY_ON ", false, "0", 3},
		{"RELAY_ON", false, "1", 4},
	} {
		f.order("relay/commands", c.payload, c.retained)
		f.heard(smartmeter.Millis(i+2) * second)
		if got := f.retained["dev/"+sketched+"/relay/state"]; got != c.want || f.house.Transitions(sketched) != c.moved {
			t.Errorf("%s: the state is %s after %d transitions, want %s after %d", c.payload, got, f.house.Transitions(sketched), c.want, c.moved)
		}
	}
}

// Two commands in quick succession meet the echo of the first: the relay moves
// back and forth before it is where it should be.
func TestSketchObeysItsOwnEcho(t *testing.T) {
	f := newField(t)
	f.heard(second)
	f.order("relay/commands", "RELAY_OFF", false)
	f.order("relay/commands", "RELAY_ON", false)
	f.heard(2 * second)
	f.heard(3 * second)
	if got := f.house.Transitions(sketched); got != 4 {
		t.Errorf("%d transitions, want off, on, and both again by its echo", got)
	}
	f.order("relay/state", "0", false) // as nobody ever should
	f.heard(5 * second)
	if f.house.devices[8].relay.on || f.house.Transitions(sketched) != 5 {
		t.Error("it does not obey what others say its state is")
	}
}

func TestSketchFindsItsPositionAgain(t *testing.T) {
	f := newField(t)
	f.heard(second)
	f.peer.Disconnected()
	f.order("relay/state", "0", true) // what the broker had kept comes first
	f.peer.Connected()
	f.heard(4 * second)
	var s smartmeter.Sample
	err := wire.DecodeMetrics([]byte(f.retained["dev/"+sketched+"/pzem/metrics"]), &s)
	if err != nil || s.Power != 0 || f.retained["dev/"+sketched+"/relay/state"] != "0" {
		t.Errorf("it does not obey its retained state: %+v, %v, %v", s, err, f.retained)
	}
}

func TestSketchTakesAnyInterval(t *testing.T) {
	f := newField(t)
	count := func(until smartmeter.Millis, what string) (n int) {
		for _, line := range f.heard(until) {
			if strings.Contains(line, what) {
				n++
			}
		}
		return n
	}
	f.order("pzem/config", `{"metrics":10000}`, false)
	if n := count(60*second, "pzem/metrics"); n != 6 {
		t.Errorf("%d samples in a minute of one every 10 s", n)
	}
	f.order("pzem/config", `{"energy":5000}`, false)
	if n := count(120*second, "pzem/energy"); n < 11 || n > 12 {
		t.Errorf("%d registers in a minute of one every 5 s", n)
	}
	f.order("pzem/config", `{"metrics":0,"energy":-1}`, false)
	f.order("pzem/config", `nonsense`, false)
	if n := count(180*second, "pzem/metrics"); n != 6 {
		t.Errorf("%d samples in a minute after nonsense", n)
	}
}

func TestSketchIsSilentWithoutItsBroker(t *testing.T) {
	f := newField(t)
	f.heard(10 * second)
	f.peer.Disconnected()
	f.heard(10*second + 1)
	if said := f.heard(100 * second); len(said) != 0 {
		t.Errorf("it said %q", said)
	}
	f.peer.Connected()
	want := []string{"101s status Online qos0 retained=true", "101s relay/state 1 qos0 retained=true"}
	if said := f.heard(100*second + 500); !slices.Equal(said, want) {
		t.Errorf("it came back with %q", said)
	}
}

func TestFieldedDevicesAreTheLast(t *testing.T) {
	var w world
	h, err := New(Config{Devices: 20, Fielded: 6, Start: testStart, Connect: w.connect, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range h.Devices() {
		if strings.HasPrefix(string(d.Node), "ESP32-") {
			names = append(names, string(d.Node)+" "+d.Name+" "+string(d.Parent))
		}
	}
	want := []string{
		"ESP32-00c40a24 TV 2 sim-main-2", "ESP32-01c40a24 Lights 2 sim-main-2", "ESP32-02c40a24 Fridge 3 sim-main-3",
		"ESP32-03c40a24 Freezer 3 sim-main-3", "ESP32-04c40a24 Kettle 3 sim-main-3", "ESP32-05c40a24 Air conditioner 3 sim-main-3",
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Error(d)
	}
	ids := map[smartmeter.NodeID]bool{}
	for n := range 1000 {
		ids[sketchID(n)] = true
	}
	if len(ids) != 1000 {
		t.Errorf("1000 sketches have %d ids", len(ids))
	}
}
