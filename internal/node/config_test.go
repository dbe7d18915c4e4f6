package node_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

func TestConfigurationIsRefusedWithAReason(t *testing.T) {
	tests := []struct {
		payload string
		want    string // the answer after its revision
	}{
		{`{"rev":8,"metrics":999}`, `"ok":false,"field":"metrics","reason":"below 1000"`},
		{`{"rev":8,"metrics":0}`, `"ok":false,"field":"metrics","reason":"below 1000"`},
		{`{"rev":8,"metrics":-5000}`, `"ok":false,"field":"metrics","reason":"below 1000"`},
		{`{"rev":8,"metrics":3600001}`, `"ok":false,"field":"metrics","reason":"above 3600000"`},
		{`{"rev":8,"metrics":99999999999999999999999}`, `"ok":false,"field":"metrics","reason":"above 3600000"`},
		{`{"rev":8,"energy":0}`, `"ok":false,"field":"energy","reason":"below 1000"`},
		{`{"rev":8,"heartbeat":5}`, `"ok":false,"field":"heartbeat","reason":"below 1000"`},
		{`{"rev":8,"relay":{"power_up":"maybe"}}`, `"ok":false,"field":"relay.power_up","reason":"not off, on or last"`},
		{`{"rev":8,"relay":{"fallback":"last"}}`, `"ok":false,"field":"relay.fallback","reason":"not off or on"`},
		{`{"rev":8,"relay":{"min_on_s":-1}}`, `"ok":false,"field":"relay.min_on_s","reason":"below 0"`},
		{`{"rev":8,"relay":{"min_off_s":3601}}`, `"ok":false,"field":"relay.min_off_s","reason":"above 3600"`},
		{`{"rev":8,"relay":{"max_on_s":604801}}`, `"ok":false,"field":"relay.max_on_s","reason":"above 604800"`},
		{`{"rev":8,"relay":{"min_on_s":60,"max_on_s":59}}`, `"ok":false,"field":"relay.max_on_s","reason":"below relay.min_on_s"`},
		{`{"rev":8,"relay":{"max_switches_per_min":61}}`, `"ok":false,"field":"relay.max_switches_per_min","reason":"above 60"`},
		{`{"rev":8,"limits":{"current_ma":100001}}`, `"ok":false,"field":"limits.current_ma","reason":"above 100000"`},
		{`{"rev":8,"limits":{"power_dw":-1}}`, `"ok":false,"field":"limits.power_dw","reason":"below 0"`},
		{`{"rev":8,"limits":{"hold_ms":60001}}`, `"ok":false,"field":"limits.hold_ms","reason":"above 60000"`},
		{`{"rev":8,"limits":{"current_ma":16000,"power_dw":36800,"hold_ms":500}}`, `"ok":true`},
		{`{"rev":8,"relay":{"fallback":"on","min_on_s":60,"min_off_s":300,"max_on_s":3600,"max_switches_per_min":6}}`, `"ok":true`},
		{`{"rev":8,"limits":{"hold_ms":500}}`, `"ok":true`},
		{`{"rev":8}`, `"ok":true`},
		{`{"rev":8,"metrics":1000,"energy":3600000,"heartbeat":1000,"relay":{"power_up":"last","fallback":"off"}}`, `"ok":true`},
	}
	for _, tt := range tests {
		t.Run(tt.payload, func(t *testing.T) {
			l := newLab(t).connect()
			sent := l.receive(topicConfig, tt.payload)
			if got, want := texts(sent)[0], `config/ack {"rev":8,`+tt.want+"}"; got != want {
				t.Errorf("answered %s\nwant     %s", got, want)
			}
			accepted := strings.HasSuffix(tt.want, "true")
			if got := l.node.Status().Config.Rev; (got == 8) != accepted {
				t.Errorf("revision %d is in force", got)
			}
			if got := l.infos(); (got[len(got)-1].ConfigRev == 8) != accepted || (len(got) == 2) != accepted {
				t.Errorf("info says %v", got)
			}
		})
	}
}

