package cli_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
)

const (
	oneHeld = `{"findings":[
{"at":"2026-11-01T07:00:00.25Z","kind":"first","held_wh":0,"reason":"","decision":""},
{"at":"2026-11-02T07:00:00.5Z","kind":"jump","held_wh":215000,"reason":"more than 26 kW could have used in the time","decision":""},
{"at":"2026-11-03T07:00:00Z","kind":"jump","held_wh":1000,"reason":"more than the measured power accounts for","decision":"discard"}]}`
	journal = `{"corrections":[
{"id":"AAAABBBB1","made":"2026-11-03T08:00:00Z","by":"Ada","why":"the kiln","kind":"accept","device":"kiln","node":"n","channel":0,"from":"2026-11-02T07:00:00.5Z"},
{"id":"AAAACCCC2","made":"2026-11-03T09:00:00Z","by":"Bob","why":"no \u001b[2Jkiln","kind":"undo","channel":0,"target":"AAAABBBB1"},
{"id":"DDDDDDDD3","made":"2026-11-03T10:00:00Z","by":"Ada","why":"read it","kind":"set","device":"kiln","channel":0,"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z","wh":1500}]}`
)

// correctionHub takes corrections, and notes what was entered.
func correctionHub(t *testing.T, findings string, status int, answer string) (hub http.Handler, entered *map[string]any) {
	t.Helper()
	entered = new(map[string]any)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/devices", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, household(t)) })
	mux.HandleFunc("GET /api/v1/devices/sim-fridge/energy/findings", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, findings) })
	mux.HandleFunc("GET /api/v1/settings", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, `{"zone":"","currency":"","prices":[]}`)
	})
	mux.HandleFunc("GET /api/v1/corrections", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, journal) })
	mux.HandleFunc("POST /api/v1/corrections", func(w http.ResponseWriter, r *http.Request) {
		if err := json.NewDecoder(r.Body).Decode(entered); err != nil {
			t.Error(err)
		}
		w.WriteHeader(status)
		io.WriteString(w, answer)
	})
	return mux, entered
}

