package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

var (
	energyPeriods = flag.Int("periods", 1000, "for how many periods TestOneNumberEverywhere asks")
	energySeed    = flag.Uint64("energyseed", 0, "what it does by chance; 0 draws a seed")
)

// What a device used in a period is one number, wherever one asks: a tile of the
// dashboard, its charts and the table of a parent, the API as a whole or in steps,
// for one device or for several, the command line as a table, as JSON and as CSV;
// and /metrics of all until now. The periods lie around both changes of the clock,
// in zones with whole and with half hours.
func TestOneNumberEverywhere(t *testing.T) {
	seed := *energySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-periods=%d -energyseed=%d", *energyPeriods, seed)
	w := newEnergyWorld(t, rand.New(rand.NewPCG(seed, 0)))
	w.page = runPageCode(t)
	t.Run("now", w.sameNow)
	t.Run("in a browser", w.inBrowser)
	for n := range *energyPeriods {
		if n%20 == 0 {
			w.moves()
		}
		p := w.draw()
		if wrong := w.disagreement(p); wrong != "" {
			t.Fatalf("period %d, %v: %s", n, p, wrong)
		}
	}
}

// sameNow compares what the API, /metrics and the command line say of now: of the
// registers, of today and of all that was ever used.
func (w *energyWorld) sameNow(t *testing.T) {
	var devices struct {
		Devices []struct {
			ID     smartmeter.DeviceID
			Name   string
			Latest struct {
				Wh int64 `json:"energy_wh"`
			}
		}
	}
	w.get("/api/v1/devices", &devices)
	metrics := string(w.body("/metrics"))
	table := w.run("devices", "--register")
	for _, d := range devices.Devices {
		today, ever, register := w.told("", d.ID), w.told("from=2000-01-01&", d.ID), toldEnergy{wh: d.Latest.Wh, known: true}
		ever.known = true // a counter is at 0 before it counts
		for name, want := range map[string]toldEnergy{"register_joules": register, "energy_today_joules": today, "energy_joules_total": ever} {
			joules := regexp.MustCompile(`(?m)^smartmeter_` + name + `\{device="` + string(d.ID) + `"[^}]*\} (\d+)$`).FindStringSubmatch(metrics)
			if want.known != (joules != nil) || want.known && joules[1] != fmt.Sprint(want.wh*3600) {
				t.Errorf("%s: %v by the API, /metrics has %v of %s", d.ID, want, joules, name)
			}
		}
		columns := strings.Fields(strings.TrimPrefix(lineOf(table, d.Name), d.Name))
		if n := len(columns); n < 8 || columns[6] != today.kWh() || columns[7] != register.kWh() {
			t.Errorf("%s has used %s today and shows %s, the command line says %q", d.ID, today.kWh(), register.kWh(), columns)
		}
		if shown := w.page.shows(w.body("/api/v1/energy"), string(d.ID)); (shown.Tile != nil) != today.known || today.known && w.page.wattHours(*shown.Tile) != today.wh {
			t.Errorf("%s has used %s today, its tile shows %v", d.ID, today.kWh(), shown.Tile)
		}
	}
	if len(devices.Devices) != len(energyHousehold) {
		t.Errorf("%d devices, want %d", len(devices.Devices), len(energyHousehold))
	}
}

// toldEnergy is what the API tells, if it knows anything.
type toldEnergy struct {
	wh    int64
	known bool
}

func (e toldEnergy) kWh() string {
	if !e.known {
		return "-"
	}
	return fmt.Sprintf("%d.%03d", e.wh/1000, e.wh%1000)
}

// told is what the API tells of a device from some time until now.
func (w *energyWorld) told(from string, id smartmeter.DeviceID) toldEnergy {
	var answer struct {
		Devices []struct {
			Wh      int64
			Buckets []struct{ Quality string }
		}
	}
	w.get("/api/v1/energy?"+from+"device="+string(id), &answer)
	return toldEnergy{answer.Devices[0].Wh, answer.Devices[0].Buckets[0].Quality != "absent"}
}

func lineOf(table, name string) string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, name+" ") {
			return line
		}
	}
	return ""
}

