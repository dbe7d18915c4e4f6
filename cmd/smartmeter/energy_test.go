package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
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
)

var (
	energyPeriods = flag.Int("periods", 1000, "for how many periods TestOneNumberEverywhere asks")
	energySeed    = flag.Uint64("energyseed", 0, "what it does by chance; 0 draws a seed")
)

// What a device used in a period is one number, wherever one asks: the API as a
// whole or in steps, for one device or for several, the command line as a table,
// as JSON and as CSV. The periods lie around both changes of the clock, in zones
// with whole and with half hours.
func TestOneNumberEverywhere(t *testing.T) {
	seed := *energySeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-periods=%d -energyseed=%d", *energyPeriods, seed)
	w := newEnergyWorld(t, rand.New(rand.NewPCG(seed, 0)))
	t.Run("now", w.sameNow)
	for n := range *energyPeriods {
		p := w.draw()
		if wrong := w.disagreement(p); wrong != "" {
			t.Fatalf("period %d, %v: %s", n, p, wrong)
		}
	}
}

// energyWorld is a hub with two times five weeks of history.
type energyWorld struct {
	t      *testing.T
	chance *rand.Rand
	hub    *system
	zones  []*time.Location
	meters map[smartmeter.NodeID]*energyMeter
	// edges are what meters without faults showed at quarter hours, in Wh.
	edges map[smartmeter.NodeID]map[smartmeter.Instant]int64
}

// house is the name by which the world's tests ask for the whole house.
const house = ""

var energyHousehold = map[smartmeter.DeviceID]smartmeter.Device{
	"main":   {Name: "Main meter", Kind: smartmeter.Generic},
	"fridge": {Name: "Fridge", Kind: smartmeter.Compressor, Room: "Kitchen", Parent: "main"},
	"boiler": {Name: "Boiler", Kind: smartmeter.Heater, Room: "Bath", Parent: "main"},
	"shed":   {Name: "Shed, old", Kind: smartmeter.Generic, Room: "Garden"},
	"plug":   {Name: "=Plug", Kind: smartmeter.Generic, Room: "Garden", Parent: "shed"},
}

func newEnergyWorld(t *testing.T, chance *rand.Rand) *energyWorld {
	t.Helper()
	w := &energyWorld{t: t, chance: chance, edges: make(map[smartmeter.NodeID]map[smartmeter.Instant]int64)}
	for _, name := range []string{"Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		w.zones = append(w.zones, zone)
	}
	w.hub = runEnergyHub(t)
	for _, begin := range w.begins() {
		w.live(begin)
	}
	w.meet()
	return w
}