func TestCorrect(t *testing.T) {
	handler, entered := correctionHub(t, oneHeld, 200, `{"id":"NEWENTRY","made":"2026-11-04T00:00:00Z"}`)
	s, flag := serve(t, handler)
	for _, tt := range []struct {
		line string
		says string
		body string
	}{
		{
			"accept fridge", "Fridge: 215.000 kWh found at 2026-11-02T08:00:00.5+01:00 are counted.",
			`{"kind":"accept","device":"sim-fridge","from":"2026-11-02T07:00:00.5Z"}`,
		},
		{
			"discard fridge --at 2026-11-02T08:00:00.5+01:00", "Fridge: 215.000 kWh found at 2026-11-02T08:00:00.5+01:00 stay uncounted.",
			`{"kind":"discard","device":"sim-fridge","from":"2026-11-02T07:00:00.5Z"}`,
		},
		{
			"accept fridge --at 2026-11-03T08:00", "Fridge: 1.000 kWh found at 2026-11-03T08:00:00+01:00 are counted.", // decided before, and now otherwise
			`{"kind":"accept","device":"sim-fridge","from":"2026-11-03T07:00:00Z"}`,
		},
		{
			"set fridge 1.25 --from 2026-10-24 --to 2026-10-26 --tz Europe/Berlin", "Fridge used 1.250 kWh from 2026-10-24T00:00:00+02:00 to 2026-10-26T00:00:00+01:00.",
			`{"kind":"set","device":"sim-fridge","from":"2026-10-24T00:00:00+02:00","to":"2026-10-26T00:00:00+01:00","wh":1250}`,
		},
		{
			"set fridge 0 --from 2026-11-01T08:15 --to 2026-11-01T08:30", "Fridge used 0.000 kWh from 2026-11-01T08:15:00+01:00 to 2026-11-01T08:30:00+01:00.",
			`{"kind":"set","device":"sim-fridge","from":"2026-11-01T08:15:00+01:00","to":"2026-11-01T08:30:00+01:00","wh":0}`,
		},
		{
			"reset fridge --at 2026-11-01T08:00:07Z", "Fridge: the register counts from 0 since 2026-11-01T09:00:07+01:00.",
			`{"kind":"reset","device":"sim-fridge","from":"2026-11-01T08:00:07Z"}`,
		},
		{
			"replace fridge --at 2026-11-01", "Fridge: the register counts from what its first reading shows since 2026-11-01T00:00:00+01:00.",
			`{"kind":"replace","device":"sim-fridge","from":"2026-11-01T00:00:00+01:00"}`,
		},
		{
			"replace fridge --at 2026-11-01 --kwh 12345.678", "Fridge: the register counts from 12345.678 kWh since 2026-11-01T00:00:00+01:00.",
			`{"kind":"replace","device":"sim-fridge","from":"2026-11-01T00:00:00+01:00","wh":12345678}`,
		},
		{
			"bind fridge --node ESP32-1 --channel 2 --at 2026-11-01", "Fridge is measured by input 2 of ESP32-1 since 2026-11-01T00:00:00+01:00.",
			`{"kind":"bind","device":"sim-fridge","node":"ESP32-1","channel":2,"from":"2026-11-01T00:00:00+01:00"}`,
		},
		{
			"undo dddd", "The entry of Ada (set: read it) is undone.",
			`{"kind":"undo","target":"DDDDDDDD3"}`,
		},
	} {
		t.Run(tt.line, func(t *testing.T) {
			*entered = nil
			args := append([]string{"correct"}, strings.Fields(tt.line)...)
			check(t, s.run(t, append(args, "--by=Ada", "--why=because", flag)...), result{Stdout: tt.says + "\nTo take it back: smartmeter correct undo NEWENTRY\n"})
			var want map[string]any
			if err := json.Unmarshal([]byte(tt.body), &want); err != nil {
				t.Fatal(err)
			}
			want["by"], want["why"] = "Ada", "because"
			if d := cmp.Diff(want, *entered); d != "" {
				t.Errorf("entered (-want +got):\n%s", d)
			}
		})
	}
	if got := s.run(t, "correct", "reset", "fridge", "--at=2026-11-01", "--by=Ada", "--why=x", "--json", flag); !strings.Contains(got.Stdout, `"id": "NEWENTRY"`) {
		t.Errorf("--json prints %s", got.Stdout)
	}
}

func TestCorrectNamesWhatIsWrong(t *testing.T) {
	handler, entered := correctionHub(t, strings.ReplaceAll(oneHeld, `"discard"`, `""`), 422,
		`{"title":"Unprocessable Entity","detail":"is not possible","errors":[{"location":"body.from","message":"is not possible"}]}`)
	s, flag := serve(t, handler)
	for _, tt := range []struct {
		line, says string
		code       int
	}{
		{"accept fridge", "2 findings of Fridge wait for a decision: name one with --at, like --at 2026-11-02T08:00:00.5+01:00", 2},
		{"accept fridge --at 2026-11-02", "--at 2026-11-02: no energy of Fridge is held there; list what was found with `smartmeter correct findings`", 3},
		{"accept fridge --at noon", `--at "noon": give a time like`, 2},
		{"accept toaster", "there is no device", 3},
		{"set fridge 1 --from x --to 2026-01-01", `--from "x": give a time like`, 2},
		{"set fridge 1 --from 2026-01-01 --to x", `--to "x": give a time like`, 2},
		{"set fridge 1.2345 --from 2026-01-01 --to 2026-01-02", "three digits after the point at most", 2},
		{"set fridge -1 --from 2026-01-01 --to 2026-01-02", "unknown flag -1", 2},
		{"set fridge 1,5 --from 2026-01-01 --to 2026-01-02", "give kWh like 12.5", 2},
		{"set fridge 1 --to 2026-01-01", "missing flags: --from=TIME", 2},
		{"set fridge 1 --from 2026-01-01 --to 2026-01-02", "--from: is not possible", 2},
		{"reset fridge --at 2026-01-01", "--at: is not possible", 2},
		{"reset fridge --at 2026-01-01 --tz Mars", `--tz "Mars" is no time zone`, 2},
		{"bind fridge --at 2026-01-01", "missing flags: --node=NODE", 2},
		{"bind fridge --node n --at 2026-01-01", "--at: is not possible", 2},
		{"undo aaaa", "the IDs of 2 entries of the journal begin with \"aaaa\"", 2},
		{"undo aaa", "no entry of the journal has the ID \"aaa\"", 3},
	} {
		t.Run(tt.line, func(t *testing.T) {
			*entered = nil
			args := append([]string{"correct"}, strings.Fields(tt.line)...)
			check(t, s.run(t, append(args, "--by=Ada", "--why=because", flag)...), result{Stderr: tt.says, Code: tt.code})
			if refused := strings.Contains(tt.says, "is not possible"); (*entered != nil) != refused {
				t.Errorf("the hub was told %v", *entered)
			}
		})
	}
	t.Setenv("USER", "ada")
	check(t, s.run(t, "correct", "reset", "fridge", "--at=2026-01-01", flag), result{Stderr: "missing flags: --why=TEXT", Code: 2})
}

