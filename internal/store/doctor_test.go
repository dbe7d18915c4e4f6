package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// patientBegins is 2026-01-29: its days are of two months, and the last of them
// is in the log alone.
const (
	patientBegins chunk.Day = 20_482
	patientDays   chunk.Day = 7
)

func patientNow() time.Time {
	return (patientBegins + patientDays).Midnight().Time().Add(-6 * time.Hour)
}

// patient makes a data directory with two devices, a week of their readings, and
// what people did.
func patient(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := still(t, Config{Dir: dir, Now: patientNow, segmentBytes: 64 << 10})
	fill(t, s)
	ok(t, s.Seal(t.Context(), (patientBegins+patientDays-1).Midnight().Time()))
	ok(t, s.settleAll(t.Context()))
	ok(t, s.AppendReadings(patientReadings("oven", patientBegins+patientDays-1, 200)...))
	ok(t, s.PutCommand(smartmeter.Command{ID: "c2", Device: "oven", Cause: smartmeter.CauseAPI, AskedAt: 2, State: smartmeter.CommandSent}))
	ok(t, s.Close())
	return dir
}

// fill takes what a patient has.
func fill(t *testing.T, s *Store) {
	t.Helper()
	for _, node := range []smartmeter.NodeID{"oven", "lamp"} {
		ok(t, s.PutDevice(smartmeter.Device{ID: smartmeter.DeviceID(node), Node: node, Name: strings.ToUpper(string(node)), Room: "Kitchen"}))
		for day := range chunk.Day(patientDays - 1) {
			ok(t, s.AppendReadings(patientReadings(node, patientBegins+day, 288)...))
		}
	}
	ok(t, s.PutCommand(smartmeter.Command{ID: "c1", Device: "oven", On: true, Cause: smartmeter.CauseAPI, AskedAt: 1, State: smartmeter.CommandAcknowledged}))
	ok(t, s.PutAlert(smartmeter.Alert{ID: "a1", Kind: smartmeter.AlertDeadLoad, Severity: smartmeter.Warning, Device: "oven", Text: "on, and draws nothing", RaisedAt: 7}))
	ok(t, s.PutCorrection(smartmeter.Correction{
		ID: "k1", Made: 5, By: "Ada", Why: "a guest's heater", Kind: smartmeter.CorrectSet, Node: "oven",
		From: (patientBegins + 1).Midnight(), To: (patientBegins + 1).Midnight() + 3_600_000, Energy: 77, EnergyKnown: true,
	}))
	ok(t, s.PutSettings(t.Context(), []byte(`{"currency":"EUR","prices":[]}`)))
}

// patientReadings are those of a day, one every five minutes.
func patientReadings(node smartmeter.NodeID, day chunk.Day, n int) (readings []smartmeter.Reading) {
	for i := range n {
		number := int(day-patientBegins)*288 + i
		readings = append(readings, smartmeter.Reading{
			Node: node, Boot: 7, Seq: uint32(number) + 1, At: day.Midnight() + smartmeter.Instant(i)*300_000,
			Measurement: smartmeter.Measurement{
				Has: smartmeter.Voltage | smartmeter.Power | smartmeter.Energy, Voltage: 2300 + smartmeter.Decivolt(i%7),
				Power: 12_000, Energy: smartmeter.WattHour(number * 100),
			},
		})
	}
	return readings
}

// chart is what a directory answers, as far as anybody can see.
type chart struct {
	Readings, Quarters, Energy, Findings []string
	Devices                              []smartmeter.Device
	Commands                             []smartmeter.Command
	Corrections                          []smartmeter.Correction
	Latest                               []smartmeter.Reading
	Alerts                               []smartmeter.Alert
	Marks                                []smartmeter.Watermark
}

func chartOf(t *testing.T, dir string) (c chart) {
	t.Helper()
	s := still(t, Config{Dir: dir, Now: patientNow})
	defer func() { ok(t, s.Close()) }()
	ctx := t.Context()
	for _, node := range []smartmeter.NodeID{"oven", "lamp"} {
		for r, err := range s.Readings(ctx, node, 0, 0, endOfTime) {
			ok(t, err)
			c.Readings = append(c.Readings, text(r))
		}
		for b, err := range s.Buckets(ctx, node, 0, smartmeter.AllQuantities, 0, endOfTime, 900_000) {
			ok(t, err)
			c.Quarters = append(c.Quarters, text(b))
		}
		for sums, err := range s.EnergySums(ctx, node, 0, ledger.Range{First: 1, Last: 30_000}) {
			ok(t, err)
			c.Energy = append(c.Energy, string(node)+text(sums))
		}
		days, err := s.EnergyDays(ctx, node, 0, ledger.Range{First: 1, Last: 30_000})
		ok(t, err)
		for _, d := range days {
			c.Findings = append(c.Findings, text(d.Findings))
		}
		commands, err := s.Commands(ctx, smartmeter.DeviceID(node), 100)
		ok(t, err)
		c.Commands = append(c.Commands, commands...)
		c.Marks = append(c.Marks, s.Watermark(node, 0, 7))
	}
	var errs [4]error
	c.Alerts, errs[3] = s.Alerts(ctx, 100)
	c.Devices, errs[0] = s.Devices(ctx)
	c.Corrections, errs[1] = s.Corrections(ctx)
	c.Latest, errs[2] = s.Latest(ctx)
	slices.SortFunc(c.Latest, func(a, b smartmeter.Reading) int { return strings.Compare(string(a.Node), string(b.Node)) })
	ok(t, errors.Join(errs[:]...))
	return c
}

