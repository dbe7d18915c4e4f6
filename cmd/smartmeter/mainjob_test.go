package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/creack/pty"
	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// The main job, end to end and with the real program: a meter's reading
// becomes a live picture, and a click moves its relay; then nodes and hub are
// killed, and nothing that was stored is lost.
func TestMainJob(t *testing.T) {
	data, relay := t.TempDir(), filepath.Join(t.TempDir(), "relay")
	hub := startReady(t, "hub", "--data", data, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
	meter := newMeterOnPTY(t)
	nodeData := t.TempDir()
	runNode := func() *process {
		return start(t, "node", "--serial", meter.device, "--mqtt", "mqtt://"+hub.mqtt, "--id", "bench-1",
			"--relay-file", relay, "--data", nodeData)
	}
	node := runNode()
	whole := t // what is started below lives longer than the part that does it
	everySecond(t, hub, "bench-1")

	t.Run("values arrive bit for bit", func(t *testing.T) {
		for _, m := range []smartmeter.Measurement{
			{Voltage: 2301, Current: 1234, Power: 2646, Energy: 12_345, Frequency: 499, PowerFactor: 93},
			{Voltage: 800, Current: 1, Power: 4, Energy: 0, Frequency: 450, PowerFactor: 1},
			{Voltage: 2600, Current: 99_999, Power: 229_999, Energy: 9_999_990, Frequency: 650, PowerFactor: 100},
			{Voltage: 2257, Current: 108, Power: 244, Energy: 65_536, Frequency: 500, PowerFactor: 0},
		} {
			m.Has = smartmeter.AllQuantities
			meter.show(m)
			eventually(t, fmt.Sprintf("latest is %+v", m), func() error { return hub.shows("bench-1", m) })
		}
	})

	t.Run("a click moves the relay", func(t *testing.T) {
		for _, on := range []bool{true, false, true} {
			var reply struct {
				State   string
				Command struct{ State string }
			}
			status := hub.call("PUT", "/api/v1/devices/bench-1/relay", fmt.Sprintf(`{"on":%v}`, on), &reply)
			want := smartmeter.RelayStateOf(on).String()
			if status != 200 || reply.State != want || reply.Command.State != "acknowledged" {
				t.Fatalf("switch to %s: %d %+v", want, status, reply)
			}
			if got := readFile(relay); got != map[bool]string{true: "1", false: "0"}[on] {
				t.Fatalf("switched to %s, and the relay is at %q", want, got)
			}
		}
	})

	t.Run("a dead node is offline by its last will", func(t *testing.T) {
		node.kill()
		eventually(t, "offline", func() error {
			if d, _ := hub.device("bench-1"); d.Online {
				return errors.New("still online")
			}
			return nil
		})
	})

	ghost := retainLikeTheFieldedSketch(t, hub.mqtt, "ESP32-ghost")
	eventually(t, "the fielded node is met", func() error {
		if d, found := hub.device(ghost); !found || !d.Online {
			return errors.New("not yet")
		}
		return nil
	})
	time.Sleep(3 * time.Second) // what the broker retains is saved within 2 s

	t.Run("a killed hub loses no stored reading and takes nothing retained for fresh", func(t *testing.T) {
		before, ghostBefore := hub.readings("bench-1"), hub.readings(ghost)
		if len(before.T) < 4 || len(ghostBefore.T) != 1 {
			t.Fatalf("%d and %d readings before the kill", len(before.T), len(ghostBefore.T))
		}
		hub.kill()
		hub = startReady(whole, "hub", "--data", data, "--http", hub.http, "--mqtt", hub.mqtt)
		if after := hub.readings("bench-1"); !equalReadings(before, after) {
			t.Errorf("readings changed:\nbefore %+v\nafter  %+v", before, after)
		}
		if after := hub.readings(ghost); !equalReadings(ghostBefore, after) {
			t.Errorf("retained metrics became readings: %+v, before %+v", after, ghostBefore)
		}
		for _, id := range []string{"bench-1", ghost} {
			d, found := hub.device(id)
			if !found || d.Online || d.LastSeen != nil {
				t.Errorf("%s after the restart: %+v; nobody was heard yet", id, d)
			}
		}
		if got := retainedAt(t, hub.mqtt, "dev/"+ghost+"/status"); got != "Online" {
			t.Errorf("the broker kept %q of the fielded node's status, want Online", got)
		}
	})

	t.Run("the node comes back and goes on", func(t *testing.T) {
		node = runNode()
		back := smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: 2290, Current: 5, Power: 11, Energy: 65_537, Frequency: 501, PowerFactor: 96}
		meter.show(back)
		eventually(t, "live again", func() error { return hub.shows("bench-1", back) })
	})

	t.Run("both end when asked to", func(t *testing.T) {
		if err := node.stop(); err != nil {
			t.Errorf("node: %v", err)
		}
		if err := hub.stop(); err != nil {
			t.Errorf("hub: %v", err)
		}
	})
}

