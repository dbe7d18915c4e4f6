package hub_test

import (
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// change changes a device that takes it.
func (l *lab) change(id smartmeter.DeviceID, change hub.DeviceChange) smartmeter.DeviceStatus {
	l.t.Helper()
	d, err := l.ChangeDevice(l.t.Context(), id, change)
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

func (l *lab) kind(id smartmeter.DeviceID, kind smartmeter.LoadKind) {
	l.t.Helper()
	l.change(id, hub.DeviceChange{Kind: &kind})
}

func (l *lab) wantConfigured(id smartmeter.DeviceID, want smartmeter.Configured) {
	l.t.Helper()
	if got := l.device(id).Configured; got != want {
		l.t.Errorf("%s is configured %+v, want %+v", id, got, want)
	}
}

// configs returns the configurations that the hub sent.
func (l *lab) configs(node string) (all []wire.Config) {
	l.t.Helper()
	for _, p := range l.bus.sent(node + "/config") {
		var c wire.Config
		if err := wire.DecodeConfig([]byte(p), &c); err != nil {
			l.t.Errorf("the hub sent %s: %v", p, err)
		}
		all = append(all, c)
	}
	return all
}

func TestKindConfiguresTheNode(t *testing.T) {
	for kind, want := range map[smartmeter.LoadKind]wire.RelayConfig{
		smartmeter.Generic:    {PowerUp: "off", Fallback: "off"},
		smartmeter.Lighting:   {PowerUp: "off", Fallback: "off"},
		smartmeter.Heater:     {PowerUp: "off", Fallback: "off", MaxSwitchesPerMin: 6},
		smartmeter.Compressor: {PowerUp: "last", Fallback: "off", MinOff: 300},
		smartmeter.MustStayOn: {PowerUp: "last", Fallback: "on"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			newLab(t, func(t *testing.T, l *lab) {
				l.introduce("n1")
				time.Sleep(time.Minute)
				if sent := l.configs("n1"); sent != nil {
					t.Errorf("sent %+v to a node that nobody configured", sent)
				}
				other := smartmeter.Lighting
				if kind == other {
					other = smartmeter.Heater
				}
				l.kind("n1", other)
				time.Sleep(10 * time.Second)
				l.kind("n1", kind)
				time.Sleep(2 * time.Second)
				sent := l.configs("n1")
				got := sent[len(sent)-1]
				if got.Relay != want || got.Metrics != 0 || got.Limits != (wire.Limits{Hold: 500}) {
					t.Errorf("sent %+v, want %+v", got, want)
				}
				if len(sent) != 2 || sent[1].Rev <= sent[0].Rev {
					t.Errorf("revisions of %+v", sent)
				}
			})
		})
	}
}

func TestSettingsReachTheNodeAndStay(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		n := l.wireNode("n1", 0xbeef)
		time.Sleep(10 * time.Second)
		current, metrics := smartmeter.Milliamp(3000), smartmeter.Millis(1000)
		l.change("n1", hub.DeviceChange{Settings: &smartmeter.Settings{Current: &current, Metrics: &metrics}})
		l.wantConfigured("n1", smartmeter.Configured{State: smartmeter.ConfigSent})
		time.Sleep(3 * time.Second)
		l.wantConfigured("n1", smartmeter.Configured{State: smartmeter.ConfigInForce})
		if sent := l.configs("n1"); len(sent) != 1 {
			t.Errorf("sent %d times", len(sent))
		}

		l.turn("n1", true) // 800 W at 3.478 A
		time.Sleep(10 * time.Second)
		if got := l.alerts(); got != "n1 cut_off critical" || n.isOn() {
			t.Fatalf("beyond the limit: on %v, alerts %q", n.isOn(), got)
		}
		l.wantHistory("n1", "off: protection, acknowledged (cut off 3.5 A)", "on: api, acknowledged")
		_, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n1", On: true, Wait: time.Second})
		if smartmeter.CodeOf(err) != smartmeter.Conflict {
			t.Errorf("switched on before the reset: %v", err)
		}
		if err := l.ResetProtection(t.Context(), "n1", 3*time.Second); err != nil {
			t.Error(err)
		}
		if err := l.ResetProtection(t.Context(), "n1", 3*time.Second); smartmeter.CodeOf(err) != smartmeter.Conflict || !strings.Contains(err.Error(), "nothing was cut off") {
			t.Errorf("reset twice: %v", err)
		}
		time.Sleep(time.Second)
		if got := l.alerts(); got != "n1 cut_off critical over" {
			t.Errorf("after the reset: %q", got)
		}

		before := l.device("n1").Settings
		n.link(false)
		l.restart()
		l.bus.answer = n.hear
		n.link(true)
		time.Sleep(time.Minute)
		l.wantConfigured("n1", smartmeter.Configured{State: smartmeter.ConfigInForce})
		if after := l.device("n1").Settings; after.Rev != before.Rev || *after.Current != current || after.Power != nil {
			t.Errorf("after a restart: %+v", after)
		}
		if sent := l.configs("n1"); sent != nil {
			t.Errorf("sent again though it is in force: %+v", sent)
		}
		n.off()
	})
}