func TestNoHubGivesRevisionZero(t *testing.T) {
	l := newLab(t).connect()
	want := []string{`config/ack {"rev":0,"ok":false,"field":"rev","reason":"below 1"}`}
	if diff := cmp.Diff(want, texts(l.receive(topicConfig, `{"rev":0,"metrics":1000}`))); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func TestUnreadableConfigurationIsCounted(t *testing.T) {
	for topic, payloads := range map[string][]string{
		topicConfig:       {"", "{}", `{"metrics":5000}`, `{"rev":-1}`, `{"rev":1,"metrics":"fast"}`, "\xff"},
		topicLegacyConfig: {"", "{}", "5000", `{"metrics":"fast"}`, "\xff"},
	} {
		l := newLab(t).connect()
		for i, p := range payloads {
			if sent := l.receive(topic, p); len(sent) != 0 {
				t.Errorf("%s %q: answered %v", topic, p, texts(sent))
			}
			if got := l.node.Status().Counts.Undecodable; got != uint32(i+1) {
				t.Errorf("%s %q: %d counted, want %d", topic, p, got, i+1)
			}
		}
		if diff := cmp.Diff(node.DefaultConfig(), l.node.Status().Config); diff != "" {
			t.Errorf("configuration (-want +got):\n%s", diff)
		}
	}
}

func TestConfigurationTakesEffect(t *testing.T) {
	l := newLab(t).connect().run(second)
	l.receive(topicConfig, `{"rev":1,"metrics":1000,"energy":2000,"heartbeat":3000}`)
	l.link.sent = nil
	l.run(12 * second)
	for topic, want := range map[string]int{topicMetrics: 12, topicEnergy: 6, topicHeartbeat: 4} {
		if got := len(l.link.on(topic)); got != want {
			t.Errorf("%d on %s in 12 s, want %d", got, topic, want)
		}
	}
}

func TestFieldedConfiguration(t *testing.T) {
	l := newLab(t).connect()
	l.receive(topicConfig, `{"rev":4,"heartbeat":10000}`)
	for _, tt := range []struct{ payload, want string }{
		{`{"metrics":2000}`, `"ok":true`},
		{`{"energy":30000}`, `"ok":true`},
		{`{"metrics":0}`, `"ok":false,"reason":"below 1000"`},
		{`{"energy":-1}`, `"ok":false,"reason":"below 1000"`},
		{`{"metrics":999,"energy":5000}`, `"ok":false,"field":"metrics","reason":"below 1000"`},
		{`{"energy":86400000}`, `"ok":false,"field":"energy","reason":"above 3600000"`},
	} {
		got := texts(l.receive(topicLegacyConfig, tt.payload))[0]
		if want := `config/ack {"rev":0,` + tt.want + "}"; got != want {
			t.Errorf("%s: answered %s, want %s", tt.payload, got, want)
		}
	}
	want := node.DefaultConfig()
	want.Rev, want.Metrics, want.Energy, want.Heartbeat = 4, 2000, 30_000, 10_000
	if diff := cmp.Diff(want, l.node.Status().Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

func TestConfigurationSurvivesAPowerCut(t *testing.T) {
	for name, send := range map[string]func(*lab){
		"ours":    func(l *lab) { l.receive(topicConfig, `{"rev":7,"metrics":2000,"relay":{"power_up":"on"}}`) },
		"fielded": func(l *lab) { l.receive(topicLegacyConfig, `{"metrics":2000}`) },
		"both": func(l *lab) {
			l.receive(topicConfig, `{"rev":7,"metrics":9000}`)
			l.receive(topicLegacyConfig, `{"metrics":2000}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t).connect()
			send(l)
			want := l.node.Status().Config
			l.boot()
			if diff := cmp.Diff(want, l.node.Status().Config); diff != "" || want.Metrics != 2000 {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
			if l.connect(); l.infos()[len(l.infos())-1].ConfigRev != want.Rev {
				t.Errorf("info says %v", l.infos())
			}
		})
	}
}

func TestSpoiltSettingsCountAsNone(t *testing.T) {
	for name, saved := range map[string]string{
		"half a file":               `{"rev":7,"metr`,
		"impossible":                `{"rev":7,"metrics":1}`,
		"from a node that did more": `{"rev":7,"relay":{"fallback":"blink"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.settings[node.SavedConfig] = []byte(saved)
			l.boot()
			s := l.node.Status()
			if diff := cmp.Diff(node.DefaultConfig(), s.Config); diff != "" {
				t.Errorf("configuration (-want +got):\n%s", diff)
			}
			if s.Settings == nil {
				t.Error("the status says that all is well")
			}
		})
	}
}

func TestSettingsThatFail(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Settings = brokenMemory{load: errBroken, save: errBroken} }).connect()
	if got := l.node.Status().Settings; got != errBroken {
		t.Errorf("status: %v", got)
	}
	want := []string{`config/ack {"rev":8,"ok":false,"reason":"cannot be kept: broken"}`}
	if diff := cmp.Diff(want, texts(l.receive(topicConfig, `{"rev":8,"metrics":1000}`))); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if got := l.node.Status().Config.Metrics; got != 5000 {
		t.Errorf("metrics every %d ms, want 5000: what cannot be kept is not in force", got)
	}
}

func TestWithoutSettings(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Settings = nil }).connect()
	l.receive(topicConfig, `{"rev":8,"metrics":1000}`)
	if got := l.node.Status().Config; got.Rev != 8 || got.Metrics != 1000 {
		t.Errorf("configuration %+v", got)
	}
	sent := l.receive(topicConfig, `{"rev":9,"relay":{"power_up":"last"}}`)
	want := `config/ack {"rev":9,"ok":false,"field":"relay.power_up","reason":"this node keeps nothing across power cuts"}`
	if got := texts(sent)[0]; got != want {
		t.Errorf("answered %s\nwant     %s", got, want)
	}
}

// FuzzReceive sends anything to a node. Whatever it is, the relay moves only
// with an answer, and the intervals stay possible.
func FuzzReceive(f *testing.F) {
	f.Add(uint8(0), []byte(command("c1", "on", boot, 1000)))
	f.Add(uint8(0), []byte("RELAY_ON"))
	f.Add(uint8(1), []byte(`{"rev":8,"metrics":1000}`))
	f.Add(uint8(2), []byte(`{"energy":1000}`))
	f.Add(uint8(3), []byte(`{"boot":"0badcafe","seq":1}`))
	f.Add(uint8(4), []byte(`{"boot":"0badcafe","lease_until_t":5000}`))
	f.Add(uint8(5), []byte(`{"id":"r1","boot":"0badcafe","before_t":5000}`))
	topics := []string{topicRelayCommands, topicConfig, topicLegacyConfig, topicAck, topicLease, topicReset}
	f.Fuzz(func(t *testing.T, which uint8, payload []byte) {
		l := newLab(t).connect()
		sent := l.receive(topics[int(which)%len(topics)], string(payload))
		if len(l.relay.set) > 1 && !strings.HasPrefix(texts(sent)[len(sent)-1], "relay/state") {
			t.Fatalf("the relay moved without a word: %v", texts(sent))
		}
		c := l.node.Status().Config
		for _, interval := range []smartmeter.Millis{c.Metrics, c.Energy, c.Heartbeat} {
			if interval < node.MinInterval || interval > node.MaxInterval {
				t.Fatalf("configuration %+v", c)
			}
		}
		for _, m := range sent {
			if m.Topic == topicConfigAck {
				if _, err := wire.DecodeConfigAck(m.Payload); err != nil {
					t.Fatalf("%s: %v", m.Payload, err)
				}
			}
		}
	})
}