// shows says how the API's latest reading differs from m, down to the text of
// its numbers.
func (p *process) shows(id string, m smartmeter.Measurement) error {
	p.t.Helper()
	d, found := p.device(id)
	if !found || d.Latest == nil {
		return errors.New("no reading yet")
	}
	want := map[string]string{
		"voltage":   decimal(int64(m.Voltage), 10),
		"current":   decimal(int64(m.Current), 1000),
		"power":     decimal(int64(m.Power), 10),
		"energy_wh": fmt.Sprint(int64(m.Energy)),
		"frequency": decimal(int64(m.Frequency), 10),
		"pf":        decimal(int64(m.PowerFactor), 100),
	}
	got := make(map[string]string)
	for key := range want {
		got[key] = fmt.Sprint(d.Latest[key])
	}
	if !maps.Equal(got, want) || !d.Online {
		return fmt.Errorf("online %v, %v; want %v", d.Online, got, want)
	}
	return nil
}

// decimal writes n/scale as the shortest decimal, by integers alone.
func decimal(n, scale int64) string {
	s := fmt.Sprint(n / scale)
	rest := n % scale
	for digit := scale / 10; rest > 0; digit /= 10 {
		if digit == scale/10 {
			s += "."
		}
		s += fmt.Sprint(rest / digit)
		rest %= digit
	}
	return s
}

func equalReadings(a, b apiReadings) bool {
	return slices.Equal(a.T, b.T) && slices.Equal(a.Voltage, b.Voltage) && slices.Equal(a.Power, b.Power) && slices.Equal(a.Energy, b.Energy)
}

// meterOnPTY is a simulated PZEM-004T at the end of a real serial line.
type meterOnPTY struct {
	device string
	slave  *pzem.Slave
}

func newMeterOnPTY(t *testing.T) *meterOnPTY {
	t.Helper()
	line, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	slave, err := pzem.NewSlave(1)
	if err != nil {
		t.Fatal(err)
	}
	m := &meterOnPTY{device: tty.Name(), slave: slave}
	served := make(chan struct{})
	go func() {
		defer close(served)
		m.slave.Serve(line) // ends with the line
	}()
	t.Cleanup(func() {
		line.Close()
		tty.Close()
		<-served
	})
	return m
}

// retainLikeTheFieldedSketch publishes what the fielded sketch does at start,
// retained as it does, and leaves without a word.
func retainLikeTheFieldedSketch(t *testing.T, broker, id string) string {
	t.Helper()
	client := connect(t, broker, id)
	for topic, payload := range map[string]string{
		"status":       "Online",
		"heartbeat":    "Alive",
		"pzem/metrics": `{"voltage":220.5,"current":1.2,"power":264.6}`,
		"relay/state":  "1",
	} {
		wait(t, client.Publish("dev/"+id+"/"+topic, 1, true, payload))
	}
	client.Disconnect(0)
	return id
}

func retainedAt(t *testing.T, broker, topic string) string {
	t.Helper()
	client := connect(t, broker, "looker-on")
	defer client.Disconnect(0)
	got := make(chan string, 1)
	wait(t, client.Subscribe(topic, 1, func(_ mqtt.Client, m mqtt.Message) { got <- string(m.Payload()) }))
	select {
	case payload := <-got:
		return payload
	case <-time.After(patience):
		return "nothing"
	}
}

func connect(t *testing.T, broker, id string) mqtt.Client {
	t.Helper()
	client := mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(id))
	wait(t, client.Connect())
	return client
}

func wait(t *testing.T, token mqtt.Token) {
	t.Helper()
	if !token.WaitTimeout(patience) || token.Error() != nil {
		t.Fatalf("MQTT: %v", token.Error())
	}
}

func (m *meterOnPTY) show(values smartmeter.Measurement) {
	m.slave.Update(func(registers *smartmeter.Measurement) { *registers = values })
}

// everySecond configures a node as the fielded app does, once it is there.
func everySecond(t *testing.T, hub *process, id string) {
	t.Helper()
	eventually(t, id+" is met", func() error {
		if _, found := hub.device(id); !found {
			return errors.New("not yet")
		}
		return nil
	})
	client := connect(t, hub.mqtt, "app")
	defer client.Disconnect(100)
	wait(t, client.Publish("dev/"+id+"/pzem/config", 1, false, `{"metrics":1000}`))
}
