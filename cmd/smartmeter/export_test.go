package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/parquet-go/parquet-go"
)

// An export is asked for in parts, and is in both forms what the API answers at
// once, to the last digit, over both changes of the clock and for any zone.
func TestExportIsWhatTheAPIAnswers(t *testing.T) {
	w := newEnergyWorld(t, rand.New(rand.NewPCG(5, 0)))
	w.run("price", "set", "0.3199", "--from", "2025-01-01", "--currency", "EUR")
	for _, q := range []struct {
		name, from, to string
		args           []string
		want           func(device, from, to string) [][]string
	}{
		{"readings", "2025-10-20T00:00:01Z", "2025-11-05T00:00:00Z", nil, w.wantReadings("raw", readingHeads)},
		{"sums by minute", "2025-03-20T10:20:30Z", "2025-04-02T00:00:00Z", []string{"--step=1m"}, w.wantReadings("1m", sumHeads)},
		{"sums by quarter hour", "2025-03-17T00:00:00Z", "2025-11-02T13:00:00Z", []string{"--step=15m"}, w.wantReadings("15m", sumHeads)},
		{"energy by quarter hour", "2025-03-20T00:15:00Z", "2025-04-25T00:00:00Z", []string{"--what=energy", "--step=15m"}, w.wantEnergy("15m", "")},
		{"energy by hour", "2025-03-20T00:15:00Z", "2025-11-01T00:00:00Z", []string{"--what=energy", "--step=1h", "--tz=Australia/Lord_Howe"}, w.wantEnergy("1h", "Australia/Lord_Howe")},
		{"energy by month", "2025-01-01", "2025-12-01", []string{"--what=energy", "--step=1mo", "--tz=Europe/Berlin"}, w.wantEnergy("1mo", "Europe/Berlin")},
	} {
		t.Run(q.name, func(t *testing.T) {
			var want [][]string
			for _, device := range []string{"main", "plug"} {
				want = append(want, q.want(device, q.from, q.to)...)
			}
			for _, form := range []string{"csv", "parquet"} {
				file := filepath.Join(t.TempDir(), "history."+form)
				args := append([]string{"export", "Main meter", "plug", "--from", q.from, "--to", q.to, "-o", file}, q.args...)
				if said := w.run(args...); said != fmt.Sprintf("%s: %d rows of 2 devices\n", file, len(want)) {
					t.Errorf("it said %q, want %d rows", said, len(want))
				}
				got := exported(t, file)
				if diff := cmp.Diff(want, got[1:]); diff != "" {
					t.Errorf("%s (-API +export):\n%.2000s", form, diff)
				}
			}
		})
	}
}

// exported reads a table back, its heads first; absent values are "".
func exported(t *testing.T, file string) (rows [][]string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if strings.HasSuffix(file, ".csv") {
		if rows, err = csv.NewReader(f).ReadAll(); err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] { // of people's texts, CSV has them harmless
			for i := range row {
				row[i] = strings.TrimPrefix(row[i], "'")
			}
		}
		return rows
	}
	r := parquet.NewReader(f)
	defer r.Close()
	var heads []string
	times := make(map[int]bool)
	for i, field := range r.Schema().Fields() {
		heads = append(heads, field.Name())
		if of := field.Type().LogicalType(); of != nil && strings.HasPrefix(of.String(), "TIMESTAMP") {
			if of.String() != "TIMESTAMP(isAdjustedToUTC=true,unit=MILLIS)" {
				t.Errorf("%s is %s", field.Name(), of)
			}
			times[i] = true
		}
	}
	rows = append(rows, heads)
	buffer := make([]parquet.Row, 100)
	for {
		n, err := r.ReadRows(buffer)
		for _, row := range buffer[:n] {
			rows = append(rows, parquetCells(row, times))
		}
		if err != nil {
			return rows
		}
	}
}

func parquetCells(row parquet.Row, times map[int]bool) []string {
	cells := make([]string, len(row))
	for i, v := range row {
		switch {
		case v.IsNull():
		case times[i]:
			cells[i] = time.UnixMilli(v.Int64()).UTC().Format("2006-01-02T15:04:05.999Z07:00")
		case v.Kind() == parquet.Double:
			cells[i] = strconv.FormatFloat(v.Double(), 'f', -1, 64)
		case v.Kind() == parquet.Int64:
			cells[i] = strconv.FormatInt(v.Int64(), 10)
		default:
			cells[i] = string(v.ByteArray())
		}
	}
	return cells
}

// The API's names of the columns, in the order of an export.
var (
	readingHeads = []string{"voltage", "current", "power", "energy_wh", "frequency", "pf"}
	sumHeads     = []string{
		"voltage", "voltage_min", "voltage_max", "current", "current_min", "current_max", "power", "power_min", "power_max",
		"energy_wh", "frequency", "frequency_min", "frequency_max", "pf", "pf_min", "pf_max", "coverage",
	}
)

// wantReadings returns what asks the API for readings, all at once.
func (w *energyWorld) wantReadings(step string, heads []string) func(device, from, to string) [][]string {
	return func(device, from, to string) (rows [][]string) {
		var columns map[string]json.RawMessage
		w.get("/api/v1/devices/"+device+"/readings?"+url.Values{"from": {from}, "to": {to}, "step": {step}}.Encode(), &columns)
		if columns["next"] != nil {
			w.t.Fatal("the API's answer is not whole: ask for less")
		}
		of := func(name string) (values []json.RawMessage) {
			if err := json.Unmarshal(columns[name], &values); err != nil {
				w.t.Fatal(err)
			}
			return values
		}
		for _, at := range of("t") {
			ms, _ := strconv.ParseInt(string(at), 10, 64)
			rows = append(rows, []string{device, energyHousehold[smartmeter.DeviceID(device)].Name, time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z07:00")})
		}
		for _, head := range heads {
			for i, v := range of(head) {
				rows[i] = append(rows[i], strings.Replace(string(v), "null", "", 1))
			}
		}
		return rows
	}
}

// wantEnergy returns what asks the API for energy, all at once.
func (w *energyWorld) wantEnergy(step, zone string) func(device, from, to string) [][]string {
	return func(device, from, to string) (rows [][]string) {
		type bucket struct {
			From, To      time.Time
			Wh            json.Number
			Quality, Cost string
			Missing       json.Number `json:"missing_s"`
		}
		var answer struct {
			Currency string
			Devices  []struct{ Buckets []bucket }
		}
		query := url.Values{"device": {device}, "from": {from}, "to": {to}, "step": {step}}
		if zone != "" {
			query.Set("tz", zone)
		}
		w.get("/api/v1/energy?"+query.Encode(), &answer)
		utc := func(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z07:00") }
		for _, b := range answer.Devices[0].Buckets {
			wh, cost, currency := b.Wh.String(), b.Cost, ""
			if b.Quality == "absent" {
				wh, cost = "", ""
			}
			if cost != "" {
				currency = answer.Currency
			}
			name := energyHousehold[smartmeter.DeviceID(device)].Name
			rows = append(rows, []string{device, name, utc(b.From), utc(b.To), wh, b.Quality, b.Missing.String(), cost, currency})
		}
		if !slices.ContainsFunc(rows, func(r []string) bool { return r[8] == "EUR" }) {
			w.t.Error("nothing costs anything: this tests no costs")
		}
		return rows
	}
}
