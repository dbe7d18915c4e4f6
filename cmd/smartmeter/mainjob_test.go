package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// The main job, end to end and with the real program: a meter's reading
// becomes a live picture, and a click moves its relay; then node and hub are
// killed, and nothing that was stored is lost.
func TestMainJob(t *testing.T) {
	t.Run("embedded broker", func(t *testing.T) {
		t.Parallel()
		j := newMainJob(t, "", "--mqtt", "127.0.0.1:0")
		j.part("values arrive bit for bit", j.valuesArrive)
		j.part("a click moves the relay", j.clickMovesRelay)
		j.waitUntilRetained("dev/bench-1/relay/state", "1") // the node says so after its answer
		j.part("a dead node is offline by its last will", j.deadNodeIsOffline)
		ghost := j.meetGhost()
		j.waitUntilRetained("dev/"+ghost+"/status", "Online")
		j.part("a killed hub forgets nothing, its broker's memory included", func(t *testing.T) { j.hubIsKilled(t, ghost) })
		j.part("the node comes back and goes on", j.nodeComesBack)
		j.part("both end when asked to", j.bothEnd)
	})
	t.Run("Mosquitto", func(t *testing.T) {
		t.Parallel()
		broker := startMosquitto(t)
		j := newMainJob(t, broker.address, "--broker", "mqtt://"+broker.address)
		j.part("values arrive bit for bit", j.valuesArrive)
		j.part("a click moves the relay", j.clickMovesRelay)
		j.part("a dead node is offline by its last will", j.deadNodeIsOffline)
		ghost := j.meetGhost()
		j.part("the node comes back and goes on", j.nodeComesBack)
		j.part("a click moves its relay again", j.clickMovesRelay)
		j.part("a killed hub forgets nothing while broker and node go on", func(t *testing.T) { j.hubIsKilled(t, ghost) })
		j.part("a click moves the relay of the node that stayed", j.clickMovesRelayByID)
		j.part("both end when asked to", j.bothEnd)
	})
}

// mainJob is a hub and a node with a meter and a relay.
type mainJob struct {
	t         *testing.T // of the whole, for what lives longer than one part
	hub, node *process
	meter     *meterOnPTY
	nodeArgs  []string
	hubArgs   []string
	broker    string
	relay     string
}

// newMainJob starts a hub with args and, at broker or else at the hub's own, a
// node that measures every second.
func newMainJob(t *testing.T, broker string, args ...string) *mainJob {
	t.Helper()
	j := &mainJob{t: t, broker: broker, meter: newMeterOnPTY(t), relay: filepath.Join(t.TempDir(), "relay")}
	j.hubArgs = append([]string{"hub", "--data", t.TempDir(), "--open", "--sync", "100ms"}, args...)
	j.hub = startReady(t, append(j.hubArgs, "--http", "127.0.0.1:0")...)
	if broker == "" {
		j.broker = j.hub.mqtt
		j.hubArgs[len(j.hubArgs)-1] = j.hub.mqtt
	}
	j.nodeArgs = []string{
		"node", "--serial", j.meter.device, "--mqtt", "mqtt://" + j.broker, "--id", "bench-1",
		"--relay-file", j.relay, "--data", t.TempDir(),
	}
	j.node = start(t, j.nodeArgs...)
	j.everySecond()
	return j
}

// part runs one part of the story; the next ones need it.
func (j *mainJob) part(name string, f func(*testing.T)) {
	j.t.Helper()
	if !j.t.Run(name, f) {
		j.t.FailNow()
	}
}

func (j *mainJob) valuesArrive(t *testing.T) {
	for _, m := range []smartmeter.Measurement{
		{Voltage: 2301, Current: 1234, Power: 2646, Energy: 12_345, Frequency: 499, PowerFactor: 93},
		{Voltage: 800, Current: 1, Power: 4, Energy: 0, Frequency: 450, PowerFactor: 1},
		{Voltage: 2600, Current: 99_999, Power: 229_999, Energy: 9_999_990, Frequency: 650, PowerFactor: 100},
		{Voltage: 2257, Current: 108, Power: 244, Energy: 65_536, Frequency: 500, PowerFactor: 0},
	} {
		m.Has = smartmeter.AllQuantities
		j.meter.show(m)
		eventually(t, fmt.Sprintf("latest is %+v", m), func() error { return j.hub.shows("bench-1", m) })
	}
}

// clickMovesRelay leaves the relay on.
func (j *mainJob) clickMovesRelay(t *testing.T) {
	for _, on := range []bool{true, false, true} {
		var reply struct {
			State   string
			Command struct{ State string }
		}
		status := j.hub.call("PUT", "/api/v1/devices/bench-1/relay", fmt.Sprintf(`{"on":%v}`, on), &reply)
		want := smartmeter.RelayStateOf(on).String()
		if status != 200 || reply.State != want || reply.Command.State != "acknowledged" {
			t.Fatalf("switch to %s: %d %+v", want, status, reply)
		}
		if got := readFile(j.relay); got != map[bool]string{true: "1", false: "0"}[on] {
			t.Fatalf("switched to %s, and the relay is at %q", want, got)
		}
	}
}

// clickMovesRelayByID also proves that the hub knows what the node can do,
// which the node said once, when it connected.
func (j *mainJob) clickMovesRelayByID(t *testing.T) {
	client := connect(t, j.broker, "looker-on")
	defer client.Disconnect(0)
	heard := make(chan string, 10)
	wait(t, client.Subscribe("dev/bench-1/relay/commands", 1, func(_ mqtt.Client, m mqtt.Message) { heard <- string(m.Payload()) }))
	j.clickMovesRelay(t)
	if command := <-heard; !strings.Contains(command, `"id":`) {
		t.Errorf("the hub sent %s, which is for nodes that it knows nothing of", command)
	}
}