func TestRefusedSettingsAreShown(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		n := l.wireNode("n1", 0xbeef) // which keeps nothing over power cuts
		time.Sleep(10 * time.Second)
		l.kind("n1", smartmeter.MustStayOn)
		time.Sleep(5 * time.Minute)
		l.wantConfigured("n1", smartmeter.Configured{State: smartmeter.ConfigRefused, Field: "power_up", Reason: "this node keeps nothing across power cuts"})
		if sent := l.configs("n1"); len(sent) != 1 {
			t.Errorf("sent %d times, want once: the answer was no", len(sent))
		}
		l.change("n1", hub.DeviceChange{Settings: &smartmeter.Settings{PowerUp: smartmeter.PositionOn}})
		time.Sleep(5 * time.Second)
		l.wantConfigured("n1", smartmeter.Configured{State: smartmeter.ConfigInForce})
		n.off()
	})
}

func TestUnansweredSettingsAreSentAgain(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/status", "Offline")
		l.kind("n1", smartmeter.Heater)
		l.wantConfigured("n1", smartmeter.Configured{State: smartmeter.ConfigWaiting})
		l.introduce("n1")
		time.Sleep(65 * time.Second)
		sent := l.configs("n1")
		if len(sent) != 3 {
			t.Errorf("sent %d times in a minute, want every 30 s", len(sent))
		}
		for _, m := range l.bus.published {
			if strings.HasSuffix(m.Topic, "/config") && (m.Retained || m.QoS != 1) {
				t.Errorf("sent with QoS %d, retained %v", m.QoS, m.Retained)
			}
		}
	})
}

func TestSettingsOfANodeOfProtocol0(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/pzem/metrics", `{"voltage":220.5,"current":1.2,"power":264.6}`)
		interval, current := smartmeter.Millis(3000), smartmeter.Milliamp(16_000)
		_, err := l.ChangeDevice(t.Context(), "n1", hub.DeviceChange{Settings: &smartmeter.Settings{Metrics: &interval, Current: &current}})
		if smartmeter.CodeOf(err) != smartmeter.Conflict || !strings.Contains(err.Error(), "protects nothing by itself") {
			t.Errorf("a limit: %v", err)
		}
		l.change("n1", hub.DeviceChange{Settings: &smartmeter.Settings{Metrics: &interval}})
		time.Sleep(2 * time.Second)
		l.wantConfigured("n1", smartmeter.Configured{State: smartmeter.ConfigTold})
		l.says("n1/status", "Online") // it has been away
		time.Sleep(2 * time.Minute)
		l.says("n1/heartbeat", "Alive")
		time.Sleep(2 * time.Second)
		if got := strings.Join(l.bus.sent("n1/pzem/config"), " "); got != `{"metrics":3000} {"metrics":3000}` {
			t.Errorf("told %s", got)
		}
		if got := l.bus.sent("n1/config"); got != nil {
			t.Errorf("told what it does not know: %s", got)
		}
		if err := l.ResetProtection(t.Context(), "n1", time.Second); smartmeter.CodeOf(err) != smartmeter.Conflict {
			t.Errorf("a reset: %v", err)
		}
	})
}

