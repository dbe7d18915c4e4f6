package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/api"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is the API of a real hub with a real store; the test plays the nodes.
type lab struct {
	*httptest.Server
	apiConfig api.Config
	t         *testing.T
	hear      func(smartmeter.Message)
	probed    func(smartmeter.Message) // hears that a probe came home
	answer    func(smartmeter.Message) // what a node does with a command
}

func (l *lab) Subscribe(filter string, handle func(smartmeter.Message)) error {
	if strings.HasPrefix(filter, "dev/") {
		l.hear = handle
	} else {
		l.probed = handle
	}
	return nil
}

func (l *lab) Publish(m smartmeter.Message) error {
	if l.answer != nil {
		l.answer(m)
	}
	return nil
}

func newLab(t *testing.T, changes ...func(*api.Config)) *lab {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := store.Open(t.Context(), store.Config{Dir: t.TempDir(), Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t}
	h, err := hub.New(t.Context(), hub.Config{Bus: l, Store: s, Disk: hub.Disk{Measure: measured, KeepRaw: 730 * 24 * time.Hour, Thin: s.Thin}, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "the page") })
	l.apiConfig = api.Config{Hub: h, Page: page, Version: "test", Hosts: []string{"hub.example"}, Logger: log}
	for _, change := range changes {
		change(&l.apiConfig)
	}
	l.Server = httptest.NewServer(l.handler(l.apiConfig))
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		l.Client().CloseIdleConnections()
		l.Server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (l *lab) handler(cfg api.Config) http.Handler {
	l.t.Helper()
	handler, err := api.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return handler
}

func (l *lab) says(topic, payload string) {
	l.hear(smartmeter.Message{Topic: "dev/" + topic, Payload: []byte(payload)})
}

// kettle is a node of protocol 1 that has sent one sample.
func (l *lab) kettle() {
	l.says("kettle/info", `{"proto":1,"boot":"0000beef","t":5000,"caps":["relay"]}`)
	l.says("kettle/relay/state", "0")
	l.says("kettle/pzem/metrics", `{"voltage":230.1,"current":0.108,"power":24.4,"frequency":50,"pf":1,"energy_wh":38,"boot":"0000beef","seq":1,"first":1,"t":5000}`)
}

// acks lets every command be answered.
func (l *lab) acks(result wire.Result, reason string) {
	l.answer = func(m smartmeter.Message) {
		cmd, err := wire.DecodeCommand(m.Payload)
		if err != nil {
			l.t.Error(err)
		}
		ack := wire.CommandAck{ID: cmd.ID, Result: result, State: smartmeter.RelayStateOf(cmd.On == (result == wire.ResultDone)), Reason: reason}
		l.says("kettle/relay/ack", string(wire.AppendCommandAck(nil, &ack)))
	}
}

// call returns the status and the decoded body.
func (l *lab) call(method, path, body string, header ...string) (int, map[string]any) {
	l.t.Helper()
	req, err := http.NewRequestWithContext(l.t.Context(), method, l.URL+path, strings.NewReader(body))
	if err != nil {
		l.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := l.Client().Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	if len(text) == 0 {
		return resp.StatusCode, nil
	}
	var decoded map[string]any
	if err := json.Unmarshal(text, &decoded); err != nil {
		l.t.Fatalf("%s %s: %d, not JSON: %q", method, path, resp.StatusCode, text)
	}
	if want := "application/problem+json"; resp.StatusCode >= 400 && path != "/api/v1/health" && resp.Header.Get("Content-Type") != want {
		l.t.Errorf("%s %s: content type %q, want %q", method, path, resp.Header.Get("Content-Type"), want)
	}
	return resp.StatusCode, decoded
}

// dig follows keys into decoded JSON.
func dig(v any, keys ...any) any {
	for _, key := range keys {
		switch k := key.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[k]
		case int:
			s, _ := v.([]any)
			if k >= len(s) {
				return nil
			}
			v = s[k]
		}
	}
	return v
}

func TestDevicesShape(t *testing.T) {
	l := newLab(t)
	if _, got := l.call("GET", "/api/v1/devices", ""); len(dig(got, "devices").([]any)) != 0 {
		t.Errorf("an empty hub lists %v", got)
	}
	l.kettle()
	l.says("kettle/pzem/metrics", "\xff")
	status, got := l.call("GET", "/api/v1/devices", "")
	if status != 200 {
		t.Fatal(status)
	}
	d := dig(got, "devices", 0).(map[string]any)
	for _, key := range []string{"last_seen", "latest"} {
		if d[key] == nil {
			t.Errorf("%s is absent", key)
		}
	}
	if words := d["protection"].([]any); len(words) != 1 || !strings.Contains(words[0].(string), "not configured") {
		t.Errorf("protection %v", words)
	}
	delete(d, "protection")
	delete(d, "last_seen")
	delete(d["latest"].(map[string]any), "at")
	want := map[string]any{
		"id": "kettle", "name": "kettle", "room": "", "kind": "generic", "node": "kettle", "channel": 0.0, "parent": "",
		"online": true, "meter_silent": false, "interval_ms": 0.0,
		"latest":   map[string]any{"voltage": 230.1, "current": 0.108, "power": 24.4, "frequency": 50.0, "pf": 1.0, "energy_wh": 38.0},
		"relay":    map[string]any{"state": "off", "command": nil, "lease_s": 0.0, "off_at": nil},
		"refused":  map[string]any{"not_utf8": 1.0},
		"protocol": 1.0, "caps": []any{"relay"}, "settings": map[string]any{},
		"effective": map[string]any{
			"power_up": "off", "fallback": "off", "min_on_s": 0.0, "min_off_s": 0.0, "max_on_s": 0.0,
			"max_switches_per_min": 0.0, "max_current": 0.0, "max_power": 0.0, "hold_ms": 500.0,
		},
		"configured": map[string]any{"state": "none", "field": "", "reason": ""},
	}
	if diff := cmp.Diff(want, d); diff != "" {
		t.Errorf("device (-want +got):\n%s", diff)
	}
}

func TestReadingsShape(t *testing.T) {
	l := newLab(t)
	l.kettle()
	l.says("kettle/pzem/metrics", `{"power":null,"voltage":229.9,"boot":"0000beef","seq":2,"first":1,"t":4000}`)
	_, got := l.call("GET", "/api/v1/devices/kettle/readings?quantities=power,voltage", "")
	if len(dig(got, "t").([]any)) != 2 || dig(got, "next") != nil || dig(got, "current") != nil {
		t.Errorf("readings %v", got)
	}
	if d := cmp.Diff([]any{nil, 24.4}, dig(got, "power")); d != "" {
		t.Errorf("power (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]any{229.9, 230.1}, dig(got, "voltage")); d != "" {
		t.Errorf("voltage (-want +got):\n%s", d)
	}

	_, first := l.call("GET", "/api/v1/devices/kettle/readings?limit=1&quantities=power", "")
	next, _ := dig(first, "next").(string)
	if next == "" {
		t.Fatalf("no next link: %v", first)
	}
	_, second := l.call("GET", next, "")
	if len(dig(second, "t").([]any)) != 1 || dig(second, "voltage") != nil || dig(second, "power", 0) != 24.4 {
		t.Errorf("second page %v", second)
	}

	_, none := l.call("GET", "/api/v1/devices/kettle/readings?from=2001-01-01T00:00:00Z&to=2001-01-02T00:00:00%2B01:00&quantities=power", "")
	if d := cmp.Diff(map[string]any{"t": []any{}, "power": []any{}}, none); d != "" {
		t.Errorf("an empty range (-want +got):\n%s", d)
	}
}

func TestSteps(t *testing.T) {
	l := newLab(t)
	l.kettle()
	l.says("kettle/pzem/metrics", `{"power":100,"voltage":229.9,"energy_wh":40,"boot":"0000beef","seq":2,"first":1,"t":4999}`)
	status, got := l.call("GET", "/api/v1/devices/kettle/readings?step=1h&quantities=power,energy_wh", "")
	if status != 200 || len(dig(got, "t").([]any)) == 0 || dig(got, "voltage") != nil {
		t.Fatalf("%d %v", status, got)
	}
	hour := int64(dig(got, "t", 0).(float64))
	if hour%3_600_000 != 0 || dig(got, "power_min", 0) != 24.4 && dig(got, "power_max", 0) != 100.0 || dig(got, "energy_wh", 0) == nil {
		t.Errorf("steps %v", got)
	}
	if c := dig(got, "coverage", 0).(float64); c <= 0 || c > 0.001 {
		t.Errorf("coverage %v of an hour by two readings of 1 ms", c)
	}
	status, got = l.call("GET", "/api/v1/devices/kettle/readings?step=1m&from=1971-01-01T00:00:00Z", "")
	if status != 422 || !strings.Contains(got["detail"].(string), "longer step") {
		t.Errorf("too many steps: %d %v", status, got)
	}
}

func TestRelay(t *testing.T) {
	for _, tt := range []struct {
		name   string
		result wire.Result // "" for no answer
		status int
		state  string
		ends   string
	}{
		{"acknowledged", wire.ResultDone, 200, "on", "acknowledged"},
		{"refused by the node", wire.ResultRejected, 409, "off", "rejected"},
		{"no answer", "", 504, "off", "sent"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t)
			l.kettle()
			if tt.result != "" {
				l.acks(tt.result, "latched")
			}
			status, got := l.call("PUT", "/api/v1/devices/kettle/relay", `{"on":true,"wait":"50ms"}`)
			if status != tt.status || got["state"] != tt.state || dig(got, "command", "state") != tt.ends || dig(got, "command", "set") != "on" {
				t.Errorf("%d %v", status, got)
			}
			_, kept := l.call("GET", "/api/v1/devices/kettle/commands", "")
			if dig(kept, "commands", 0, "state") != tt.ends || dig(kept, "commands", 0, "cause") != "api" {
				t.Errorf("commands %v", kept)
			}
		})
	}
}