func doctorFor(t *testing.T, dir string) DoctorConfig {
	return DoctorConfig{Dir: dir, Scratch: t.TempDir(), Now: patientNow}
}

// tree is all that is in a directory.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			all[path] = "a directory"
			return err
		}
		content, err := os.ReadFile(path)
		info, _ := d.Info()
		all[path] = info.ModTime().String() + "|" + string(content)
		return err
	}))
	return all
}

func TestAHealthyDirectoryIsFoundHealthyAndLeftAlone(t *testing.T) {
	dir := patient(t)
	before := tree(t, dir)
	d, err := Examine(t.Context(), doctorFor(t, dir))
	ok(t, err)
	if !d.Healthy() || len(d.Notes) > 0 || d.Files != 2 || d.Devices != 2 || d.Records == 0 {
		t.Errorf("%+v", d)
	}
	r, err := Repair(t.Context(), doctorFor(t, dir))
	ok(t, err)
	if len(r.Done) > 0 || r.Aside != "" {
		t.Errorf("there is nothing to mend, and it did %v", r.Done)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("the directory was changed:\n%s", diff)
	}
}

func TestDirectoryInUseIsRefused(t *testing.T) {
	dir := patient(t)
	s := still(t, Config{Dir: dir, Now: patientNow})
	defer s.Close()
	for name, run := range map[string]func() error{
		"examine": func() error { _, err := Examine(t.Context(), doctorFor(t, dir)); return err },
		"repair":  func() error { _, err := Repair(t.Context(), doctorFor(t, dir)); return err },
	} {
		if err := run(); err == nil || !strings.Contains(err.Error(), "in use by another smartmeter") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNoDataDirectoryIsRefusedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	ok(t, os.WriteFile(filepath.Join(dir, "letter.txt"), []byte("Dear Ada"), 0o600))
	before := tree(t, dir)
	for _, dir := range []string{dir, filepath.Join(dir, "missing")} {
		if _, err := Repair(t.Context(), doctorFor(t, dir)); err == nil || !strings.Contains(err.Error(), "--data") {
			t.Errorf("%v", err)
		}
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("it was changed:\n%s", diff)
	}
}

// TestDoctor harms a directory in every way and asks what the doctor says and
// does: it names the harm, changes nothing unless told, mends all that can be
// mended, and keeps every byte that it took away.
func TestDoctor(t *testing.T) {
	whole := patient(t)
	right := chartOf(t, whole)
	for _, i := range injuries {
		t.Run(i.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ok(t, os.CopyFS(dir, os.DirFS(whole)))
			i.harm(t, dir)
			before := tree(t, dir)
			d, err := Examine(t.Context(), doctorFor(t, dir))
			ok(t, err)
			expectFinding(t, d, i.finds)
			if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
				t.Errorf("looking has changed it:\n%.2000s", diff)
			}
			r, err := Repair(t.Context(), doctorFor(t, dir))
			ok(t, err)
			if len(r.Done) == 0 || !r.After.Healthy() {
				t.Errorf("it did %q and left %+v", r.Done, r.After.Findings)
			}
			expectKept(t, before, dir)
			expectAnswers(t, right, chartOf(t, dir), i.leaves)
		})
	}
}

func expectFinding(t *testing.T, d Diagnosis, pattern string) {
	t.Helper()
	var said []string
	for _, f := range d.Findings {
		said = append(said, f.Where+": "+f.What)
	}
	if !slices.ContainsFunc(said, regexp.MustCompile(pattern).MatchString) {
		t.Errorf("nothing like %s is found, but\n%s", pattern, strings.Join(said, "\n"))
	}
}

