package api_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/api"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

const goodPassword = "correct horse battery"

// closed is a lab that asks who somebody is. Its people are open until the test
// ends.
func newClosedLab(t *testing.T) (*lab, *access.People) {
	t.Helper()
	people, err := access.OpenPeople(access.PeopleConfig{Files: faultdisk.New(1), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { people.Close() })
	return newLab(t, func(cfg *api.Config) { cfg.People = people }), people
}

// somebody is a client of the lab, with or without a session or a token.
type somebody struct {
	l      *lab
	name   string
	client *http.Client
	token  string
}

func (l *lab) stranger() *somebody {
	l.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	return &somebody{l: l, name: "nobody", client: &http.Client{Transport: l.Client().Transport, Jar: jar}}
}

// send returns the whole answer, its body read.
func (s *somebody) send(method, path, body string) (*http.Response, string) {
	s.l.t.Helper()
	req, err := http.NewRequestWithContext(s.l.t.Context(), method, s.l.URL+path, strings.NewReader(body))
	if err != nil {
		s.l.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.l.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") == "text/event-stream" {
		return resp, ""
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.l.t.Fatal(err)
	}
	return resp, string(text)
}

// must sends what has to succeed.
func (s *somebody) must(method, path, body string) map[string]any {
	s.l.t.Helper()
	resp, text := s.send(method, path, body)
	if resp.StatusCode/100 != 2 {
		s.l.t.Fatalf("%s: %s %s: %d %s", s.name, method, path, resp.StatusCode, text)
	}
	var decoded map[string]any
	if text != "" {
		if err := json.Unmarshal([]byte(text), &decoded); err != nil {
			s.l.t.Fatal(err)
		}
	}
	return decoded
}

// firstRun makes the first account, anna.
func (l *lab) firstRun(people *access.People) *somebody {
	l.t.Helper()
	anna := l.stranger()
	anna.name = "admin"
	anna.must("POST", "/api/v1/first-run", `{"name":"anna","password":"`+goodPassword+`","code":"`+people.Code()+`"}`)
	return anna
}

// everybody returns one of each kind, by name.
func (l *lab) everybody(people *access.People) map[string]*somebody {
	l.t.Helper()
	anna := l.firstRun(people)
	all := map[string]*somebody{"nobody": l.stranger(), "admin": anna}
	for name, body := range map[string]string{
		"viewer":   `"role":"viewer","everywhere":true`,
		"confined": `"role":"viewer","rooms":["Attic"]`,
		"operator": `"role":"operator"`,
	} {
		account := `"name":"` + name + `","password":"` + goodPassword + `"`
		anna.must("POST", "/api/v1/users", `{`+account+`,`+body+`}`)
		s := l.stranger()
		s.name = name
		s.must("POST", "/api/v1/session", `{`+account+`}`)
		all[name] = s
	}
	for _, owner := range []string{"viewer", "confined", "operator", "admin"} {
		me := all[owner].must("GET", "/api/v1/session", "")
		made := all[owner].must("POST", "/api/v1/tokens", `{"label":"test","role":"`+me["role"].(string)+`","everywhere":true}`)
		s := l.stranger()
		s.name, s.token = owner+" token", made["secret"].(string)
		all[s.name] = s
	}
	return all
}

// routesFor says, for every operation of the OpenAPI document, who may: by
// hand, beside the declarations in the code.
var routesFor = map[string]string{
	"get-health": "anyone", "get-session": "anyone", "log-in": "anyone", "log-out": "anyone", "first-run": "anyone",
	"list-devices": "viewer", "get-device": "viewer", "list-readings": "viewer", "list-commands": "viewer", "watch-events": "viewer",
	"get-energy": "viewer", "get-device-energy": "viewer", "list-findings": "viewer", "get-settings": "viewer",
	"get-storage": "viewer of all", "list-refused": "viewer of all", "list-corrections": "viewer of all",
	"switch-relay": "operator", "add-correction": "operator", "undo-correction": "operator",
	"change-device": "admin", "erase-device": "admin", "put-settings": "admin", "get-audit": "admin", "export-audit": "admin",
	"reset-protection": "operator", "list-alerts": "viewer of all", "acknowledge-alert": "operator",
	"list-nodes": "admin", "accept-node": "admin", "revoke-node": "admin", "list-knocks": "admin", "open-window": "admin",
	"list-users": "admin in person", "add-user": "admin in person", "change-user": "admin in person", "remove-user": "admin in person",
	"set-password": "in person", "list-sessions": "in person", "end-session": "in person",
	"list-tokens": "in person", "make-token": "in person", "end-token": "in person",
}

// may says whether who may do what takes.
func may(who, takes string) bool {
	role, kind, _ := strings.Cut(who, " ")
	rank := map[string]int{"nobody": 0, "confined": 1, "viewer": 2, "operator": 3, "admin": 4}[role]
	person := kind != "token"
	switch takes {
	case "anyone":
		return true
	case "viewer":
		return rank >= 1
	case "viewer of all":
		return rank >= 2
	case "operator":
		return rank >= 3
	case "admin":
		return rank >= 4
	case "admin in person":
		return rank >= 4 && person
	case "in person":
		return rank >= 1 && person
	}
	return false
}

// operation is a route of the document.
type operation struct{ method, path, id string }

func (l *lab) operations(s *somebody) (all []operation) {
	l.t.Helper()
	doc := s.must("GET", "/openapi.json", "")
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			all = append(all, operation{strings.ToUpper(method), path, op.(map[string]any)["operationId"].(string)})
		}
	}
	slices.SortFunc(all, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return all
}