func TestBadRequestsNameTheField(t *testing.T) {
	l := newLab(t)
	l.kettle()
	const device = "/api/v1/devices/kettle"
	for _, tt := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"PUT", device + "/relay", `{"on":"canary"}`, 422, "body.on: expected boolean"},
		{"PUT", device + "/relay", `{}`, 422, "on"},
		{"PUT", device + "/relay", `{"on":true,"canary":1}`, 422, "canary"},
		{"PUT", device + "/relay", `{"on":true,"wait":"canary"}`, 422, "0s to 30s"},
		{"PUT", device + "/relay", `{"on":true,"wait":"-1s"}`, 422, "0s to 30s"},
		{"PUT", device + "/relay", `{"on":true,"for":"canary"}`, 422, "1s to 168h"},
		{"PUT", device + "/relay", `{"on":true,"for":"0s"}`, 422, "1s to 168h"},
		{"PUT", device + "/relay", `{"on":true,"lease":"1m"}`, 422, "2m to 24h"},
		{"PUT", device + "/relay", `{"on":true,"for":"5m"}`, 409, "does not announce"},
		{"PUT", device + "/relay", `{"on":false,"for":"5m"}`, 422, "ends an ON"},
		{"PUT", device + "/relay", `{"on":`, 400, ""},
		{"PUT", device + "/relay", ``, 400, "body"},
		{"PUT", "/api/v1/devices/nobody/relay", `{"on":true}`, 404, "no such device"},
		{"PATCH", device, `{"kind":"canary"}`, 422, "kind"},
		{"PATCH", device, `{"name":""}`, 422, "must not be empty"},
		{"PATCH", device, `{"name":"` + strings.Repeat("x", 65) + `"}`, 422, "at most 64"},
		{"PATCH", device, `{"name":"` + strings.Repeat("x", 20<<10) + `"}`, 413, "large"},
		{"GET", device + "/readings?from=yesterday", "", 422, "from"},
		{"GET", device + "/readings?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "", 422, "must not be after to"},
		{"GET", device + "/readings?quantities=canary", "", 422, "quantities"},
		{"GET", device + "/readings?limit=100001", "", 422, "limit"},
		{"GET", device + "/readings?step=1y", "", 422, "step"},
		{"GET", device + "/readings?typo=1", "", 422, "typo"},
		{"GET", "/api/v1/nothing", "", 404, "openapi.json"},
		{"POST", device, "", 405, "takes GET, PATCH, DELETE"},
	} {
		status, got := l.call(tt.method, tt.path, tt.body)
		detail, _ := got["detail"].(string)
		if status != tt.status || !strings.Contains(strings.ToLower(detail), strings.ToLower(tt.says)) {
			t.Errorf("%s %s %.40s: %d %q; want %d saying %q", tt.method, tt.path, tt.body, status, detail, tt.status, tt.says)
		}
		if text := fmt.Sprint(dig(got, "errors", 0, "value")); strings.Contains(text, "canary") {
			t.Errorf("%s %s: the value is echoed: %s", tt.method, tt.path, text)
		}
	}
	if _, d := l.call("GET", device, ""); d["name"] != "kettle" || dig(d, "relay", "command") != nil {
		t.Errorf("something was applied: %v", d)
	}
}

