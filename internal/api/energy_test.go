package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// draws plays a node that has been drawing 1.2 kW for the last two hours, and
// then shows 5 kWh more than it can have used.
func (l *lab) draws() (from, jump time.Time) {
	end := time.Now().Truncate(time.Minute)
	from = end.Add(-2 * time.Hour)
	jump = end.Add(-30 * time.Minute)
	l.says("kettle/info", fmt.Sprintf(`{"proto":1,"boot":"0000beef","t":%d,"caps":["relay"]}`, 2*time.Hour.Milliseconds()))
	seq := 0
	for at := from; at.Before(end); at = at.Add(10 * time.Second) {
		seq++
		wh := 1000 + seq*10/3
		if !at.Before(jump) {
			wh += 90_000
		}
		l.says("kettle/pzem/metrics", fmt.Sprintf(
			`{"voltage":230.1,"current":5.2,"power":1200.0,"frequency":50,"pf":1,"energy_wh":%d,"boot":"0000beef","seq":%d,"first":1,"t":%d,"at":%d}`,
			wh, seq, at.Sub(from).Milliseconds(), at.UnixMilli()))
	}
	return from, jump
}

func (l *lab) wh(query string) float64 {
	l.t.Helper()
	status, got := l.call("GET", "/api/v1/energy?device=kettle&from=2026-01-01"+query, "")
	if status != 200 {
		l.t.Fatal(status, got)
	}
	return dig(got, "devices", 0, "wh").(float64)
}

func TestEnergyIsHeldAcceptedAndUndone(t *testing.T) {
	l := newLab(t)
	l.draws()
	before := l.wh("")
	if before < 2300 || before > 2400 {
		t.Errorf("%v Wh, want 1.2 kW for two hours", before)
	}
	for _, step := range []string{"15m", "1h", "1d", "1w", "1mo"} {
		if got := l.wh("&tz=Asia/Kathmandu&step=" + step); got != before {
			t.Errorf("in steps of %s %v Wh, want %v", step, got, before)
		}
	}
	_, got := l.call("GET", "/api/v1/devices/kettle/energy/findings", "")
	jump, _ := dig(got, "findings", 1).(map[string]any)
	held, _ := jump["held_wh"].(float64)
	if jump["kind"] != "jump" || held < 90_000 || jump["reason"] == "" {
		t.Fatalf("findings %v, want a jump of 90 kWh", got)
	}
	status, made := l.call("POST", "/api/v1/corrections", fmt.Sprintf(
		`{"kind":"accept","device":"kettle","from":%q,"by":"Ada","why":"the kiln"}`, jump["at"]))
	if status != 200 || l.wh("") != before+held {
		t.Errorf("accepted: %d %v; %v Wh, want %v", status, made, l.wh(""), before+held)
	}
	undo := "/api/v1/corrections/" + made["id"].(string) + "?by=Ada&why=" + url.QueryEscape("no kiln")
	if status, got := l.call("DELETE", undo, ""); status != 200 || l.wh("") != before {
		t.Errorf("undone: %d %v; %v Wh, want %v", status, got, l.wh(""), before)
	}
	_, got = l.call("GET", "/api/v1/corrections", "")
	if kinds := []any{dig(got, "corrections", 0, "kind"), dig(got, "corrections", 1, "kind")}; !cmp.Equal(kinds, []any{"accept", "undo"}) {
		t.Errorf("the journal has %v", got)
	}
}

