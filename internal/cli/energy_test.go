package cli_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// used is a hub's answer about two hours of a meter with a fridge behind it.
const used = `{"devices":[
{"id":"main","name":"Main","wh":300,"buckets":[{"from":"2026-10-25T02:00:00+02:00","wh":100,"quality":"measured"},{"from":"2026-10-25T02:00:00+01:00","wh":200,"quality":"interpolated"}],
 "unmetered":[{"from":"2026-10-25T02:00:00+02:00","wh":40,"quality":"measured"},{"from":"2026-10-25T02:00:00+01:00","wh":-1,"quality":"interpolated"}]},
{"id":"fridge","name":"\u001b[2JFridge","wh":261,"buckets":[{"from":"2026-10-25T02:00:00+02:00","wh":60,"quality":"measured"},{"from":"2026-10-25T02:00:00+01:00","wh":201,"quality":"absent"}]}],
"house":{"wh":300,"buckets":[{"from":"2026-10-25T02:00:00+02:00","wh":100,"quality":"measured"},{"from":"2026-10-25T02:00:00+01:00","wh":200,"quality":"interpolated"}]}}`

// energyHub answers questions about energy, and notes them.
func energyHub(t *testing.T, status int, answer string) (hub http.Handler, asked *string) {
	t.Helper()
	asked = new(string)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/devices", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, household(t)) })
	mux.HandleFunc("GET /api/v1/energy", func(w http.ResponseWriter, r *http.Request) {
		*asked = r.URL.RawQuery
		w.WriteHeader(status)
		io.WriteString(w, answer)
	})
	return mux, asked
}

func TestEnergy(t *testing.T) {
	handler, asked := energyHub(t, 200, used)
	s, flag := serve(t, handler)
	check(t, s.run(t, "energy", "fridge", "wärmepumpe", "--from=2026-10-25", "--to=2026-10-26", "--step=1h", "--tz=Europe/Berlin", flag), result{
		Stdout: `FROM                       NAME                KWH  QUALITY
2026-10-25T02:00:00+02:00  Main              0.100  measured
2026-10-25T02:00:00+02:00  Main, unmetered   0.040  measured
2026-10-25T02:00:00+02:00  �[2JFridge        0.060  measured
2026-10-25T02:00:00+02:00  the house         0.100  measured
2026-10-25T02:00:00+01:00  Main              0.200  interpolated
2026-10-25T02:00:00+01:00  Main, unmetered  -0.001  interpolated
2026-10-25T02:00:00+01:00  �[2JFridge        0.201  absent
2026-10-25T02:00:00+01:00  the house         0.200  interpolated
`,
	})
	if want := "device=sim-fridge&device=sim-heater&from=2026-10-25&step=1h&to=2026-10-26&tz=Europe%2FBerlin"; *asked != want {
		t.Errorf("asked for %s, want %s", *asked, want)
	}
	s.run(t, "energy", flag)
	if *asked != "step=whole" {
		t.Errorf("without any flag it asked for %s", *asked)
	}
	if got := s.run(t, "energy", "--json", flag); !strings.Contains(got.Stdout, `"quality": "interpolated"`) {
		t.Errorf("--json prints %s", got.Stdout)
	}
}

func TestEnergyRefused(t *testing.T) {
	handler, _ := energyHub(t, 422, `{"title":"Unprocessable Entity","detail":"is no time zone","errors":[{"location":"query.tz","message":"is no time zone"}]}`)
	s, flag := serve(t, handler)
	check(t, s.run(t, "energy", "--tz=Mars", flag), result{Stderr: "smartmeter: query.tz: is no time zone\n", Code: 2})
	check(t, s.run(t, "energy", "fridgee", flag), result{Stderr: `did you mean "Fridge"?`, Code: 3})
}

func TestEnergyAsCSV(t *testing.T) {
	handler, _ := energyHub(t, 200, `{"devices":[
{"id":"main","name":"=Main","buckets":[{"from":"2026-10-25T02:00:00+02:00","to":"2026-10-25T02:00:00+01:00","wh":100,"quality":"measured","missing_s":0}],
 "unmetered":[{"from":"2026-10-25T02:00:00+02:00","to":"2026-10-25T02:00:00+01:00","wh":-1,"quality":"interpolated"}]}],
"rooms":[{"room":"Bath, \"big\"","buckets":[{"from":"2026-10-25T02:00:00+02:00","to":"2026-10-25T02:00:00+01:00","wh":7,"quality":"absent","missing_s":3600}]}],
"house":{"buckets":[{"from":"2026-10-25T02:00:00+02:00","to":"2026-10-25T02:00:00+01:00","wh":100,"quality":"measured"}]}}`)
	s, flag := serve(t, handler)
	check(t, s.run(t, "energy", "--csv", flag), result{Stdout: `of,id,name,from,to,wh,quality,missing_s
device,main,'=Main,2026-10-25T02:00:00+02:00,2026-10-25T02:00:00+01:00,100,measured,0
unmetered,main,'=Main,2026-10-25T02:00:00+02:00,2026-10-25T02:00:00+01:00,-1,interpolated,0
room,,"Bath, ""big""",2026-10-25T02:00:00+02:00,2026-10-25T02:00:00+01:00,7,absent,3600
house,,,2026-10-25T02:00:00+02:00,2026-10-25T02:00:00+01:00,100,measured,0
`})
	check(t, s.run(t, "energy", "--csv", "--json", flag), result{Stderr: "can't be used together", Code: 2})
}

func TestEnergyWithItsCost(t *testing.T) {
	const bucket = `"from":"2026-11-01T00:00:00Z","to":"2026-11-02T00:00:00Z","quality":"measured","missing_s":0`
	handler, _ := energyHub(t, 200, `{"currency":"EUR","devices":[
{"id":"main","name":"Main","buckets":[{"wh":12000,"cost":"3.84",`+bucket+`}],"unmetered":[{"wh":10,"cost":"0.00",`+bucket+`}]},
{"id":"old","name":"Old","buckets":[{"wh":1,`+bucket+`}]}]}`)
	s, flag := serve(t, handler)
	check(t, s.run(t, "energy", flag), result{Stdout: `FROM                  NAME                KWH   EUR  QUALITY
2026-11-01T00:00:00Z  Main             12.000  3.84  measured
2026-11-01T00:00:00Z  Main, unmetered   0.010  0.00  measured
2026-11-01T00:00:00Z  Old               0.001     -  measured
`})
	check(t, s.run(t, "energy", "--csv", flag), result{Stdout: `of,id,name,from,to,wh,quality,missing_s,cost,currency
device,main,Main,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,12000,measured,0,3.84,EUR
unmetered,main,Main,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,10,measured,0,0.00,EUR
device,old,Old,2026-11-01T00:00:00Z,2026-11-02T00:00:00Z,1,measured,0,,EUR
`})
}
