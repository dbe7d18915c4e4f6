package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// Whatever a node sends, plain or retained, on whichever of its topics: it is
// counted, nothing of it is stored, no other node notices, and the hub lives,
// also after a restart that finds it all retained.
func TestHostileInput(t *testing.T) {
	data := t.TempDir()
	hub := startReady(t, "hub", "--open", "--data", data, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--log-level", "error")
	healthy := newNumbered(t, hub, "healthy")
	payloads := hostilePayloads()
	if len(payloads) < 200 {
		t.Fatalf("%d payloads, want at least 200", len(payloads))
	}

	villain := connect(t, hub.mqtt, "villain")
	refused := 0
	for _, payload := range payloads {
		for topic, decode := range nodeTopics {
			if decode([]byte(payload)) != nil {
				refused += 2
			} else if strings.HasPrefix(topic, "pzem/") {
				t.Errorf("%q is no hostile payload for %s: it would be stored", clip(payload), topic)
			}
			for _, retained := range []bool{false, true} {
				wait(t, villain.Publish("dev/villain/"+topic, 1, retained, payload))
			}
		}
		healthy.publish()
	}

	if got := hub.refusals("villain"); got != refused {
		t.Errorf("%d refusals counted, want %d", got, refused)
	}
	checkUnharmed := func(when string) {
		t.Helper()
		if d, found := hub.device("villain"); found {
			if got := hub.readings("villain"); len(got.T) != 0 || d.Latest != nil {
				t.Errorf("%s: %d readings of it are stored, latest %v", when, len(got.T), d.Latest)
			}
		}
		healthy.check(t, hub, when)
		var health struct{ Status string }
		if hub.call("GET", "/api/v1/health", "", &health); health.Status != "ok" {
			t.Errorf("%s: health %q", when, health.Status)
		}
	}
	checkUnharmed("under attack")

	if err := hub.stop(); err != nil {
		t.Fatalf("the hub ended badly: %v", err)
	}
	hub = startReady(t, "hub", "--open", "--data", data, "--http", hub.http, "--mqtt", hub.mqtt, "--log-level", "error")
	checkUnharmed("after a restart")
	if got, want := hub.refusals("villain"), unreadableAfterRestart(payloads[len(payloads)-1]); got != want || want == 0 {
		t.Errorf("after a restart: %d refusals of what was retained counted, want %d", got, want)
	}
}

// unreadableAfterRestart returns on how many topics the payload retained last is
// still there after a restart, and cannot be read.
func unreadableAfterRestart(payload string) (n int) {
	for topic, decode := range nodeTopics {
		if !changesOnEveryBeat("dev/villain/"+topic) && decode([]byte(payload)) != nil {
			n++
		}
	}
	return n
}

// nodeTopics are the topics that a hub listens to, and what reads them.
var nodeTopics = map[string]func([]byte) error{
	"status":       func(p []byte) error { _, err := wire.DecodeStatus(p); return err },
	"heartbeat":    wire.DecodeHeartbeat,
	"pzem/metrics": func(p []byte) error { return wire.DecodeMetrics(p, new(smartmeter.Sample)) },
	"pzem/backlog": func(p []byte) error { _, err := wire.DecodeBacklog(p, nil); return err },
	"pzem/energy":  func(p []byte) error { _, err := wire.DecodeEnergy(p); return err },
	"relay/state":  func(p []byte) error { _, err := wire.DecodeRelayState(p); return err },
	"relay/ack":    func(p []byte) error { _, err := wire.DecodeCommandAck(p); return err },
	"info":         func(p []byte) error { _, err := wire.DecodeInfo(p); return err },
	"config/ack":   func(p []byte) error { _, err := wire.DecodeConfigAck(p); return err },
	"event":        func(p []byte) error { _, err := wire.DecodeEvent(p); return err },
}

// hostilePayloads are the classes that killed others, each in every place where
// it could do harm.
func hostilePayloads() []string {
	values := []string{
		"NaN", "nan", "Infinity", "-Infinity", "inf", "-1", "-0.6", "1e308", "1e999", "-1e308", "1_000", "0x10", "+1", "01", ".5", "5.",
		"٢٣٠", "２３０", `"230"`, "true", "[1]", `{"v":1}`, strings.Repeat("9", 400), "1e", "--1",
	}
	all := []string{
		"", "\x00", "\xff", "\xff\xfe", "\xc0\x80", "\xed\xa0\x80", " ", "null", "{", "}", "[", "[]]", `{"`, `"`, "{}{}", "[{}]",
		strings.Repeat("9", 64<<10), strings.Repeat("[", 10_000), strings.Repeat(`{"a":`, 5000), strings.Repeat(" ", 20_000) + "1",
		`{"voltage":230,"voltage":230,"power":1}`, `{"voltage":230,"power":1}x`, `{"voltage":230,'power':1}`, `{"voltage":230,}`,
		`{"power":1,"seq":1}`, `{"power":1,"boot":"xyz","seq":1,"t":1}`, `{"power":1,"boot":"0000beef","seq":0,"t":1}`,
		`{"power":1,"boot":"0000beef","seq":-1,"t":1}`, `{"power":1,"boot":"0000beef","seq":1,"first":9,"t":1}`,
		"Online\x00", "online", "ALIVE", "two", "-1", "on", "'; DROP TABLE reading; --", "<script>alert(1)</script>", "../../etc/passwd",
	}
	for _, field := range []string{"voltage", "current", "power", "frequency", "pf", "energy_wh", "at"} {
		for _, value := range values {
			all = append(all, fmt.Sprintf(`{"boot":"0000beef","seq":1,"first":1,"t":1,"%s":%s}`, field, value))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func clip(s string) string { return s[:min(len(s), 60)] }

// refusals returns how many payloads of a node the hub counted as refused.
func (p *process) refusals(node string) int {
	p.t.Helper()
	var list struct {
		Refused []struct {
			Node  string
			Count int
		}
	}
	p.call("GET", "/api/v1/refused", "", &list)
	n := 0
	for _, r := range list.Refused {
		if r.Node == node {
			n += r.Count
		}
	}
	return n
}

// numbered is a node of protocol 1 whose register counts its samples, so that
// every one that is missing, doubled or changed shows.
type numbered struct {
	t      *testing.T
	id     string
	client mqtt.Client
	sent   int
}

func newNumbered(t *testing.T, hub *process, id string) *numbered {
	t.Helper()
	return &numbered{t: t, id: id, client: connect(t, hub.mqtt, id)}
}

func (n *numbered) publish() {
	n.t.Helper()
	n.sent++
	sample := smartmeter.Sample{Boot: 0xbeef, Seq: uint32(n.sent), First: 1, T: smartmeter.Millis(n.sent)}
	sample.Has, sample.Voltage, sample.Energy = smartmeter.Voltage|smartmeter.Energy, 2300, smartmeter.WattHour(n.sent)
	wait(n.t, n.client.Publish("dev/"+n.id+"/pzem/metrics", 1, false, wire.AppendMetrics(nil, &sample)))
}

// check compares what the hub has stored with what was sent.
func (n *numbered) check(t *testing.T, hub *process, when string) {
	t.Helper()
	got := make(map[string]int)
	for _, wh := range hub.readings(n.id).Energy {
		got[wh.String()]++
	}
	for i := range n.sent {
		if got[fmt.Sprint(i+1)] != 1 {
			t.Errorf("%s: sample %d of %s is stored %d times", when, i+1, n.id, got[fmt.Sprint(i+1)])
		}
	}
	if len(got) != n.sent {
		t.Errorf("%s: %d different samples of %s are stored, %d were sent", when, len(got), n.id, n.sent)
	}
}