func TestEnergyShape(t *testing.T) {
	l := newLab(t)
	l.kettle()
	status, got := l.call("GET", "/api/v1/energy?from=2026-03-29&to=2026-03-30&step=1d&tz=Europe/Berlin", "")
	bucket := map[string]any{"from": "2026-03-29T00:00:00+01:00", "to": "2026-03-30T00:00:00+02:00", "wh": 0.0, "quality": "absent", "missing_s": 82800.0}
	sum := map[string]any{"wh": 0.0, "buckets": []any{bucket}}
	want := map[string]any{
		"from": bucket["from"], "to": bucket["to"], "step": "1d", "tz": "Europe/Berlin",
		"devices": []any{map[string]any{"id": "kettle", "name": "kettle", "room": "", "parent": "", "wh": 0.0, "buckets": []any{bucket}}},
		"house":   sum,
	}
	if d := cmp.Diff(want, got); status != 200 || d != "" {
		t.Errorf("%d, (-want +got):\n%s", status, d)
	}
	if _, got := l.call("GET", "/api/v1/devices/kettle/energy?from=2026-03-29&to=2026-03-30&tz=Europe/Berlin", ""); !cmp.Equal(got, any(sum)) && cmp.Diff(sum, got) != "" {
		t.Errorf("one device: %v", got)
	}
}

func TestEnergyNamesWhatIsWrong(t *testing.T) {
	l := newLab(t)
	l.kettle()
	for _, tt := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/energy?tz=Mars/Base", "", 422, "query.tz"},
		{"GET", "/energy?tz=Local", "", 422, "query.tz"},
		{"GET", "/energy?from=yesterday", "", 422, "query.from"},
		{"GET", "/energy?from=2026-02-02&to=2026-02-01", "", 422, "query.to"},
		{"GET", "/energy?from=1969-02-02", "", 422, "query.from"},
		{"GET", "/energy?from=2001-01-01&to=2026-01-01&step=15m", "", 422, "query.step"},
		{"GET", "/energy?step=2h", "", 422, "query.step"},
		{"GET", "/energy?device=nobody", "", 404, "device"},
		{"GET", "/devices/nobody/energy", "", 404, "device"},
		{"GET", "/devices/nobody/energy/findings", "", 404, "device"},
		{"POST", "/corrections", `{"kind":"accept","device":"kettle","from":"2026-06-01T00:00:00Z","by":"Ada","why":"x"}`, 404, "body.from"},
		{"POST", "/corrections", `{"kind":"set","device":"kettle","from":"2026-06-01T00:00:00Z","to":"2026-06-01T00:15:00Z","by":"Ada","why":"x"}`, 422, "body.wh"},
		{"POST", "/corrections", `{"kind":"set","device":"kettle","wh":1,"from":"2026-06-01T00:00:00Z","to":"2026-06-01T00:10:00Z","by":"Ada","why":"x"}`, 422, "body.to"},
		{"POST", "/corrections", `{"kind":"reset","device":"kettle","by":"Ada","why":"x"}`, 422, "body.from"},
		{"POST", "/corrections", `{"kind":"replace","device":"kettle","wh":200000000000,"from":"2026-06-01T00:00:00Z","by":"Ada","why":"x"}`, 422, "body.wh"},
		{"POST", "/corrections", `{"kind":"guess","device":"kettle","by":"Ada","why":"x"}`, 422, "body.kind"},
		{"POST", "/corrections", `{"kind":"reset","device":"kettle","from":"2026-06-01T00:00:00Z","why":"x"}`, 422, "by"},
		{"DELETE", "/corrections/x?by=Ada&why=x", "", 404, "path.target"},
	} {
		status, got := l.call(tt.method, "/api/v1"+tt.path, tt.body)
		if text := fmt.Sprint(got); status != tt.status || !strings.Contains(text, tt.says) {
			t.Errorf("%s %s %s: %d %s; want %d about %s", tt.method, tt.path, tt.body, status, text, tt.status, tt.says)
		}
	}
}