// TestS16RouteByRole sends every operation of the OpenAPI document as each kind
// of somebody. The requests are empty: who may is told that they are not
// understood (422 or 404) or gets an answer; who may not gets 401 or 403.
func TestS16RouteByRole(t *testing.T) {
	l, people := newClosedLab(t)
	all := l.everybody(people)
	l.kettle() // in no room: the confined viewer does not see it
	list := l.operations(all["admin"])
	if len(list) != len(routesFor) {
		t.Errorf("the document has %d operations, this test knows %d", len(list), len(routesFor))
	}
	for _, op := range list {
		takes, known := routesFor[op.id]
		if !known {
			t.Errorf("%s %s (%s) is not in this test's table", op.method, op.path, op.id)
			continue
		}
		if op.id == "log-out" {
			continue // ends the session of the rest; see TestLogOut
		}
		path := strings.NewReplacer("{id}", "kettle", "{name}", "no-such").Replace(op.path)
		for _, who := range slices.Sorted(maps.Keys(all)) {
			body := ""
			if op.method != "GET" && op.method != "DELETE" {
				body = "{}"
			}
			if op.id == "erase-device" {
				path = "/api/v1/devices/no-such"
			}
			resp, text := all[who].send(op.method, path, body)
			status := resp.StatusCode
			switch {
			case may(who, takes):
				if status == 401 && op.id != "log-in" || status == 403 && op.id != "first-run" {
					t.Errorf("%s, %s: %d %s", who, op.id, status, text)
				}
				if strings.HasPrefix(who, "confined") && strings.Contains(op.path, "/devices/{id}") && status != 404 {
					t.Errorf("%s, %s of a device that they may not see: %d %s", who, op.id, status, text)
				}
			case who == "nobody" && status != 401:
				t.Errorf("nobody, %s: %d %s", op.id, status, text)
			case who != "nobody" && status != 403:
				t.Errorf("%s, %s: %d %s", who, op.id, status, text)
			case resp.Header.Get("Content-Type") != "application/problem+json":
				t.Errorf("%s, %s: %d as %s", who, op.id, status, resp.Header.Get("Content-Type"))
			}
		}
	}
}

