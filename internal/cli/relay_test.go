package cli_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// routes plays a hub that knows these answers, by method and path.
func routes(t *testing.T, bodies map[string]string, heard *string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, known := bodies[r.Method+" "+r.URL.Path]
		if !known {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			io.WriteString(w, `{"status":404,"title":"Not Found","detail":"there is no such thing"}`)
			return
		}
		if text, err := io.ReadAll(r.Body); err != nil {
			t.Error(err)
		} else if len(text) > 0 && heard != nil {
			*heard = string(text)
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}
}

const heaterList = `{"devices":[{"id":"n1","name":"Heater"},{"id":"n2","name":"Lamp"}]}`

func TestCommands(t *testing.T) {
	s, flag := serve(t, routes(t, map[string]string{
		"GET /api/v1/devices": heaterList,
		"GET /api/v1/devices/n1/commands": `{"commands":[
			{"set":"off","cause":"protection","asked_at":"2026-11-27T19:14:03Z","state":"acknowledged","watts":"agrees","reason":"cut off 17.3 A"},
			{"set":"on","cause":"external, by phone","asked_at":"2026-11-27T17:00:12Z","state":"unknown","watts":"cannot_tell","reason":""},
			{"set":"on","cause":"api, for 30m","asked_at":"2026-11-27T16:00:12Z","state":"rejected","watts":"","reason":"latched\u001b[2J"}]}`,
		"GET /api/v1/devices/n2/commands": `{"commands":[]}`,
	}, nil))
	check(t, s.run(t, "commands", "heater", flag), result{Stdout: strings.TrimPrefix(`
AT                   TO   BY                        BECAME        WATTS        WHY
2026-11-27 20:14:03  off  the node's protection     acknowledged  agrees       cut off 17.3 A
2026-11-27 18:00:12  on   another client, by phone  unknown       cannot tell  -
2026-11-27 17:00:12  on   api, for 30m              rejected      -            latched�[2J
`, "\n")})
	check(t, s.run(t, "commands", "lamp", flag), result{Stdout: "Nothing has moved the relay of Lamp yet.\n"})
}

func TestAlerts(t *testing.T) {
	s, flag := serve(t, routes(t, map[string]string{
		"GET /api/v1/devices": heaterList,
		"GET /api/v1/alerts": `{"alerts":[
			{"id":"A1","kind":"welded_relay","severity":"critical","device":"n1","text":"Its relay is off.","raised_at":"2026-11-27T19:14:03Z","acknowledged_at":null,"cleared_at":null},
			{"id":"A0","kind":"dead_load","severity":"info","device":"gone","text":"It draws nothing.","raised_at":"2026-11-26T19:14:03Z","cleared_at":"2026-11-26T20:14:03Z"}]}`,
		"POST /api/v1/alerts/A1/acknowledge": `{"id":"A1"}`,
	}, nil))
	check(t, s.run(t, "alerts", flag), result{Stdout: strings.TrimPrefix(`
RAISED               SEVERITY  DEVICE  KIND          STATE  ID
2026-11-27 20:14:03  critical  Heater  welded relay  open   A1

Heater: Its relay is off.
`, "\n")})
	if got := s.run(t, "alerts", "--all", flag); !strings.Contains(got.Stdout, "dead load     over") {
		t.Errorf("with those that are over:\n%s", got.Stdout)
	}
	check(t, s.run(t, "alerts", "acknowledge", "A1", flag), result{Stdout: "Acknowledged. The alert stays until what raised it is over.\n"})
	check(t, s.run(t, "alerts", "acknowledge", "A7", flag), result{Stderr: "smartmeter: there is no open alert A7: list them with `smartmeter alerts`\n", Code: 3})
}

func TestProtect(t *testing.T) {
	const heater = `{"id":"n1","name":"Heater","kind":"heater","settings":{"max_current":16,"min_off_s":60},"configured":{"state":"in_force"},"protection":["Beyond 16.0 A for 0.5 s it cuts off.","After a power cut it stays off."]}`
	var heard string
	s, flag := serve(t, routes(t, map[string]string{
		"GET /api/v1/devices":                      heaterList,
		"GET /api/v1/devices/n1":                   heater,
		"PATCH /api/v1/devices/n1":                 strings.Replace(heater, `"state":"in_force"`, `"state":"refused","field":"power_up","reason":"no memory"`, 1),
		"POST /api/v1/devices/n1/protection/reset": `{"state":"reset"}`,
	}, &heard))
	const words = "  Beyond 16.0 A for 0.5 s it cuts off.\n  After a power cut it stays off.\n"
	check(t, s.run(t, "protect", "heater", flag), result{Stdout: "Heater, heater: the node has this in force.\n" + words})
	if heard != "" {
		t.Errorf("a look changed something: %s", heard)
	}
	check(t, s.run(t, "protect", "heater", "--kind=heater", "--max-power=3680.5", "--min-off-s=default", "--power-up=last", flag),
		result{Stdout: "Heater, heater: the node refused power_up: no memory.\n" + words})
	if diff := cmp.Diff(`{"kind":"heater","settings":{"max_current":16,"max_power":3680.5,"power_up":"last"}}`, heard); diff != "" {
		t.Errorf("the hub was asked (-want +got):\n%s", diff)
	}
	check(t, s.run(t, "protect", "heater", "--reset", flag), result{Stdout: "Heater, heater: the node has this in force.\n" + words})
	if heard != "{}" {
		t.Errorf("a reset asked %s", heard)
	}
	check(t, s.run(t, "protect", "heater", "--max-current=lots", flag), result{Stderr: "smartmeter: max_current: \"lots\" is no number of that kind, nor \"default\"\n", Code: 2})
}