func TestEnergyHasACost(t *testing.T) {
	l := newLab(t)
	l.draws()
	wh := l.wh("")
	if _, got := l.call("GET", "/api/v1/energy?from=2026-01-01", ""); dig(got, "currency") != nil || dig(got, "devices", 0, "cost") != nil {
		t.Errorf("before anybody said what energy costs: %v", got)
	}
	prices := `{"currency":"EUR","prices":[{"from":"2025-01-01","per_kwh":"0.50"}]}`
	if status, got := l.call("PUT", "/api/v1/settings", prices); status != 200 {
		t.Fatal(status, got)
	}
	want := map[string]any{"zone": "", "currency": "EUR", "prices": []any{map[string]any{"from": "2025-01-01", "per_kwh": "0.50"}}}
	if _, got := l.call("GET", "/api/v1/settings", ""); cmp.Diff(want, got) != "" {
		t.Errorf("settings (-want +got):\n%s", cmp.Diff(want, got))
	}
	// At 0.50 a kWh a Wh is 5 hundredths of a cent: whole figures, no float.
	cents := (int64(wh)*5 + 50) / 100
	cost := fmt.Sprintf("%d.%02d", cents/100, cents%100)
	_, got := l.call("GET", "/api/v1/energy?from=2026-01-01", "")
	for what, path := range map[string][]any{
		"currency": {"currency"}, "device": {"devices", 0, "cost"}, "bucket": {"devices", 0, "buckets", 0, "cost"}, "house": {"house", "cost"},
	} {
		want := cost
		if what == "currency" {
			want = "EUR"
		}
		if dig(got, path...) != want {
			t.Errorf("%s: %v, want %s", what, dig(got, path...), want)
		}
	}
	if _, got := l.call("GET", "/api/v1/devices/kettle/energy?from=2026-01-01", ""); dig(got, "cost") != cost || dig(got, "currency") != "EUR" {
		t.Errorf("one device: %v", got)
	}
	if status, got := l.call("PUT", "/api/v1/settings", `{"currency":"","prices":[]}`); status != 200 || l.costs() {
		t.Errorf("without prices again: %d %v", status, got)
	}
}

// costs reports whether there is a cost in an answer about energy.
func (l *lab) costs() bool {
	_, got := l.call("GET", "/api/v1/energy?from=2026-01-01", "")
	return dig(got, "house", "cost") != nil || dig(got, "currency") != nil
}

func TestSettingsNameWhatIsWrong(t *testing.T) {
	l := newLab(t)
	for body, field := range map[string]string{
		`{"currency":"EUR","prices":[{"from":"2025-01-01","per_kwh":"0,32"}]}`:                                                      "body.prices[0].per_kwh",
		`{"currency":"EUR","prices":[{"from":"2025-01-01","per_kwh":"-1"}]}`:                                                        "body.prices[0].per_kwh",
		`{"currency":"EUR","prices":[{"from":"tomorrow","per_kwh":"1"}]}`:                                                           "body.prices[0].from",
		`{"currency":"EUR","prices":[{"from":"2025-01-01","per_kwh":"1"},{"from":"2025-01-01","per_kwh":"2"}]}`:                     "body.prices[1].from",
		`{"currency":"euro","prices":[]}`:                                                                                           "body.currency",
		`{"currency":"","prices":[{"from":"2025-01-01","per_kwh":"1"}]}`:                                                            "body.currency",
		`{"currency":"EUR","prices":[{"from":"2025-01-01","per_kwh":0.32}]}`:                                                        "body.prices[0].per_kwh",
		`{"currency":"EUR","prices":[` + strings.Repeat(`{"from":"2025-01-01","per_kwh":"1"},`, 200) + `{"from":"","per_kwh":""}]}`: "body.prices",
		`{"zone":"Mars/Base","currency":"EUR","prices":[{"from":"2025-01-01","per_kwh":"1"}]}`:                                      "body.zone",
		`{"zone":"Local"}`:  "body.zone",
		`{"zone":7}`:        "body.zone",
		`{"city":"Berlin"}`: "body.city",
	} {
		status, got := l.call("PUT", "/api/v1/settings", body)
		if status != 422 || dig(got, "errors", 0, "location") != field {
			t.Errorf("%.80s: %d %v, want %s", body, status, got, field)
		}
	}
	if _, got := l.call("GET", "/api/v1/settings", ""); cmp.Diff(map[string]any{"zone": "", "currency": "", "prices": []any{}}, got) != "" {
		t.Errorf("something of that was kept: %v", got)
	}
}