// TestS16NothingElseIsOpen asks for what is in no document.
func TestS16NothingElseIsOpen(t *testing.T) {
	l, people := newClosedLab(t)
	l.firstRun(people)
	for path, want := range map[string]int{
		"/": 200, "/index.html": 200, "/.well-known/security.txt": 200, // the page's handler answers all here
		"/openapi.json": 401, "/metrics": 401, "/api/": 401, "/api/v1/nothing": 401, "/api/v2/devices": 401,
	} {
		if resp, _ := l.stranger().send("GET", path, ""); resp.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, resp.StatusCode, want)
		}
	}
	_, text := l.stranger().send("GET", "/api/v1/health", "")
	if got := strings.TrimSpace(text); got != `{"status":"ok","encrypted":false}` && got != `{"status":"degraded","encrypted":false}` {
		t.Errorf("strangers learn of the hub's health: %s", text)
	}
}

func TestS16ViewersSeeTheirRooms(t *testing.T) {
	l, people := newClosedLab(t)
	all := l.everybody(people)
	l.kettle()
	l.says("heater/pzem/metrics", `{"power":1000,"voltage":230}`)
	confined, admin := all["confined"], all["admin"]
	events := confined.events()
	for _, path := range []string{"/api/v1/devices", "/api/v1/energy", "/metrics"} {
		if _, text := confined.send("GET", path, ""); strings.Contains(text, "kettle") || strings.Contains(text, "house") {
			t.Errorf("a viewer of no device sees at %s:\n%s", path, text)
		}
	}
	admin.must("PATCH", "/api/v1/devices/heater", `{"room":"Attic"}`)

	for _, path := range []string{"/api/v1/devices", "/api/v1/energy", "/metrics"} {
		for _, who := range []*somebody{confined, all["confined token"]} {
			_, text := who.send("GET", path, "")
			if strings.Contains(text, "kettle") || !strings.Contains(text, "heater") {
				t.Errorf("%s sees at %s:\n%s", who.name, path, text)
			}
		}
		if _, text := all["viewer"].send("GET", path, ""); !strings.Contains(text, "kettle") {
			t.Errorf("a viewer of all does not see the kettle at %s", path)
		}
	}
	for path, want := range map[string]int{
		"/api/v1/devices/kettle": 404, "/api/v1/devices/kettle/readings": 404, "/api/v1/devices/kettle/energy": 404,
		"/api/v1/energy?device=kettle": 404, "/api/v1/energy?device=heater": 200, "/api/v1/devices/heater": 200, "/api/v1/devices/heater/readings": 200,
	} {
		if resp, text := confined.send("GET", path, ""); resp.StatusCode != want {
			t.Errorf("GET %s: %d, want %d: %s", path, resp.StatusCode, want, text)
		}
	}

	expect(t, events, "hello", "device") // the heater has come into view
	l.kettle()
	l.says("heater/pzem/metrics", `{"power":1001,"voltage":230}`)
	if e := expect(t, events, "reading"); !strings.Contains(e[0].data, "heater") {
		t.Errorf("the confined viewer hears %s", e[0].data)
	}
	admin.must("PATCH", "/api/v1/devices/heater", `{"room":"Cellar"}`)
	expect(t, events, "reset")
}

// events follows the stream as s.
func (s *somebody) events() <-chan sse {
	s.l.t.Helper()
	address, err := url.Parse(s.l.URL)
	if err != nil {
		s.l.t.Fatal(err)
	}
	cookies := s.client.Jar.Cookies(address)
	var header []string
	for _, c := range cookies {
		header = append(header, c.Name+"="+c.Value)
	}
	c, _ := s.l.followAs(strings.Join(header, "; "), 0)
	return c
}

func TestRevokingEndsEventStreams(t *testing.T) {
	l, people := newClosedLab(t)
	all := l.everybody(people)
	events := all["viewer"].events()
	expect(t, events, "hello")
	all["admin"].must("DELETE", "/api/v1/users/viewer", "")
	l.kettle()
	select {
	case e, open := <-events:
		if open {
			t.Errorf("an account that is gone hears %q", e.name)
		}
	case <-time.After(10 * time.Second):
		t.Error("the stream of an account that is gone goes on")
	}
}