func TestFindingsAndJournal(t *testing.T) {
	handler, _ := correctionHub(t, oneHeld, 200, `{}`)
	s, flag := serve(t, handler)
	check(t, s.run(t, "correct", "findings", "fridge", flag), result{Stdout: `AT                            KIND   HELD KWH  DECISION  REASON
2026-11-01T08:00:00.25+01:00  first         -  -         -
2026-11-02T08:00:00.5+01:00   jump    215.000  waits     more than 26 kW could have used in the time
2026-11-03T08:00:00+01:00     jump      1.000  discard   more than the measured power accounts for
`})
	check(t, s.run(t, "correct", "list", "--tz=UTC", flag), result{Stdout: `MADE                  BY   WHAT           DEVICE  FROM                    TO                      KWH  STATE     WHY          ID
2026-11-03T08:00:00Z  Ada  accept         kiln    2026-11-02T07:00:00.5Z  -                         -  undone    the kiln     AAAABBBB
2026-11-03T09:00:00Z  Bob  undo AAAABBBB  -       -                       -                         -  in force  no �[2Jkiln  AAAACCCC
2026-11-03T10:00:00Z  Ada  set            kiln    2026-11-01T00:00:00Z    2026-11-02T00:00:00Z  1.500  in force  read it      DDDDDDDD
`})
	for _, what := range [][]string{{"findings", "fridge"}, {"list"}} {
		if got := s.run(t, append(append([]string{"correct"}, what...), "--json", flag)...); !json.Valid([]byte(got.Stdout)) || got.Code != 0 {
			t.Errorf("%v --json: %+v", what, got)
		}
	}
	if got := s.run(t, "correct", "reset", "fridge", "--at=2026-11-01", "--by=Ada", "--why=x", flag); got.Code != 6 || !strings.Contains(got.Stderr, "no entry of the journal") {
		t.Errorf("an answer without an entry: %+v", got)
	}
}

// A hub that falls silent may have heard all the same.
func TestCorrectWithoutAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /api/v1/devices", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, household(t)) })
		mux.HandleFunc("GET /api/v1/settings", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"zone":"UTC"}`) })
		mux.HandleFunc("POST /api/v1/corrections", func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // only then does a server notice that nobody waits
			<-r.Context().Done()
		})
		s, flag := serveInBubble(t, mux)
		got := s.run(t, "correct", "reset", "fridge", "--at=2026-11-01", "--by=Ada", "--why=x", flag)
		check(t, got, result{Stderr: "the entry may be in the journal or not. Look with `smartmeter correct list`", Code: 5})
	})
}