func TestSettingsAreCheckedWhole(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		before := l.device("n1").Device
		for field, s := range map[string]smartmeter.Settings{
			"power_up":             {PowerUp: "sometimes"},
			"fallback":             {Fallback: "last"},
			"min_on_s":             {MinOn: new(smartmeter.Millis(-1))},
			"min_off_s":            {MinOff: new(smartmeter.Millis(3_601_000))},
			"max_on_s":             {MaxOn: new(smartmeter.Millis(1000)), MinOn: new(smartmeter.Millis(2000))},
			"max_switches_per_min": {MaxSwitches: new(int32(61))},
			"max_current":          {Current: new(smartmeter.Milliamp(100_001))},
			"max_power":            {Power: new(smartmeter.Deciwatt(-1))},
			"hold_ms":              {Hold: new(smartmeter.Millis(60_001))},
			"metrics_ms":           {Metrics: new(smartmeter.Millis(0))},
			"energy_ms":            {Energy: new(smartmeter.Millis(999))},
			"heartbeat_ms":         {Heartbeat: new(smartmeter.Millis(3_600_001))},
		} {
			name := "changed"
			_, err := l.ChangeDevice(t.Context(), "n1", hub.DeviceChange{Name: &name, Settings: &s})
			if smartmeter.CodeOf(err) != smartmeter.Invalid || !strings.HasPrefix(err.Error(), "body.settings."+field+":") {
				t.Errorf("%s: %v", field, err)
			}
		}
		if after := l.device("n1").Device; after != before {
			t.Errorf("half of a refused change was applied: %+v", after)
		}
	})
}

func TestHeatersHaveALeaseByDefault(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		n := l.wireNode("n1", 0xbeef)
		time.Sleep(10 * time.Second)
		l.kind("n1", smartmeter.Heater)
		time.Sleep(5 * time.Second)
		l.turn("n1", true)
		if got := l.device("n1").Relay; got.Lease != 300_000 || got.OffAt != 0 || got.Command.Cause != "api, lease 5m" {
			t.Errorf("relay %+v", got)
		}
		if _, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n1", On: true, For: time.Hour, Wait: time.Second}); err != nil {
			t.Fatal(err)
		}
		if got, want := l.device("n1").Relay, smartmeter.InstantOf(time.Now().Add(time.Hour)); got.Lease != 0 || got.OffAt != want {
			t.Errorf("relay %+v", got)
		}
		if _, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n1", On: true, NoLease: true, Wait: time.Second}); err != nil {
			t.Fatal(err)
		}
		if got := l.device("n1").Relay; got.Lease != 0 || got.OffAt != 0 {
			t.Errorf("relay %+v", got)
		}
		n.off()
	})
}

func TestProtectionInPlainWords(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		want := func(id smartmeter.DeviceID, words ...string) {
			t.Helper()
			if got := hub.Protection(l.device(id)); strings.Join(got, "\n") != strings.Join(words, "\n") {
				t.Errorf("%s:\n%s\nwant:\n%s", id, strings.Join(got, "\n"), strings.Join(words, "\n"))
			}
		}
		l.says("old/heartbeat", "Alive")
		want("old", "This node obeys on and off and no more: it protects nothing by itself, and an ON lasts until somebody ends it.")
		n := l.wireNode("n1", 0xbeef)
		time.Sleep(10 * time.Second)
		want("n1", "The hub has not configured this node: it does what it was set to before. Say what hangs on it, and it gets what is safe for that.")
		heater := smartmeter.Heater
		l.change("n1", hub.DeviceChange{Kind: &heater, Settings: &smartmeter.Settings{
			Current: new(smartmeter.Milliamp(16_000)), Power: new(smartmeter.Deciwatt(36_800)), MaxOn: new(smartmeter.Millis(7_200_000)),
		}})
		time.Sleep(5 * time.Second)
		want("n1",
			"Beyond 16.0 A or 3680 W for 0.5 s it cuts off, and stays off until somebody resets it.",
			"After a power cut it stays off.",
			"Switched on, it goes off within 5 min if the hub dies.",
			"It goes off after 2 h.",
			"It switches at most 6 times a minute.")
		l.kind("n1", smartmeter.Compressor)
		time.Sleep(5 * time.Second)
		want("n1",
			"The node refused what follows, and keeps what it had: power_up, this node keeps nothing across power cuts.",
			"Beyond 16.0 A or 3680 W for 0.5 s it cuts off, and stays off until somebody resets it.",
			"After a power cut it goes back to where it was, after a rest of 5 min.",
			"It rests for 5 min at least before it goes on again.",
			"It goes off after 2 h.")
		n.off()
	})
}
