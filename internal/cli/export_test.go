package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// historyHub has two pages of readings of every device, and energy; it notes what
// it is asked, and answers nothing from the question number fails on.
func historyHub(t *testing.T, fails int) (hub http.Handler, asked *[]string) {
	t.Helper()
	asked = new([]string)
	mux := http.NewServeMux()
	answer := func(pattern string, say func(r *http.Request) string) {
		mux.HandleFunc("GET "+pattern, func(w http.ResponseWriter, r *http.Request) {
			*asked = append(*asked, r.URL.String())
			if len(*asked) == fails {
				w.WriteHeader(http.StatusServiceUnavailable)
				io.WriteString(w, `{"title":"Service Unavailable","detail":"the disk fails"}`)
				return
			}
			w.Header().Set("Date", "Mon, 30 Nov 2026 12:00:00 GMT")
			io.WriteString(w, say(r))
		})
	}
	answer("/api/v1/devices", func(*http.Request) string { return household(t) })
	answer("/api/v1/devices/{id}/readings", func(r *http.Request) string {
		switch q := r.URL.Query(); {
		case q.Get("step") == "1h":
			return `{"t":[1764547200000],"voltage":[230.04],"voltage_min":[229.1],"voltage_max":[null],"energy_wh":[12345],"coverage":[0.25]}`
		case q.Get("page") == "":
			return `{"t":[1764547200000,1764547205001],"voltage":[230.1,null],"current":[0.004,0],"power":[0,83.2],"energy_wh":[12345,null],"frequency":[50,49.9],"pf":[null,0.88],"next":"` + r.URL.Path + `?page=2"}`
		default:
			return `{"t":[1764547210000],"voltage":[null],"current":[null],"power":[null],"energy_wh":[null],"frequency":[null],"pf":[null]}`
		}
	})
	answer("/api/v1/energy", func(r *http.Request) string {
		return `{"from":"2026-10-25T00:00:00+02:00","currency":"EUR","devices":[{"id":"x","buckets":[
{"from":"2026-10-25T00:00:00+02:00","to":"2026-10-26T00:00:00+01:00","wh":913,"quality":"measured","missing_s":0,"cost":"0.29"},
{"from":"2026-10-26T00:00:00+01:00","to":"2026-10-27T00:00:00+01:00","wh":0,"quality":"absent","missing_s":86400}],
"unmetered":[{"from":"2026-10-25T00:00:00+02:00","to":"2026-10-26T00:00:00+01:00","wh":-3,"quality":"interpolated"}]}]}`
	})
	return mux, asked
}