// expectAnswers asserts that all is as it was, but for readings that were lost
// in the monthly files or the log.
func expectAnswers(t *testing.T, right, got chart, leaves string) {
	t.Helper()
	switch leaves {
	case "readings": // what they add up to has survived in the database
		if len(got.Readings) >= len(right.Readings) {
			t.Errorf("no reading is lost: the harm was none")
		}
		got.Readings, got.Latest, got.Marks = right.Readings, right.Latest, right.Marks
	case "log":
		if diff := cmp.Diff(right.Devices, got.Devices); diff != "" {
			t.Errorf("devices (-before +after):\n%s", diff)
		}
		kept := slices.DeleteFunc(slices.Clone(got.Readings), func(r string) bool { return !slices.Contains(right.Readings, r) })
		if len(kept) < len(right.Readings)/2 || len(kept) != len(got.Readings) {
			t.Errorf("of %d readings %d are kept, and %d are new", len(right.Readings), len(kept), len(got.Readings)-len(kept))
		}
		return
	}
	if diff := cmp.Diff(right, got); diff != "" {
		t.Errorf("it does not answer as before (-before +after):\n%.3000s", diff)
	}
}

// expectKept asserts that no byte of a directory is lost: every file is there
// still, or set aside as it was.
func expectKept(t *testing.T, before map[string]string, dir string) {
	t.Helper()
	var after []string
	ok(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		after = append(after, string(b))
		return err
	}))
	for name, was := range before {
		_, content, _ := strings.Cut(was, "|")
		if strings.Contains(name, "/log/") || strings.HasSuffix(name, "-shm") || was == "a directory" {
			continue // the log goes on, and SQLite's memory is none
		}
		if !slices.ContainsFunc(after, func(b string) bool { return strings.HasPrefix(b, content) }) {
			t.Errorf("%s is nowhere as it was", name)
		}
	}
}

func TestErasingTakesWhatWasSetAside(t *testing.T) {
	dir := patient(t)
	lose(siteName)(t, dir)
	flip(january, 2500)(t, dir)
	r, err := Repair(t.Context(), doctorFor(t, dir))
	ok(t, err)
	if r.Aside == "" {
		t.Fatal("nothing was set aside")
	}
	s := still(t, Config{Dir: dir, Now: patientNow})
	defer s.Close()
	ok(t, s.EraseDevice(t.Context(), smartmeter.Device{ID: "lamp", Node: "lamp"}))
	if _, err := os.Stat(filepath.Join(dir, asideDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was set aside is still there: %v", err)
	}
}

// TestDoctorKeepsTheEnergyOfThinnedDays: no file has it but the database.
func TestDoctorKeepsTheEnergyOfThinnedDays(t *testing.T) {
	dir := patient(t)
	s := still(t, Config{Dir: dir, Now: patientNow})
	ok(t, s.Thin(t.Context(), time.Date(2026, 2, 10, 0, 0, 0, 0, time.UTC)))
	ok(t, s.Close())
	d, err := Examine(t.Context(), doctorFor(t, dir))
	ok(t, err)
	if !d.Healthy() {
		t.Fatalf("thinned, and not healthy: %+v", d.Findings)
	}
	right := chartOf(t, dir)
	sql(`UPDATE device SET name = 'toaster'; DELETE FROM energy_month`)(t, dir)
	r, err := Repair(t.Context(), doctorFor(t, dir))
	ok(t, err)
	if !r.After.Healthy() {
		t.Errorf("%+v", r.After.Findings)
	}
	got := chartOf(t, dir)
	got.Marks = right.Marks // what was thinned nobody asks a node for again
	expectAnswers(t, right, got, "")
}

// TestUncleanStop: a process that was killed leaves SQLite's log, and what is in
// it counts.
func TestUncleanStop(t *testing.T) {
	dir, killed := patient(t), t.TempDir()
	s := still(t, Config{Dir: dir, Now: patientNow})
	ok(t, s.PutDevice(smartmeter.Device{ID: "oven", Node: "oven", Name: "Oven"}))
	ok(t, s.Sync(t.Context()))
	ok(t, os.CopyFS(killed, os.DirFS(dir)))
	ok(t, s.Close())
	before := tree(t, killed)
	d, err := Examine(t.Context(), doctorFor(t, killed))
	ok(t, err)
	if !d.Healthy() || len(d.Notes) == 0 || !strings.Contains(d.Notes[0], "not stopped in peace") || !strings.Contains(d.Notes[0], "last sync at 20") {
		t.Errorf("%+v", d)
	}
	if diff := cmp.Diff(before, tree(t, killed)); diff != "" {
		t.Errorf("looking has changed it:\n%.2000s", diff)
	}
}

func TestDoctorTellsHowFarItIs(t *testing.T) {
	cfg := doctorFor(t, patient(t))
	var steps []int64
	cfg.Progress = func(done, total int64) {
		if done > total || len(steps) > 0 && done < steps[len(steps)-1] {
			t.Errorf("%d of %d after %v", done, total, steps)
		}
		steps = append(steps, done)
	}
	_, err := Examine(t.Context(), cfg)
	ok(t, err)
	if len(steps) < 20 {
		t.Errorf("it told %v", steps)
	}
}

func text(v any) string { return fmt.Sprintf("%+v", v) }