func TestLogOut(t *testing.T) {
	l, people := newClosedLab(t)
	all := l.everybody(people)
	for _, who := range []string{"viewer", "operator token"} {
		all[who].must("GET", "/api/v1/devices", "")
		all[who].must("DELETE", "/api/v1/session", "")
		if resp, _ := all[who].send("GET", "/api/v1/devices", ""); resp.StatusCode != 401 {
			t.Errorf("%s after logging out: %d", who, resp.StatusCode)
		}
	}
}

func TestS1FirstRunOverHTTP(t *testing.T) {
	l, people := newClosedLab(t)
	s := l.stranger()
	if me := s.must("GET", "/api/v1/session", ""); me["state"] != "first_run" {
		t.Errorf("a new hub says %v", me)
	}
	if resp, text := s.send("GET", "/api/v1/devices", ""); resp.StatusCode != 401 || !strings.Contains(text, "no account yet") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
	for body, want := range map[string]int{
		`{"name":"anna","password":"` + goodPassword + `","code":"AAAAA-AAAAA"}`:            403,
		`{"name":"anna","password":"short","code":"` + people.Code() + `"}`:                 422,
		`{"name":"a b","password":"` + goodPassword + `","code":"` + people.Code() + `"}`:   422,
		`{"name":"anna","password":"` + goodPassword + `","code":"x","role":"admin","x":1}`: 422,
	} {
		if resp, text := s.send("POST", "/api/v1/first-run", body); resp.StatusCode != want {
			t.Errorf("%s: %d %s", body, resp.StatusCode, text)
		}
	}
	anna := l.firstRun(people)
	if me := anna.must("GET", "/api/v1/session", ""); me["state"] != "in" || me["name"] != "anna" || !slices.Contains(me["may"].([]any), any("manage-accounts")) {
		t.Errorf("anna is %v", me)
	}
	if me := s.must("GET", "/api/v1/session", ""); me["state"] != "login" {
		t.Errorf("after that it says %v", me)
	}
	if resp, _ := s.send("POST", "/api/v1/first-run", `{"name":"eve","password":"`+goodPassword+`","code":"x"}`); resp.StatusCode != 409 {
		t.Errorf("a second first run: %d", resp.StatusCode)
	}
}

func TestS2TooManyTriesAreToldToWait(t *testing.T) {
	l, people := newClosedLab(t)
	l.firstRun(people)
	s := l.stranger()
	for i := range 8 {
		resp, text := s.send("POST", "/api/v1/session", `{"name":"ben","password":"a bad guess"}`)
		if i < 5 && resp.StatusCode != 401 || i >= 5 && (resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "") {
			t.Errorf("try %d: %d %v %s", i, resp.StatusCode, resp.Header["Retry-After"], text)
		}
	}
}

func TestS12ChangesAreInTheAuditLog(t *testing.T) {
	l, people := newClosedLab(t)
	all := l.everybody(people)
	l.kettle()
	l.acks("done", "")
	all["operator"].must("PUT", "/api/v1/devices/kettle/relay", `{"on":true}`)
	all["admin token"].must("PATCH", "/api/v1/devices/kettle", `{"name":"Kettle"}`)
	all["viewer"].send("PUT", "/api/v1/devices/kettle/relay", `{"on":true}`) // refused: not done, not noted
	audit := all["admin"].must("GET", "/api/v1/audit?limit=2", "")
	if audit["intact"] != true {
		t.Errorf("the log is broken: %v", audit)
	}
	for i, want := range []string{"token anna change-device kettle", "person operator switch-relay kettle on"} {
		e := dig(audit, "entries", i).(map[string]any)
		if got := e["who"].(string) + " " + e["did"].(string) + " " + e["about"].(string); got != want || e["from"] != "127.0.0.1" {
			t.Errorf("entry %d: %q from %v, want %q", i, got, e["from"], want)
		}
	}
	_, text := all["admin"].send("GET", "/api/v1/audit/export", "")
	lines := 0
	if _, err := access.CheckAudit(strings.NewReader(text), &access.Chain{}, func(access.Entry) { lines++ }); err != nil || float64(lines) != audit["lines"] {
		t.Errorf("the export has %d lines of %v: %v", lines, audit["lines"], err)
	}
}