func TestChangeAndErase(t *testing.T) {
	l := newLab(t)
	l.kettle()
	status, got := l.call("PATCH", "/api/v1/devices/kettle", `{"name":"Wasserkocher ☕","room":"Küche","kind":"heater"}`)
	if status != 200 || got["name"] != "Wasserkocher ☕" || got["room"] != "Küche" || got["kind"] != "heater" {
		t.Errorf("PATCH: %d %v", status, got)
	}
	if status, _ := l.call("DELETE", "/api/v1/devices/kettle", ""); status != 204 {
		t.Errorf("DELETE: %d", status)
	}
	if status, _ := l.call("GET", "/api/v1/devices/kettle/readings", ""); status != 404 {
		t.Errorf("readings of an erased device: %d", status)
	}
}

func TestOtherSitesMayNotCommand(t *testing.T) {
	l := newLab(t)
	l.kettle()
	l.acks(wire.ResultDone, "")
	status, _ := l.call("PUT", "/api/v1/devices/kettle/relay", `{"on":true}`, "Sec-Fetch-Site", "cross-site")
	if status != 403 {
		t.Errorf("a page of another site switched a relay: %d", status)
	}
	status, _ = l.call("PUT", "/api/v1/devices/kettle/relay", `{"on":true}`, "Origin", "http://evil.example")
	if status != 403 {
		t.Errorf("another origin switched a relay: %d", status)
	}
	if status, _ = l.call("PUT", "/api/v1/devices/kettle/relay", `{"on":true}`, "Sec-Fetch-Site", "same-origin"); status != 200 {
		t.Errorf("our own page may not: %d", status)
	}
}