// Days are those of the site's zone unless a question names another.
func TestEnergyIsByTheClockOfTheSite(t *testing.T) {
	l := newLab(t)
	l.draws()
	for _, zone := range []string{"Asia/Kathmandu", "America/New_York", "Europe/Berlin"} {
		if status, got := l.call("PUT", "/api/v1/settings", `{"zone":"`+zone+`"}`); status != 200 || dig(got, "zone") != zone {
			t.Fatalf("PUT zone %s: %d %v", zone, status, got)
		}
		_, own := l.call("GET", "/api/v1/energy?from=2026-03-29&to=2026-03-30&step=1d", "")
		_, named := l.call("GET", "/api/v1/energy?from=2026-03-29&to=2026-03-30&step=1d&tz="+zone, "")
		if diff := cmp.Diff(named, own); diff != "" || dig(own, "tz") != zone {
			t.Errorf("in %s (-named +unnamed):\n%s", zone, diff)
		}
		if _, today := l.call("GET", "/api/v1/energy", ""); dig(today, "tz") != zone || !strings.Contains(fmt.Sprint(dig(today, "from")), "T00:00:00") {
			t.Errorf("today in %s begins at %v", zone, dig(today, "from"))
		}
	}
	if status, got := l.call("PUT", "/api/v1/settings", `{"currency":"EUR"}`); status != 200 || dig(got, "zone") != "Europe/Berlin" {
		t.Errorf("a currency alone: %d %v; want the zone as it was", status, got)
	}
}

// What Prometheus counts is what the ledger does: a jump of the register is no
// use, and a correction begins a series of its own.
func TestMetricsCountWhatTheLedgerDoes(t *testing.T) {
	l := newLab(t)
	l.draws()
	l.noon()
	_, found := l.call("GET", "/api/v1/devices/kettle/energy/findings", "")
	counted := func(corrections int, wh float64) {
		t.Helper()
		labels := `device="kettle",name="kettle",room=""`
		today := l.today()
		for _, line := range []string{
			fmt.Sprintf(`smartmeter_energy_joules_total{%s,corrections="%d"} %.0f`, labels, corrections, wh*3600),
			fmt.Sprintf(`smartmeter_energy_today_joules{%s} %.0f`, labels, today*3600),
			fmt.Sprintf(`smartmeter_house_energy_today_joules %.0f`, today*3600),
			fmt.Sprintf(`smartmeter_register_joules{%s} %.0f`, labels, float64(1000+7200/3+90_000)*3600),
		} {
			if text := l.scrape(); !strings.Contains(text, line+"\n") {
				t.Errorf("no line %q in\n%s", line, text)
			}
		}
	}
	before := l.wh("")
	counted(0, before)
	decision := fmt.Sprintf(`{"kind":"accept","device":"kettle","from":%q,"by":"Ada","why":"the kiln"}`, dig(found, "findings", 1, "at"))
	if status, got := l.call("POST", "/api/v1/corrections", decision); status != 200 {
		t.Fatal(status, got)
	}
	if l.wh("") < before+90_000 {
		t.Errorf("accepted: %v Wh", l.wh(""))
	}
	counted(1, l.wh(""))
}

// noon moves the site to where it is about noon, so that the last hours are of
// today.
func (l *lab) noon() {
	l.t.Helper()
	zone := fmt.Sprintf("Etc/GMT%+d", time.Now().UTC().Hour()-12) // + is west there
	if status, got := l.call("PUT", "/api/v1/settings", `{"zone":"`+zone+`"}`); status != 200 {
		l.t.Fatal(status, got)
	}
}

// today is what the kettle has used since midnight.
func (l *lab) today() float64 {
	l.t.Helper()
	_, got := l.call("GET", "/api/v1/energy", "")
	return dig(got, "devices", 0, "wh").(float64)
}
