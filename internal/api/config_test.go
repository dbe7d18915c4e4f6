package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// heats is a node that can do everything.
func (l *lab) heats() {
	l.says("heater/info", `{"proto":1,"boot":"0000beef","t":5000,"caps":["relay","limits","lease"]}`)
	l.says("heater/relay/state", "0")
}

func TestSettings(t *testing.T) {
	l := newLab(t)
	l.heats()
	told := make(chan wire.Config, 1)
	l.answer = func(m smartmeter.Message) {
		if !strings.HasSuffix(m.Topic, "/config") {
			return
		}
		var c wire.Config
		if err := wire.DecodeConfig(m.Payload, &c); err != nil {
			t.Error(err)
		}
		l.says("heater/config/ack", string(wire.AppendConfigAck(nil, &wire.ConfigAck{Rev: c.Rev, Field: "relay.min_off_s", Reason: "above 300"})))
		told <- c
	}
	status, got := l.call("PATCH", "/api/v1/devices/heater", `{"kind":"heater","settings":{"max_current":16.5,"max_power":3680.1,"min_off_s":600}}`)
	want := map[string]any{"max_current": 16.5, "max_power": 3680.1, "min_off_s": 600.0}
	if diff := cmp.Diff(want, dig(got, "settings")); status != 200 || diff != "" {
		t.Errorf("%d, settings (-want +got):\n%s", status, diff)
	}
	if dig(got, "effective", "max_switches_per_min") != 6.0 || dig(got, "effective", "max_current") != 16.5 || dig(got, "configured", "state") != "sent" {
		t.Errorf("effective %v, %v", dig(got, "effective"), dig(got, "configured"))
	}
	c := <-told
	if c.Limits.Current != 16_500 || c.Limits.Power != 36_801 || c.Relay.MinOff != 600 {
		t.Errorf("the node was told %+v", c)
	}
	_, got = l.call("GET", "/api/v1/devices/heater", "")
	if diff := cmp.Diff(map[string]any{"state": "refused", "field": "min_off_s", "reason": "above 300"}, dig(got, "configured")); diff != "" {
		t.Errorf("configured (-want +got):\n%s", diff)
	}
	if _, got = l.call("PATCH", "/api/v1/devices/heater", `{"settings":{}}`); len(dig(got, "settings").(map[string]any)) != 0 {
		t.Errorf("settings that were left out: %v", dig(got, "settings"))
	}
	for body, field := range map[string]string{
		`{"settings":{"max_current":101}}`:     "body.settings.max_current",
		`{"settings":{"max_current":-0.0001}}`: "body.settings.max_current",
		`{"settings":{"max_power":1e300}}`:     "body.settings.max_power",
		`{"settings":{"min_off_s":1.5}}`:       "body.settings.min_off_s",
		`{"settings":{"metrics_ms":0}}`:        "body.settings.metrics_ms",
		`{"settings":{"power_up":"maybe"}}`:    "body.settings.power_up",
		`{"settings":{"colour":"red"}}`:        "body.settings.colour",
	} {
		status, got := l.call("PATCH", "/api/v1/devices/heater", body)
		if status != 422 || dig(got, "errors", 0, "location") != field {
			t.Errorf("%s: %d %v, want 422 at %s", body, status, got, field)
		}
	}
	l.says("old/pzem/metrics", `{"voltage":230,"current":1,"power":200}`)
	if status, got := l.call("PATCH", "/api/v1/devices/old", `{"settings":{"max_current":16}}`); status != 409 || !strings.Contains(dig(got, "detail").(string), "protocol 0") {
		t.Errorf("a limit of a node of protocol 0: %d %v", status, got)
	}
}

func TestAlertsAndReset(t *testing.T) {
	l := newLab(t)
	l.heats()
	if _, got := l.call("GET", "/api/v1/alerts", ""); len(dig(got, "alerts").([]any)) != 0 {
		t.Errorf("alerts of a house that is well: %v", got)
	}
	l.says("heater/event", `{"kind":"overcurrent","boot":"0000beef","t":6000,"state":0,"current_ma":17300}`)
	_, got := l.call("GET", "/api/v1/alerts", "")
	a, _ := dig(got, "alerts", 0).(map[string]any)
	if a["device"] != "heater" || a["kind"] != "cut_off" || a["severity"] != "critical" || a["cleared_at"] != nil || !strings.Contains(a["text"].(string), "17.3 A") {
		t.Fatalf("alert %v", got)
	}
	path := "/api/v1/alerts/" + a["id"].(string) + "/acknowledge"
	if status, got := l.call("POST", path, ""); status != 200 || dig(got, "acknowledged_by") != "api" || dig(got, "acknowledged_at") == nil {
		t.Errorf("acknowledged: %d %v", status, got)
	}
	if status, _ := l.call("POST", "/api/v1/alerts/nonsense/acknowledge", ""); status != 404 {
		t.Errorf("an alert that there is not: %d", status)
	}
	l.answer = func(m smartmeter.Message) {
		reset, err := wire.DecodeReset(m.Payload)
		if err != nil {
			t.Errorf("%s %s: %v", m.Topic, m.Payload, err)
		}
		l.says("heater/relay/ack", string(wire.AppendCommandAck(nil, &wire.CommandAck{ID: reset.ID, Result: wire.ResultDone, State: smartmeter.RelayOff})))
		l.says("heater/event", `{"kind":"reset","boot":"0000beef","t":7000,"state":0}`)
	}
	if status, got := l.call("POST", "/api/v1/devices/heater/protection/reset", `{}`); status != 200 || dig(got, "state") != "reset" {
		t.Errorf("reset: %d %v", status, got)
	}
	if _, got := l.call("GET", "/api/v1/alerts", ""); dig(got, "alerts", 0, "cleared_at") == nil {
		t.Errorf("after the reset: %v", got)
	}
	l.answer = nil
	if status, _ := l.call("POST", "/api/v1/devices/heater/protection/reset", `{"wait":"0s"}`); status != 504 {
		t.Errorf("a reset without an answer: %d", status)
	}
}