// A page of a stranger whose name was made to point here is same-origin to the
// browser; the name gives it away.
func TestStrangeNamesAreRefused(t *testing.T) {
	l := newLab(t)
	for host, want := range map[string]int{
		"localhost:8080": 200, "127.0.0.1": 200, "[::1]:80": 200, "192.168.4.1:8080": 200,
		"mqttpi.local": 200, "hub.example:8080": 200,
		"evil.example": 421, "localhost.evil.example": 421, "local": 421, "": 200,
	} {
		req := httptest.NewRequest("GET", "/api/v1/devices", nil)
		req.Host = host
		w := httptest.NewRecorder()
		l.Config.Handler.ServeHTTP(w, req)
		if w.Code != want {
			t.Errorf("host %q: %d, want %d", host, w.Code, want)
		}
	}
}

// Whoever monitors the hub may look at the status or at the body.
func TestHealth(t *testing.T) {
	l := newLab(t)
	status, got := l.call("GET", "/api/v1/health", "") // no bus that comes home
	if status != 503 || got["status"] != "degraded" || dig(got, "checks", "store", "status") != "ok" || dig(got, "checks", "broker", "detail") == nil {
		t.Errorf("degraded: %d %v", status, got)
	}
	l.answer = func(m smartmeter.Message) { l.probed(m) }
	status, got = l.call("GET", "/api/v1/health", "")
	ok := map[string]any{"status": "ok"}
	want := map[string]any{"status": "ok", "encrypted": false, "checks": map[string]any{"broker": ok, "store": ok, "nodes": ok, "clock": ok, "disk": ok}}
	if d := cmp.Diff(want, got); status != 200 || d != "" {
		t.Errorf("ok: %d (-want +got):\n%s", status, d)
	}
	_, doc := l.call("GET", "/openapi.json", "")
	described := dig(doc, "paths", "/api/v1/health", "get", "responses")
	same := func(status string) any {
		return dig(described, status, "content", "application/json", "schema", "$ref")
	}
	if same("200") == nil || same("200") != same("503") {
		t.Errorf("described as %v", described)
	}
}

