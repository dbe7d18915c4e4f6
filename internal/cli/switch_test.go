package cli_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

// settled is the answer to a command that the node has acknowledged.
func settled(state, watts string) http.HandlerFunc {
	return answering(200, "application/json",
		`{"state":"`+state+`","command":{"id":"c7","set":"on","cause":"api","state":"acknowledged","watts":"`+watts+`","reason":""}}`)
}

// dying is a hub that takes the command, says a little, and is gone.
func dying(last string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(conn, last)
		conn.Close()
	}
}

func TestSwitch(t *testing.T) {
	refused := answering(409, problemJSON, `{"title":"Conflict","status":409,"detail":"the node refused: rests until 14:05","state":"off","command":{"state":"rejected","reason":"rests until 14:05"}}`)
	tests := map[string]struct {
		relay http.HandlerFunc
		args  []string
		want  result
	}{
		"on": {
			settled("on", ""),
			[]string{"fridge", "on"},
			result{Stdout: "Fridge is on (confirmed by the node)\n"},
		},
		"off": {
			settled("off", ""),
			[]string{"fridge", "off"},
			result{Stdout: "Fridge is off (confirmed by the node)\n"},
		},
		"on for a while": {
			settled("on", "agrees"),
			[]string{"fridge", "on", "--for=2h"},
			result{Stdout: "Fridge is on for 2h (confirmed by the node, and the measured power agrees)\n"},
		},
		"the watts agree": {
			settled("on", "agrees"),
			[]string{"Fridge", "on"},
			result{Stdout: "Fridge is on (confirmed by the node, and the measured power agrees)\n"},
		},
		"the watts disagree": {
			settled("off", "disagrees"),
			[]string{"sim-fridge", "off"},
			result{Stdout: "Fridge is off (confirmed by the node, but the measured power disagrees)\n"},
		},
		"the watts say nothing": {
			settled("on", "cannot_tell"),
			[]string{"fridge", "on"},
			result{Stdout: "Fridge is on (confirmed by the node; the measured power cannot tell)\n"},
		},
		"a node that says the opposite": {
			settled("off", ""),
			[]string{"fridge", "on"},
			result{Stderr: "the node has not confirmed that Fridge is on", Code: 5},
		},
		"success that is none yet": {
			answering(200, "application/json", `{"state":"on","command":{"state":"sent"}}`),
			[]string{"fridge", "on"},
			result{Stderr: "the node has not confirmed that Fridge is on", Code: 5},
		},
		"refused by the node": {
			refused,
			[]string{"fridge", "on"},
			result{Stderr: "smartmeter: Fridge was not switched on: the node refused: rests until 14:05; it is off\n", Code: 4},
		},
		"refused by the hub": {
			answering(409, problemJSON, `{"detail":"it is offline and would not hear the command","state":"on"}`),
			[]string{"ESP32-93AC01", "off"},
			result{Stderr: "smartmeter: Lamp was not switched off: it is offline and would not hear the command\n", Code: 4},
		},
		"no answer": {
			answering(504, problemJSON, `{"title":"Gateway Timeout","status":504,"state":"unknown","command":{"state":"sent"}}`),
			[]string{"fridge", "on", "--wait=1s"},
			result{Stderr: "no answer from Fridge within 1s: it may have switched or not", Code: 5},
		},
		"a hub that dies when it has the command": {
			dying(""),
			[]string{"fridge", "on"},
			result{Stderr: "Fridge may have switched or not. Look again with `smartmeter devices`", Code: 5},
		},
		"a hub that dies while it answers": {
			dying("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"),
			[]string{"fridge", "on", "--json"},
			result{Stderr: "Fridge may have switched or not. Look again with `smartmeter devices`", Code: 5},
		},
		"a hub that is out of order": {
			answering(503, problemJSON, `{"detail":"the command did not leave the hub"}`),
			[]string{"fridge", "on"},
			result{Stderr: "smartmeter: the command did not leave the hub\n", Code: 6},
		},
		"erased meanwhile": {
			answering(404, problemJSON, `{"detail":"there is no device sim-fridge"}`),
			[]string{"fridge", "on"},
			result{Stderr: "smartmeter: there is no device sim-fridge\n", Code: 3},
		},
		"a mistake of the hub": {
			answering(500, problemJSON, `{"detail":"out of luck"}`),
			[]string{"fridge", "on"},
			result{Stderr: "smartmeter: Fridge was not switched on: out of luck\n", Code: 1},
		},
		"refused, for a program": {
			answering(409, problemJSON, `{"state":"off","detail":"rests"}`),
			[]string{"fridge", "on", "--json"},
			result{
				Stdout: "{\n  \"state\": \"off\",\n  \"detail\": \"rests\"\n}\n",
				Stderr: "smartmeter: Fridge was not switched on: rests; it is off\n", Code: 4,
			},
		},
		"done, for a program": {
			answering(200, "application/json", `{"state":"on","command":{"state":"acknowledged"}}`),
			[]string{"fridge", "on", "--json"},
			result{Stdout: "{\n  \"state\": \"on\",\n  \"command\": {\n    \"state\": \"acknowledged\"\n  }\n}\n"},
		},
		"a slip of the finger": {
			settled("on", ""),
			[]string{"frigde", "on"},
			result{Stderr: "smartmeter: there is no device \"frigde\": did you mean \"Fridge\"?\n", Code: 3},
		},
		"a name that two devices have": {
			settled("on", ""),
			[]string{"lamp", "on"},
			result{Stderr: "smartmeter: 2 devices are called \"lamp\": name one by its id: ESP32-93AC01, plug-1\n", Code: 2},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s, flag := serve(t, hub{devices: household(t), relay: tt.relay})
			check(t, s.run(t, append([]string{"switch", flag}, tt.args...)...), tt.want)
		})
	}
}