// energyPeriod is a question: what did a device use between two instants.
type energyPeriod struct {
	device   smartmeter.DeviceID // or house
	from, to time.Time
	step     string
}

func (p energyPeriod) String() string {
	return fmt.Sprintf("%q from %s to %s in steps of %s in %v", p.device, p.from.Format(time.RFC3339), p.to.Format(time.RFC3339), p.step, p.from.Location())
}

// moves puts the site into another zone.
func (w *energyWorld) moves() {
	w.settles(w.zones[w.chance.IntN(len(w.zones))].String())
}

// settles puts the site into a zone.
func (w *energyWorld) settles(name string) {
	if _, err := w.hub.hub.ChangeSettings(w.t.Context(), hub.SettingsChange{Zone: &name}); err != nil {
		w.t.Fatal(err)
	}
	w.zone = w.zones[slices.IndexFunc(w.zones, func(z *time.Location) bool { return z.String() == name })]
}

// draw draws a period that begins in the history, at a quarter hour or a
// midnight of the site.
func (w *energyWorld) draw() energyPeriod {
	devices := []smartmeter.DeviceID{house, "main", "fridge", "boiler", "shed", "plug"}
	p := energyPeriod{device: devices[w.chance.IntN(len(devices))]}
	zone := w.zone
	begin := w.begins()[w.chance.IntN(2)].In(zone)
	days := w.chance.IntN(34)
	p.step = []string{"15m", "1h", "1d", "1w", "1mo", "whole"}[w.chance.IntN(6)]
	length := map[string]int{"15m": 3, "1h": 10}[p.step]
	if length == 0 {
		length = 60
	}
	if w.chance.IntN(2) == 0 {
		p.from = time.Date(begin.Year(), begin.Month(), begin.Day()+days, 0, 0, 0, 0, zone)
		p.to = p.from.AddDate(0, 0, 1+w.chance.IntN(length))
		return p
	}
	p.from = begin.Add(time.Duration(days*96+w.chance.IntN(96)) * 15 * time.Minute)
	p.to = p.from.Add(time.Duration(1+w.chance.IntN(length*96)) * 15 * time.Minute)
	return p
}

// disagreement asks everybody, and says who answers something else.
func (w *energyWorld) disagreement(p energyPeriod) string {
	want := w.api(p, "whole")
	for name, ask := range map[string]func(energyPeriod) int64{
		"the API in steps":     func(p energyPeriod) int64 { return w.api(p, p.step) },
		"the API about one":    w.apiOfOne,
		"energy --json":        w.commandLine,
		"the table of energy":  w.table,
		"energy --csv":         w.csv,
		"a tile":               w.tile,
		"a chart":              w.chart,
		"a parent's table":     w.shares,
		"the meter's register": func(p energyPeriod) int64 { return w.register(p, want) },
	} {
		if got := ask(p); got != want {
			return fmt.Sprintf("%s has %d Wh, the API %d", name, got, want)
		}
	}
	return ""
}

// register is what a meter without faults counted, if it was read at both ends,
// and otherwise what others say.
func (w *energyWorld) register(p energyPeriod, others int64) int64 {
	first, began := w.edges[smartmeter.NodeID(p.device)][smartmeter.InstantOf(p.from)]
	last, ended := w.edges[smartmeter.NodeID(p.device)][smartmeter.InstantOf(p.to)]
	if !began || !ended {
		return others
	}
	return last - first
}

// energyAnswer is what the tests look at of the API's answer.
type energyAnswer struct {
	Devices []energyTold
	House   energyTold
}

type energyTold struct {
	Wh      int64
	Buckets []struct {
		From, To time.Time
		Wh       int64
	}
}

// sum returns the energy, which must be that of the buckets, and they be those
// of the period.
func (e energyTold) sum(t *testing.T, p energyPeriod) (sum int64) {
	t.Helper()
	at := p.from
	for _, b := range e.Buckets {
		if !b.From.Equal(at) {
			t.Fatalf("%v: a bucket from %v, want %v", p, b.From, at)
		}
		sum, at = sum+b.Wh, b.To
	}
	if sum != e.Wh || !at.Equal(p.to) {
		t.Fatalf("%v: buckets to %v have %d Wh, the whole %d", p, at, sum, e.Wh)
	}
	return sum
}