func TestPage(t *testing.T) {
	l := newLab(t)
	resp, err := l.Client().Get(l.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	if string(text) != "the page" || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'self'") {
		t.Errorf("page %q, header %v", text, resp.Header)
	}
}

func TestOpenAPIDescribesEveryRoute(t *testing.T) {
	l := newLab(t)
	_, doc := l.call("GET", "/openapi.json", "")
	if doc["openapi"] != "3.1.0" {
		t.Errorf("openapi %v", doc["openapi"])
	}
	paths := doc["paths"].(map[string]any)
	for path, methods := range map[string][]string{
		"/api/v1/health":                {"get"},
		"/api/v1/devices":               {"get"},
		"/api/v1/devices/{id}":          {"get", "patch", "delete"},
		"/api/v1/devices/{id}/readings": {"get"},
		"/api/v1/devices/{id}/relay":    {"put"},
		"/api/v1/devices/{id}/commands": {"get"},
		"/api/v1/storage":               {"get"},
		"/api/v1/refused":               {"get"},
		"/api/v1/energy":                {"get"},
		"/api/v1/devices/{id}/energy":   {"get"},
		"/api/v1/corrections":           {"get", "post"},
		"/api/v1/corrections/{id}":      {"delete"},
		"/api/v1/events":                {"get"},
		"/api/v1/settings":              {"get", "put"},
		"/api/v1/nodes":                 {"get", "post"},
		"/api/v1/nodes/{id}":            {"delete"},
		"/api/v1/nodes/knocks":          {"get"},
		"/api/v1/nodes/window":          {"post"},

		"/api/v1/session":       {"get", "post", "delete"},
		"/api/v1/first-run":     {"post"},
		"/api/v1/password":      {"put"},
		"/api/v1/users":         {"get", "post"},
		"/api/v1/users/{name}":  {"patch", "delete"},
		"/api/v1/sessions":      {"get"},
		"/api/v1/sessions/{id}": {"delete"},
		"/api/v1/tokens":        {"get", "post"},
		"/api/v1/tokens/{id}":   {"delete"},
		"/api/v1/audit":         {"get"},
		"/api/v1/audit/export":  {"get"},

		"/api/v1/devices/{id}/energy/findings":  {"get"},
		"/api/v1/devices/{id}/protection/reset": {"post"},
		"/api/v1/alerts":                        {"get"},
		"/api/v1/alerts/{id}/acknowledge":       {"post"},
	} {
		for _, method := range methods {
			if dig(paths, path, method, "summary") == nil {
				t.Errorf("%s %s is not described", method, path)
			}
		}
		delete(paths, path)
	}
	if len(paths) > 0 {
		t.Errorf("described but not listed here: %v", paths)
	}
}