func TestSwitchAsksTheRightDevice(t *testing.T) {
	type request struct{ ID, Type, Body string }
	var got []request
	s, flag := serve(t, hub{devices: household(t), relay: func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, request{r.PathValue("id"), r.Header.Get("Content-Type"), string(body)})
		settled("on", "")(w, r)
	}})
	s.run(t, "switch", "plug-1:1", "on", flag)
	s.run(t, "switch", "WÄRMEPUMPE", "off", "--wait=1500ms", flag)
	s.run(t, "switch", "WÄRMEPUMPE", "on", "--for=90m", "--lease=5m", flag)
	want := []request{
		{"plug-1:1", "application/json", `{"on":true,"wait":"3s"}`},
		{"sim-heater", "application/json", `{"on":false,"wait":"1.5s"}`},
		{"sim-heater", "application/json", `{"on":true,"for":"1h30m0s","lease":"5m0s","wait":"3s"}`},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSwitchInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		s, flag := serveInBubble(t, hub{devices: household(t), relay: func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			interrupt()
			<-r.Context().Done()
		}})
		s.ctx = ctx
		check(t, s.run(t, "switch", "fridge", "off", flag), result{
			Stderr: "smartmeter: interrupted: Fridge may switch all the same. Look again with `smartmeter devices`\n", Code: 1,
		})
	})
}

// A hub that is gone before it has the command cannot have obeyed it.
func TestSwitchAtAHubThatIsGone(t *testing.T) {
	s, flag := serve(t, hub{devices: household(t), relay: settled("on", "")})
	s.transport = &goneAfter{next: s.transport, left: 1}
	check(t, s.run(t, "switch", "fridge", "on", flag), result{Stderr: "cannot reach the hub at", Code: 6})
}

// goneAfter is a way to a hub that is there for a few requests.
type goneAfter struct {
	next http.RoundTripper
	left int
}

func (g *goneAfter) RoundTrip(r *http.Request) (*http.Response, error) {
	if g.left--; g.left < 0 {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	return g.next.RoundTrip(r)
}