// A relay's history says which person moved it.
func TestCommandsNameWhoAsked(t *testing.T) {
	l, people := newClosedLab(t)
	anna := l.firstRun(people)
	l.kettle()
	l.acks("done", "")
	anna.must("PUT", "/api/v1/devices/kettle/relay", `{"on":true}`)
	if cause := dig(anna.must("GET", "/api/v1/devices/kettle/commands", ""), "commands", 0, "cause"); cause != "api, by anna" {
		t.Errorf("cause %q", cause)
	}
}

func TestOpenHubsHaveNoAccounts(t *testing.T) {
	l := newLab(t)
	if _, got := l.call("GET", "/api/v1/session", ""); got["state"] != "open" || got["role"] != "admin" {
		t.Errorf("an open hub says %v", got)
	}
	for _, path := range []string{"/api/v1/users", "/api/v1/sessions", "/api/v1/tokens", "/api/v1/audit"} {
		if status, got := l.call("GET", path, ""); status != 200 {
			t.Errorf("GET %s: %d %v", path, status, got)
		}
	}
	if status, _ := l.call("POST", "/api/v1/tokens", `{"label":"x","role":"viewer"}`); status != 409 {
		t.Errorf("a token of an open hub: %d", status)
	}
	if status, _ := l.call("POST", "/api/v1/session", `{"name":"x","password":"y"}`); status != 409 {
		t.Errorf("a login to an open hub: %d", status)
	}
}

// TestS15HeadersAreOnEveryAnswer looks at each operation, and at errors and
// files, as somebody and as nobody.
func TestS15HeadersAreOnEveryAnswer(t *testing.T) {
	l, people := newClosedLab(t)
	anna := l.firstRun(people)
	paths := []operation{{"GET", "/", ""}, {"GET", "/nothing", ""}, {"POST", "/", ""}, {"GET", "/api/v1/nothing", ""}, {"GET", "/openapi.json", ""}, {"GET", "/metrics", ""}, {"GET", "/.well-known/security.txt", ""}}
	for _, op := range append(paths, l.operations(anna)...) {
		if op.id == "log-out" {
			continue
		}
		for _, who := range []*somebody{l.stranger(), anna} {
			resp, _ := who.send(op.method, strings.NewReplacer("{id}", "x", "{name}", "x").Replace(op.path), "")
			for header, want := range map[string]string{
				"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY",
				"Referrer-Policy": "no-referrer", "Cross-Origin-Resource-Policy": "same-origin",
			} {
				if got := resp.Header.Get(header); !strings.HasPrefix(got, want) {
					t.Errorf("%s %s: %s is %q", op.method, op.path, header, got)
				}
			}
			if csp := resp.Header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe") || resp.Header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: %q, CORS %q", op.method, op.path, csp, resp.Header.Get("Access-Control-Allow-Origin"))
			}
		}
	}
}

func TestS15SessionCookiesAreOutOfReach(t *testing.T) {
	l, people := newClosedLab(t)
	l.firstRun(people)
	resp, _ := l.stranger().send("POST", "/api/v1/session", `{"name":"anna","password":"`+goodPassword+`"}`)
	if len(resp.Cookies()) != 2 {
		t.Fatalf("cookies %v", resp.Cookies())
	}
	for _, c := range resp.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" {
			t.Errorf("cookie %v", c)
		}
	}
}