func (a energyAnswer) sum(t *testing.T, p energyPeriod) int64 {
	t.Helper()
	if p.device == house {
		return a.House.sum(t, p)
	}
	if len(a.Devices) != 1 {
		t.Fatalf("%v: %d devices", p, len(a.Devices))
	}
	return a.Devices[0].sum(t, p)
}

func (w *energyWorld) api(p energyPeriod, step string) int64 {
	query := p.query(step)
	if p.device != house {
		query.Set("device", string(p.device))
	}
	var answer energyAnswer
	w.get("/api/v1/energy?"+query.Encode(), &answer)
	return answer.sum(w.t, p)
}

func (w *energyWorld) apiOfOne(p energyPeriod) int64 {
	if p.device == house {
		return w.api(p, "1mo") // there is no such route of the house
	}
	var answer energyTold
	w.get("/api/v1/devices/"+string(p.device)+"/energy?"+p.query(p.step).Encode(), &answer)
	return answer.sum(w.t, p)
}

func (p energyPeriod) query(step string) url.Values {
	return url.Values{"from": {p.word(p.from)}, "to": {p.word(p.to)}, "step": {step}, "tz": {p.from.Location().String()}}
}

// word writes an instant as a person would: a midnight is a date.
func (p energyPeriod) word(at time.Time) string {
	if at.Hour()+at.Minute() == 0 {
		return at.Format(time.DateOnly)
	}
	return at.Format(time.RFC3339)
}

func (w *energyWorld) commandLine(p energyPeriod) int64 {
	var answer energyAnswer
	if err := json.Unmarshal([]byte(w.energy(p, "--json")), &answer); err != nil {
		w.t.Fatal(err)
	}
	return answer.sum(w.t, p)
}

// table adds up the column KWH of the device's lines.
func (w *energyWorld) table(p energyPeriod) (sum int64) {
	name := "the house"
	if p.device != house {
		name = energyHousehold[p.device].Name
	}
	line := regexp.MustCompile(`(?m)^\S+ +` + regexp.QuoteMeta(name) + ` +(\d+)\.(\d{3})  \S+$`)
	for _, found := range line.FindAllStringSubmatch(w.energy(p), -1) {
		sum += w.number(found[1] + found[2])
	}
	return sum
}

func (w *energyWorld) csv(p energyPeriod) (sum int64) {
	rows, err := csv.NewReader(strings.NewReader(w.energy(p, "--csv"))).ReadAll()
	if err != nil {
		w.t.Fatal(err)
	}
	of := "device"
	if p.device == house {
		of = "house"
	}
	column := slices.Index(rows[0], "wh")
	for _, row := range rows[1:] {
		if row[0] == of {
			sum += w.number(row[column])
		}
	}
	return sum
}

// energy runs `smartmeter energy` for a period.
func (w *energyWorld) energy(p energyPeriod, more ...string) string {
	args := []string{"energy", "--from", p.word(p.from), "--to", p.word(p.to), "--step", p.step, "--tz", p.from.Location().String()}
	if p.device != house {
		args = append(args, string(p.device))
	}
	return w.run(append(args, more...)...)
}

// run runs the command line, and returns what it prints.
func (w *energyWorld) run(args ...string) string {
	w.t.Helper()
	var out, notices bytes.Buffer
	args = append(args, "--hub", w.hub.cfg.doors.http.Addr().String())
	if status := (Main{Stdout: &out, Stderr: &notices}).Run(w.t.Context(), args); status != 0 {
		w.t.Fatalf("smartmeter %v: %d, %s", args, status, &notices)
	}
	return out.String()
}

func (w *energyWorld) get(path string, out any) {
	w.t.Helper()
	if err := json.Unmarshal(w.body(path), out); err != nil {
		w.t.Fatalf("GET %s: %v", path, err)
	}
}

func (w *energyWorld) body(path string) []byte {
	w.t.Helper()
	resp, err := http.Get("http://" + w.hub.cfg.doors.http.Addr().String() + path)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("GET %s: %d %s, %v", path, resp.StatusCode, text, err)
	}
	return text
}

func (w *energyWorld) number(s string) int64 {
	w.t.Helper()
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}