func (j *mainJob) deadNodeIsOffline(t *testing.T) {
	j.node.kill()
	j.node = nil
	eventually(t, "offline", func() error {
		if d, _ := j.hub.device("bench-1"); d.Online {
			return errors.New("still online")
		}
		return nil
	})
}

// meetGhost lets the hub hear a fielded node, which is never heard again but
// for what the broker retains of it.
func (j *mainJob) meetGhost() (ghost string) {
	j.t.Helper()
	ghost = retainLikeTheFieldedSketch(j.t, j.broker, "ESP32-ghost")
	eventually(j.t, "the fielded node is met", func() error {
		if d, found := j.hub.device(ghost); !found || !d.Online || len(j.hub.readings(ghost).T) == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	return ghost
}

// waitUntilRetained returns when the hub's log remembers what the broker inside
// retains.
func (j *mainJob) waitUntilRetained(topic, want string) {
	j.t.Helper()
	begin := fmt.Appendf(nil, `{"retained":{"topic":%q`, topic)
	rest := fmt.Appendf(nil, `,"payload":%q`, base64.StdEncoding.EncodeToString([]byte(want)))
	eventually(j.t, topic+" is kept", func() error {
		var log []byte
		segments, err := filepath.Glob(filepath.Join(j.hubArgs[2], "log", "*"))
		for _, path := range segments {
			segment, readErr := os.ReadFile(path)
			log, err = append(log, segment...), errors.Join(err, readErr)
		}
		if at := bytes.LastIndex(log, begin); err == nil && (at < 0 || !bytes.HasPrefix(log[at+len(begin):], rest)) {
			err = errors.New("not yet")
		}
		return err
	})
}

// hubIsKilled kills the hub and runs another one in its place, which must know
// what the first one stored, and must not take for fresh what is retained. The
// node may be dead, or go on all the time.
func (j *mainJob) hubIsKilled(t *testing.T, ghost string) {
	before, ghostBefore := j.hub.readings("bench-1"), j.hub.readings(ghost)
	if len(before.T) < 4 || len(ghostBefore.T) != 1 {
		t.Fatalf("%d and %d readings before the kill", len(before.T), len(ghostBefore.T))
	}
	j.hub.kill()
	j.hub = startReady(j.t, append(j.hubArgs, "--http", j.hub.http)...)
	eventually(t, "what the broker retains of the relay is known", func() error {
		if d, _ := j.hub.device("bench-1"); d.Relay.State != "on" {
			return fmt.Errorf("relay is %q", d.Relay.State)
		}
		return nil
	})
	silent := []string{ghost}
	if j.node == nil {
		silent = append(silent, "bench-1")
	} else {
		eventually(t, "the node is heard", func() error {
			if len(j.hub.readings("bench-1").T) <= len(before.T) {
				return errors.New("not yet")
			}
			return nil
		})
	}
	if after := j.hub.readings("bench-1"); !beginsWith(after, before) || j.node == nil && len(after.T) > len(before.T) {
		t.Errorf("readings changed:\nbefore %+v\nafter  %+v", before, after)
	}
	if after := j.hub.readings(ghost); !beginsWith(after, ghostBefore) || len(after.T) > 1 {
		t.Errorf("retained metrics became readings: %+v, before %+v", after, ghostBefore)
	}
	for _, id := range silent {
		if d, found := j.hub.device(id); !found || d.Online || d.LastSeen != nil {
			t.Errorf("%s after the restart: %+v; it was not heard yet", id, d)
		}
	}
	if got := retainedAt(t, j.broker, "dev/"+ghost+"/status"); got != "Online" {
		t.Errorf("the broker kept %q of the fielded node's status, want Online", got)
	}
}

func (j *mainJob) nodeComesBack(t *testing.T) {
	j.node = start(j.t, j.nodeArgs...)
	back := smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: 2290, Current: 5, Power: 11, Energy: 65_537, Frequency: 501, PowerFactor: 96}
	j.meter.show(back)
	eventually(t, "live again", func() error { return j.hub.shows("bench-1", back) })
}

func (j *mainJob) bothEnd(t *testing.T) {
	if err := j.node.stop(); err != nil {
		t.Errorf("node: %v", err)
	}
	if err := j.hub.stop(); err != nil {
		t.Errorf("hub: %v", err)
	}
}

// everySecond configures the node as the fielded app does, once it is there.
func (j *mainJob) everySecond() {
	j.t.Helper()
	eventually(j.t, "the node is met", func() error {
		if _, found := j.hub.device("bench-1"); !found {
			return errors.New("not yet")
		}
		return nil
	})
	client := connect(j.t, j.broker, "app")
	defer client.Disconnect(100)
	wait(j.t, client.Publish("dev/bench-1/pzem/config", 1, false, `{"metrics":1000}`))
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

// beginsWith reports whether the first of the readings are b.
func beginsWith(all, b apiReadings) bool {
	begins := func(all, part []json.Number) bool { return slices.Equal(all[:min(len(all), len(part))], part) }
	return begins(all.T, b.T) && begins(all.Voltage, b.Voltage) && begins(all.Power, b.Power) && begins(all.Energy, b.Energy)
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
