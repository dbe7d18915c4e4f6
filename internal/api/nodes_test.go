package api_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/api"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// gate is an API in front of a list of nodes, and what it cut off.
type gate struct {
	*lab
	nodes *access.Nodes
	cut   []smartmeter.NodeID
}

func newGate(t *testing.T, guard string) *gate {
	t.Helper()
	g := &gate{lab: newLab(t)}
	claiming := api.Claiming{Guard: guard, MQTTS: 8883, Authority: [32]byte{1, 2, 3}, Fingerprint: "01:02:03"}
	if guard == "hub" {
		nodes, err := access.OpenNodes(faultdisk.New(1), nil)
		if err != nil {
			t.Fatal(err)
		}
		g.nodes, claiming.Nodes = nodes, nodes
		claiming.Cut = func(id smartmeter.NodeID) { g.cut = append(g.cut, id) }
	}
	cfg := g.apiConfig
	cfg.Claiming, cfg.Authority = claiming, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	g.lab.Server.Close()
	g.lab.Server = httptest.NewServer(g.handler(cfg))
	return g
}

func TestS7ANodeIsClaimedOverTheAPI(t *testing.T) {
	g := newGate(t, "hub")
	if _, got := g.call("GET", "/api/v1/nodes/knocks", ""); got["open_until"] != nil || len(got["knocks"].([]any)) != 0 {
		t.Errorf("nobody looks: %v", got)
	}
	if status, got := g.call("POST", "/api/v1/nodes/window", ""); status != 200 || got["open_until"] == nil {
		t.Errorf("window: %d %v", status, got)
	}
	g.nodes.Enter(access.Attempt{ID: "ESP32-1", From: netip.MustParseAddr("192.168.1.9")})
	_, got := g.call("GET", "/api/v1/nodes/knocks", "")
	if dig(got, "knocks", 0, "id") != "ESP32-1" || dig(got, "knocks", 0, "from") != "192.168.1.9" || dig(got, "knocks", 0, "reason") != "not_accepted" {
		t.Errorf("knocks: %v", got)
	}
	if status, got := g.call("POST", "/api/v1/nodes", `{"kind":"unprotected","id":"ESP32-1"}`); status != 201 || got["id"] != "ESP32-1" {
		t.Errorf("accepted: %d %v", status, got)
	}
	if status, _ := g.call("POST", "/api/v1/nodes", `{"kind":"login","id":"ESP32-1"}`); status != 409 {
		t.Errorf("accepted twice: %d", status)
	}
	_, got = g.call("GET", "/api/v1/nodes", "")
	if got["guard"] != "hub" || got["authority_sha256"] != "01:02:03" || dig(got, "nodes", 0, "kind") != "unprotected" || dig(got, "nodes", 0, "revoked_at") != nil {
		t.Errorf("list: %v", got)
	}
	if status, _ := g.call("DELETE", "/api/v1/nodes/ESP32-1", ""); status != 204 || !slices.Equal(g.cut, []smartmeter.NodeID{"ESP32-1"}) {
		t.Errorf("revoked: %d, cut %v", status, g.cut)
	}
	if status, _ := g.call("DELETE", "/api/v1/nodes/ESP32-1", ""); status != 404 {
		t.Errorf("revoked twice: %d", status)
	}
	for body, want := range map[string]int{`{"kind":"admin","id":"a"}`: 422, `{"kind":"login","id":"+"}`: 422, `{"kind":"login"}`: 422, `{}`: 422} {
		if status, got := g.call("POST", "/api/v1/nodes", body); status != want {
			t.Errorf("%s: %d %v", body, status, got)
		}
	}
}

func TestS7PairingCodesComeWithAllThatIsNeeded(t *testing.T) {
	g := newGate(t, "hub")
	_, got := g.call("POST", "/api/v1/nodes", `{"kind":"paired","id":"attic"}`)
	code, err := smartmeter.ParsePairingCode(got["code"].(string))
	if err != nil || code.Authority != [11]byte{1, 2, 3} {
		t.Fatalf("%v, %v", got, err)
	}
	if want := " --mqtt mqtts://127.0.0.1:8883 --pair " + code.String() + " --id attic"; !strings.HasSuffix(got["command"].(string), want) {
		t.Errorf("command %q", got["command"])
	}
	if size, path := dig(got, "qr", "size"), dig(got, "qr", "path"); size.(float64) < 29 || !strings.HasPrefix(path.(string), "M4 4h1v1h-1z") {
		t.Errorf("picture of %v, %.30v", size, path)
	}
	who, err := g.nodes.Enter(access.Attempt{ID: "attic", User: code.User(), Password: []byte(strings.Repeat("x", 43)), Encrypted: true})
	if err != nil || who.Kind != access.Node {
		t.Errorf("the node is %v, %v", who, err)
	}
}

func TestS7LoginsComeWithSettingsToPaste(t *testing.T) {
	g := newGate(t, "hub")
	_, got := g.call("POST", "/api/v1/nodes", `{"kind":"login","id":"attic"}`)
	password := got["password"].(string)
	for _, recipe := range []string{got["tasmota"].(string), got["esphome"].(string)} {
		for _, want := range []string{"127.0.0.1", "8883", "attic", password} {
			if !strings.Contains(recipe, want) {
				t.Errorf("no %q in\n%s", want, recipe)
			}
		}
		for _, left := range []string{"NODE", "SECRET", "HOST"} {
			if strings.Contains(strings.ReplaceAll(recipe, "MqttHost", ""), left) {
				t.Errorf("%q is left in\n%s", left, recipe)
			}
		}
	}
	if _, err := g.nodes.Enter(access.Attempt{ID: "attic", User: "attic", Password: []byte(password), Encrypted: true}); err != nil {
		t.Error(err)
	}
	if _, list := g.call("GET", "/api/v1/nodes", ""); strings.Contains(string(must(json.Marshal(list))), password) {
		t.Error("the list tells the password")
	}
}

func must(text []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return text
}

func TestS7WhoDecidesIsSaid(t *testing.T) {
	for guard, word := range map[string]string{"open": "open", "broker": "--broker"} {
		g := newGate(t, guard)
		if _, got := g.call("GET", "/api/v1/nodes", ""); got["guard"] != guard {
			t.Errorf("%s: %v", guard, got)
		}
		for route, body := range map[string]string{"POST /api/v1/nodes": `{"kind":"unprotected","id":"a"}`, "POST /api/v1/nodes/window": "", "DELETE /api/v1/nodes/a": ""} {
			method, path, _ := strings.Cut(route, " ")
			if status, got := g.call(method, path, body); status != 409 || !strings.Contains(got["detail"].(string), word) {
				t.Errorf("%s: %s: %d %v", guard, route, status, got)
			}
		}
	}
}

func TestS6TheAuthorityIsServed(t *testing.T) {
	g := newGate(t, "hub")
	resp, err := g.Client().Get(g.URL + "/ca.pem")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !strings.HasPrefix(string(text), "-----BEGIN CERTIFICATE") {
		t.Errorf("%d %q", resp.StatusCode, text)
	}
}