func TestExportReadings(t *testing.T) {
	hub, asked := historyHub(t, 0)
	s, flag := serve(t, hub)
	got := s.run(t, "export", "fridge", "wärmepumpe", "--from=2025-12-01T01:00:00+01:00", "--to=2025-12-02T00:00:00Z", flag)
	if got.Code != 0 || got.Stderr != "" {
		t.Fatalf("%+v", got)
	}
	golden(t, "export-readings.golden", got.Stdout)
	want := []string{
		"/api/v1/devices",
		"/api/v1/devices/sim-fridge/readings?from=2025-12-01T00%3A00%3A00Z&limit=20000&step=raw&to=2025-12-02T00%3A00%3A00Z",
		"/api/v1/devices/sim-fridge/readings?page=2",
		"/api/v1/devices/sim-heater/readings?from=2025-12-01T00%3A00%3A00Z&limit=20000&step=raw&to=2025-12-02T00%3A00%3A00Z",
		"/api/v1/devices/sim-heater/readings?page=2",
	}
	if diff := cmp.Diff(want, *asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestExportSums(t *testing.T) {
	hub, asked := historyHub(t, 0)
	s, flag := serve(t, hub)
	got := s.run(t, "export", "fridge", "--step=1h", "--from=2025-12-01T10:00:00Z", "--to=2026-06-02T00:00:00Z", flag)
	golden(t, "export-sums.golden", got.Stdout)
	if len(*asked) != 3 || !strings.Contains((*asked)[1], "to=2026-05-30T00%3A00%3A00Z") || !strings.Contains((*asked)[2], "from=2026-05-30T00%3A00%3A00Z") {
		t.Errorf("a part does not end at midnight UTC, where the next one begins: %q", *asked)
	}
}

func TestExportEnergy(t *testing.T) {
	hub, asked := historyHub(t, 0)
	s, flag := serve(t, hub)
	got := s.run(t, "export", "fridge", "--what=energy", "--from=2026-10-25", "--tz=Europe/Berlin", flag)
	golden(t, "export-energy.golden", got.Stdout)
	if got.Code != 0 || len(*asked) != 3 || !strings.Contains((*asked)[2], "to=2026-11-30T12%3A15%3A00Z") || !strings.Contains((*asked)[2], "tz=Europe%2FBerlin") {
		t.Errorf("%q asked %q", got.Stderr, *asked)
	}
}

// TestExportIsWholeOrNotThere loses the hub at every question.
func TestExportIsWholeOrNotThere(t *testing.T) {
	for _, form := range []string{"csv", "parquet"} {
		for fails := 1; fails <= 6; fails++ {
			t.Run(fmt.Sprint(form, fails), func(t *testing.T) {
				hub, _ := historyHub(t, fails)
				s, flag := serve(t, hub)
				dir := t.TempDir()
				file := filepath.Join(dir, "history."+form)
				if err := os.WriteFile(file, []byte("last year's"), 0o600); err != nil {
					t.Fatal(err)
				}
				got := s.run(t, "export", "fridge", "wärmepumpe", "--from=2025-12-01T01:00:00Z", "-o", file, flag)
				if fails == 6 { // it asks five times
					check(t, got, result{Stdout: file + ": 6 rows of 2 devices\n"})
				} else {
					check(t, got, result{Stderr: "the disk fails", Code: 6})
				}
				text, err := os.ReadFile(file)
				if err != nil || (string(text) == "last year's") != (fails < 6) {
					t.Errorf("%q, %v", text, err)
				}
				if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
					t.Errorf("it left %v, %v", left, err)
				}
			})
		}
	}
}

func TestExportRefused(t *testing.T) {
	hub, _ := historyHub(t, 0)
	s, flag := serve(t, hub)
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want result
	}{
		{[]string{}, result{Stderr: "missing flags: --from=TIME", Code: 2}},
		{[]string{"--from=today"}, result{Stderr: `--from "today": give a date like 2026-11-01`, Code: 2}},
		{[]string{"--from=2026-11-02T00:00:00Z", "--to=2026-11-01T00:00:00Z"}, result{Stderr: "--from must be before --to", Code: 2}},
		{[]string{"toaster", "--from=2026-11-01"}, result{Stderr: `there is no device "toaster"`, Code: 3}},
		{[]string{"--from=2026-11-01", "--step=1d"}, result{Stderr: "--step 1d: readings come in steps of raw, 1m, 15m, 1h", Code: 2}},
		{[]string{"--from=2026-11-01", "--what=energy", "--step=raw"}, result{Stderr: "--step raw: energy come", Code: 2}},
		{[]string{"--from=2026-11-01", "--format=parquet"}, result{Stderr: "name a file with -o", Code: 2}},
		{[]string{"--from=2026-11-01", "-o", filepath.Join(dir, "x.xlsx")}, result{Stderr: `--format "xlsx": say csv or parquet`, Code: 2}},
		{[]string{"--from=2026-11-01", "-o", filepath.Join(dir, "nowhere", "x.csv")}, result{Stderr: "no such file or directory", Code: 1}},
	} {
		check(t, s.run(t, append(append([]string{"export"}, c.args...), flag)...), c.want)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
}