// runEnergyHub runs a hub that knows the household, until the test ends.
func runEnergyHub(t *testing.T) *system {
	t.Helper()
	doors, err := addresses{http: "127.0.0.1:0", mqtt: "127.0.0.1:0"}.open()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	s, err := newSystem(ctx, systemConfig{
		dataDir: t.TempDir(), syncEvery: time.Second, doors: doors, clock: clockTrusted,
		describe: func(id smartmeter.DeviceID) (smartmeter.Device, bool) { d, ok := energyHousehold[id]; return d, ok },
		log:      slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return s
}

// fiveWeeks is how long each part of the history is.
const fiveWeeks = 35 * 24 * time.Hour

// begins returns when the parts of the history begin: some weeks before the
// clocks change in Berlin, where the one day of Lord Howe is near, too.
func (w *energyWorld) begins() []time.Time {
	return []time.Time{
		time.Date(2025, 3, 16, 0, 0, 0, 0, w.zones[0]),
		time.Date(2025, 9, 28, 0, 0, 0, 0, w.zones[0]),
	}
}

// live lets the household live for five weeks, and its meters be as they are.
func (w *energyWorld) live(begin time.Time) {
	meters := make(map[smartmeter.NodeID]*energyMeter)
	for _, id := range slices.Sorted(maps.Keys(energyHousehold)) {
		meters[smartmeter.NodeID(id)] = &energyMeter{register: w.chance.Int64N(9_000_000) * wattHourInDeciwattMillis}
	}
	for at := begin; at.Before(begin.Add(fiveWeeks)); at = at.Add(5 * time.Minute) {
		fridge, boiler, plug := w.chance.Int64N(1200), w.chance.Int64N(4)*5000, w.chance.Int64N(300)
		for id, power := range map[smartmeter.NodeID]int64{
			"main": fridge + boiler + 800, "fridge": fridge, "boiler": boiler, "shed": plug + 50, "plug": plug,
		} {
			meters[id].measures(smartmeter.InstantOf(at), power)
		}
		if w.chance.IntN(2000) == 0 {
			meters["boiler"].register = 0 // somebody has reset it
		}
		if w.chance.IntN(2000) == 0 {
			meters["shed"].silent = smartmeter.InstantOf(at.Add(time.Duration(w.chance.IntN(40)) * time.Hour))
		}
		if w.chance.IntN(2000) == 0 {
			meters["plug"].glitch()
		}
	}
	for id, m := range meters {
		for i := range m.readings {
			m.readings[i].Node = id
		}
		if err := w.hub.hub.Import(w.t.Context(), slices.Values(m.readings)); err != nil {
			w.t.Fatal(err)
		}
		if id == "main" || id == "fridge" {
			w.remember(id, m.readings)
		}
	}
	w.meters = meters
}

// remember keeps what a meter without faults showed at the quarter hours, where
// it was read at each.
func (w *energyWorld) remember(id smartmeter.NodeID, readings []smartmeter.Reading) {
	if w.edges[id] == nil {
		w.edges[id] = make(map[smartmeter.Instant]int64)
	}
	for _, r := range readings {
		w.edges[id][r.At] = int64(r.Energy)
	}
}

// meet lets the hub hear the nodes: they are its devices from then on.
func (w *energyWorld) meet() {
	client := connect(w.t, w.hub.cfg.doors.mqtt.Addr().String(), "the nodes")
	defer client.Disconnect(100)
	for id, m := range w.meters {
		wh := m.register/wattHourInDeciwattMillis + 1
		wait(w.t, client.Publish(fmt.Sprintf("dev/%s/pzem/metrics", id), 1, false, fmt.Sprintf(
			`{"voltage":230.1,"current":0.456,"power":98.7,"frequency":50,"pf":0.94,"energy_wh":%d}`, wh)))
		eventually(w.t, "the hub hears "+string(id), func() error {
			d, err := w.hub.hub.Device(smartmeter.DeviceID(id))
			if err == nil && (d.Latest == nil || d.Latest.Energy != smartmeter.WattHour(wh)) {
				err = fmt.Errorf("latest is %+v", d.Latest)
			}
			return err
		})
	}
}

// energyMeter is a meter with its faults.
type energyMeter struct {
	register int64              // in 0.1 W x ms
	silent   smartmeter.Instant // until then nobody hears it
	readings []smartmeter.Reading
}

const wattHourInDeciwattMillis = 36_000_000

// measures reads the register, and lets power run through it until the next
// time, in 0.1 W.
func (m *energyMeter) measures(at smartmeter.Instant, power int64) {
	r := smartmeter.Reading{At: at}
	r.Has, r.Power, r.Energy = smartmeter.Power|smartmeter.Energy, smartmeter.Deciwatt(power), smartmeter.WattHour(m.register/wattHourInDeciwattMillis)
	if at >= m.silent {
		m.readings = append(m.readings, r)
	}
	m.register += power * (5 * time.Minute).Milliseconds()
}

// glitch spoils the last reading: the register seems to jump by hundreds of kWh.
func (m *energyMeter) glitch() {
	if n := len(m.readings); n > 0 {
		m.readings[n-1].Energy += 200_000
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
		today, ever := w.told("device="+string(d.ID)), w.told("from=2000-01-01&device="+string(d.ID))
		for name, wh := range map[string]int64{"register_joules": d.Latest.Wh, "energy_today_joules": today, "energy_joules_total": ever} {
			joules := regexp.MustCompile(`(?m)^smartmeter_` + name + `\{device="` + string(d.ID) + `"[^}]*\} (\d+)$`).FindStringSubmatch(metrics)
			if joules == nil || joules[1] != fmt.Sprint(wh*3600) {
				t.Errorf("%s: %d Wh by the API, /metrics has %v of %s", d.ID, wh, joules, name)
			}
		}
		columns := strings.Fields(strings.TrimPrefix(lineOf(table, d.Name), d.Name))
		kwh := func(wh int64) string { return fmt.Sprintf("%d.%03d", wh/1000, wh%1000) }
		if !slices.Contains(columns, kwh(today)) || !slices.Contains(columns, kwh(d.Latest.Wh)) {
			t.Errorf("%s shows %d Wh and has used %d today, the command line says %q", d.ID, d.Latest.Wh, today, columns)
		}
	}
	if len(devices.Devices) != len(energyHousehold) {
		t.Errorf("%d devices, want %d", len(devices.Devices), len(energyHousehold))
	}
}

// told is what the API tells of a device from some time until now.
func (w *energyWorld) told(query string) int64 {
	var answer energyAnswer
	w.get("/api/v1/energy?"+query, &answer)
	return answer.Devices[0].Wh
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

// draw draws a period that begins in the history, at a quarter hour or a
// midnight of some zone.
func (w *energyWorld) draw() energyPeriod {
	devices := []smartmeter.DeviceID{house, "main", "fridge", "boiler", "shed", "plug"}
	p := energyPeriod{device: devices[w.chance.IntN(len(devices))]}
	zone := w.zones[w.chance.IntN(len(w.zones))]
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