func TestRefusedAndMetrics(t *testing.T) {
	l := newLab(t)
	l.kettle()
	l.says("kettle/pzem/metrics", "\xff")
	l.says("kettle/pzem/metrics", "\xff")
	l.says("bad id/status", "Online")
	_, got := l.call("GET", "/api/v1/refused", "")
	if d := cmp.Diff([]any{
		map[string]any{"node": "", "reason": "bad_node_id", "count": 1.0},
		map[string]any{"node": "kettle", "reason": "not_utf8", "count": 2.0},
	}, got["refused"]); d != "" {
		t.Errorf("refused (-want +got):\n%s", d)
	}

	labels := `{device="kettle",name="kettle",room=""}`
	text := l.scrape()
	for _, line := range []string{
		"smartmeter_power_watts" + labels + " 24.4",
		"smartmeter_voltage_volts" + labels + " 230.1",
		"smartmeter_current_amperes" + labels + " 0.108",
		"smartmeter_register_joules" + labels + " 136800",
		`smartmeter_energy_joules_total{device="kettle",name="kettle",room="",corrections="0"} 0`, // one reading is no use yet
		"smartmeter_relay_on" + labels + " 0",
		"smartmeter_online" + labels + " 1",
		`smartmeter_refused_total{node="kettle",reason="not_utf8"} 2`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
	if status, _ := l.call("PATCH", "/api/v1/devices/kettle", `{"room":"a\"b\\c\u00a0ü"}`); status != 200 {
		t.Fatal(status)
	}
	if want := `room="a\"b\\c` + "\u00a0ü\""; !strings.Contains(l.scrape(), want) {
		t.Errorf("no %s in\n%s", want, l.scrape())
	}
	l.says("kettle/status", "Offline")
	if strings.Contains(l.scrape(), "power_watts") {
		t.Error("the power of an offline device looks fresh")
	}
}

// scrape returns what Prometheus gets.
func (l *lab) scrape() string {
	l.t.Helper()
	resp, err := l.Client().Get(l.URL + "/metrics")
	if err != nil {
		l.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// sse is one server-sent event.
type sse struct {
	id         int64
	name, data string
}

// follow opens the event stream; events come over the channel until the test
// ends or stop is called.
func (l *lab) follow(lastEventID int64) (events <-chan sse, stop func()) {
	l.t.Helper()
	return l.followAs("", lastEventID)
}

// followAs is follow with cookies.
func (l *lab) followAs(cookies string, lastEventID int64) (events <-chan sse, stop func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.t.Context())
	req, err := http.NewRequestWithContext(ctx, "GET", l.URL+"/api/v1/events", nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if cookies != "" {
		req.Header.Set("Cookie", cookies)
	}
	if lastEventID != 0 {
		req.Header.Set("Last-Event-ID", strconv.FormatInt(lastEventID, 10))
	}
	resp, err := l.Client().Do(req)
	if err != nil {
		l.t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/event-stream" {
		l.t.Errorf("content type %q", got)
	}
	c := make(chan sse, 100)
	go func() {
		defer close(c)
		defer resp.Body.Close()
		var e sse
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			key, value, _ := strings.Cut(lines.Text(), ": ")
			switch key {
			case "id":
				e.id, _ = strconv.ParseInt(value, 10, 64)
			case "event":
				e.name = value
			case "data":
				e.data = value
			case "":
				c <- e
				e = sse{}
			}
		}
	}()
	l.t.Cleanup(cancel)
	return c, cancel
}

func expect(t *testing.T, events <-chan sse, names ...string) []sse {
	t.Helper()
	var got []sse
	for _, name := range names {
		select {
		case e := <-events:
			got = append(got, e)
			if e.name != name {
				t.Fatalf("event %q %s, want %q", e.name, e.data, name)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("no event %q", name)
		}
	}
	return got
}

func TestEvents(t *testing.T) {
	l := newLab(t)
	events, stop := l.follow(0)
	expect(t, events, "hello")
	l.kettle()
	got := expect(t, events, "device", "relay", "reading")
	if !strings.Contains(got[2].data, `"power":24.4`) || !strings.Contains(got[2].data, `"device":"kettle"`) {
		t.Errorf("reading %s", got[2].data)
	}
	stop()
	l.acks(wire.ResultDone, "")
	if status, _ := l.call("PUT", "/api/v1/devices/kettle/relay", `{"on":true}`); status != 200 {
		t.Fatal(status)
	}

	resumed, _ := l.follow(got[0].id)
	again := expect(t, resumed, "hello", "relay", "reading", "command", "relay", "command")
	if again[1].id != got[1].id || !strings.Contains(again[5].data, `"acknowledged"`) {
		t.Errorf("resumed with %+v", again)
	}
	unknown, _ := l.follow(42)
	expect(t, unknown, "hello", "reset")
}
