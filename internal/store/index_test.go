package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const forEver = chunk.Day(1) << 30

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// indexAt opens the index at path and closes it when the test ends.
func indexAt(t testing.TB, path string) *index {
	t.Helper()
	x, err := openIndex(t.Context(), path, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return x
}

func newIndex(t testing.TB) *index {
	t.Helper()
	return indexAt(t, filepath.Join(t.TempDir(), "smartmeter.db"))
}

// ok fails the test at once.
func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want compares what a read returned.
func want[T any](t testing.TB, what string, got T, err error, want T) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(channelRow{}, chunkRow{}, place{}, sumsRow{}, latestRow{}, bootSpan{}, monthSize{}, changeRow{})); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// sampleChange makes two channels, "oven" and "lamp", known with all there is.
func sampleChange() indexChange {
	full := smartmeter.Reading{
		Node: "oven", At: 1_700_000_000_123, Timing: smartmeter.ByArrival, Boot: 0xffffffff, Seq: 0xfffffffe,
		Measurement: smartmeter.Measurement{
			Has:     smartmeter.AllQuantities,
			Voltage: 2301, Current: 9_600, Power: 22_010, Energy: smartmeter.MaxEnergy, Frequency: 499, PowerFactor: 99,
		},
	}
	bare := smartmeter.Reading{Node: "lamp", Channel: 3, At: 5, Measurement: smartmeter.Measurement{Has: smartmeter.Power}}
	return indexChange{
		channels: []channelRow{
			{key: 1, uid: chunk.ID{0xab, 15: 1}, node: "oven"},
			{key: 2, uid: chunk.ID{0xcd, 15: 2}, node: "lamp", channel: 3},
		},
		chunks: []chunkRow{sampleChunk(1, 19_675, 1), sampleChunk(1, 19_675, 2), sampleChunk(1, 19_676, 1), sampleChunk(2, 19_675, 1)},
		sums: []sumsRow{
			{1, 19_675, []byte("oven-sums-1")},
			{1, 19_676, []byte("oven-sums-2")},
			{2, 19_675, []byte("lamp-sums-1")},
		},
		latest: []latestRow{{1, full}, {2, bare}},
		boots: []bootSpan{
			{1, 0xffffffff, 1, 100, 1000},
			{1, 0xffffffff, 200, 0xffffffff, 2000},
			{2, 7, 1, 3, 30},
		},
		devices: []smartmeter.Device{
			{ID: "lamp:3", Name: "Lamp", Kind: smartmeter.Lighting, Node: "lamp", Channel: 3, Parent: "oven"},
			{ID: "oven", Name: "Oven ☕", Room: "Kitchen", Kind: smartmeter.Heater, Node: "oven"},
		},
		commands: []smartmeter.Command{
			{ID: "c1", Device: "oven", On: true, Cause: smartmeter.CauseAPI, AskedAt: 1_700_000_000_001, State: smartmeter.CommandSent},
			{ID: "c2", Device: "oven", Cause: "rule 3", AskedAt: 1_700_000_000_002, State: smartmeter.CommandRejected, Watts: smartmeter.WattsAgree, Reason: "oven-latched"},
			{ID: "c3", Device: "lamp:3", Cause: smartmeter.CauseExternal, AskedAt: 3, State: smartmeter.CommandAcknowledged},
		},
		settings: map[string]string{"site": "S", "empty": ""},
		marks:    archive.Marks{"2023-11.smc": {ID: 1<<64 - 1, End: 4096}, "2023-12.smc": {ID: 7, End: 1 << 40}},
		applied:  1 << 33,
	}
}

// sampleChunk returns a chunk whose place and content tell from its name.
func sampleChunk(channel channelKey, day chunk.Day, version uint32) chunkRow {
	return chunkRow{
		channel: channel, day: day, version: version,
		place: place{month: int32(day / 30), part: 1, offset: int64(day)<<20 + int64(channel)<<10 + int64(version), length: 100 + int32(version)},
		count: 17_280, first: day.Midnight() + 5, last: day.Midnight() + 86_399_000,
		hash:       [32]byte{byte(channel), byte(day), byte(day >> 8), byte(version)},
		quantities: smartmeter.AllQuantities,
	}
}

// expectSample asserts all that sampleChange has told x.
func expectSample(t *testing.T, x *index) {
	t.Helper()
	c, ctx := sampleChange(), t.Context()
	channels, err := x.channels(ctx)
	want(t, "channels", channels, err, c.channels)
	days, err := allRows(x.chunks(ctx, 1, 0, forEver))
	want(t, "chunks", days, err, []chunkRow{c.chunks[1], c.chunks[0], c.chunks[2]})
	want1, err := sumsOf(ctx, x, 1, 0, forEver)
	want(t, "sums", want1, err, c.sums[:2])
	latest, err := x.latest(ctx)
	want(t, "latest", latest, err, c.latest)
	boots, err := allRows(x.boots(ctx))
	want(t, "boots", boots, err, c.boots)
	devices, err := x.devices(ctx)
	want(t, "devices", devices, err, c.devices)
	commands, err := x.commands(ctx, "oven", 10)
	want(t, "commands", commands, err, []smartmeter.Command{c.commands[1], c.commands[0]})
	settings, err := x.settings(ctx)
	want(t, "settings", settings, err, c.settings)
	marks, err := x.marks(ctx)
	want(t, "marks", marks, err, c.marks)
	applied, err := x.applied(ctx)
	want(t, "applied", applied, err, c.applied)
	months, err := x.months(ctx)
	want(t, "months", months, err, []monthSize{{month: 655, chunks: 4, bytes: 101 + 102 + 101 + 101}})
}

// sumsOf copies what sums yields only for the moment.
func sumsOf(ctx context.Context, x *index, channel channelKey, from, to chunk.Day) (all []sumsRow, err error) {
	for r, err := range x.sums(ctx, channel, from, to) {
		if err != nil {
			return nil, err
		}
		r.packed = []byte(string(r.packed))
		all = append(all, r)
	}
	return all, nil
}

// dump returns every row of every table as text.
func dump(t testing.TB, x *index) []string {
	t.Helper()
	var all []string
	for _, table := range indexTables(t, x) {
		err := x.query(t.Context(), `SELECT * FROM `+table+` ORDER BY 1, 2`, nil, func(stmt *sqlite.Stmt) error {
			row := table
			for i := range stmt.ColumnCount() {
				row += fmt.Sprintf("|%q", stmt.ColumnText(i))
			}
			all = append(all, row)
			return nil
		})
		ok(t, err)
	}
	return all
}

func indexTables(t testing.TB, x *index) []string {
	t.Helper()
	var all []string
	ok(t, x.query(t.Context(), `SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`, nil, func(stmt *sqlite.Stmt) error {
		all = append(all, stmt.ColumnText(0))
		return nil
	}))
	return all
}

func TestIndexRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smartmeter.db")
	x, err := openIndex(t.Context(), path, quiet())
	ok(t, err)
	if err := x.apply(t.Context(), sampleChange()); err != nil {
		t.Error(err)
	}
	expectSample(t, x)
	ok(t, x.close())
	x = indexAt(t, path)
	expectSample(t, x)
	if err := x.check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

func TestIndexIsEmptyAtFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smartmeter.db")
	ok(t, os.WriteFile(path, nil, 0o644)) // what a power cut leaves of a file just made
	x := indexAt(t, path)
	channels, err := x.channels(t.Context())
	want(t, "channels", channels, err, nil)
	marks, err := x.marks(t.Context())
	want(t, "marks", marks, err, archive.Marks{})
	applied, err := x.applied(t.Context())
	want(t, "applied", applied, err, 0)
	changes, err := x.changes(t.Context(), 0, 10)
	want(t, "changes", changes, err, nil)
}

func TestIndexRanges(t *testing.T) {
	x := newIndex(t)
	ok(t, x.apply(t.Context(), sampleChange()))
	for _, tt := range []struct {
		name     string
		channel  channelKey
		from, to chunk.Day
		want     []chunk.Day
	}{
		{"from is included, to is not", 1, 19_675, 19_676, []chunk.Day{19_675, 19_675}},
		{"the rest", 1, 19_676, forEver, []chunk.Day{19_676}},
		{"an empty range", 1, 19_676, 19_676, nil},
		{"a range the wrong way round", 1, 19_677, 19_675, nil},
		{"another channel", 2, -5, forEver, []chunk.Day{19_675}},
		{"a channel that does not exist", 9, 0, forEver, nil},
	} {
		var days, summed []chunk.Day
		for r, err := range x.chunks(t.Context(), tt.channel, tt.from, tt.to) {
			want(t, tt.name, r.channel, err, tt.channel)
			days = append(days, r.day)
		}
		want(t, tt.name, days, nil, tt.want)
		for r, err := range x.sums(t.Context(), tt.channel, tt.from, tt.to) {
			want(t, tt.name, r.channel, err, tt.channel)
			summed = append(summed, r.day)
		}
		if len(tt.want) == 2 { // two versions of the day, one sum
			tt.want = tt.want[:1]
		}
		want(t, tt.name+", sums", summed, nil, tt.want)
	}
	newest, err := x.commands(t.Context(), "oven", 1)
	want(t, "the newest command", newest, err, sampleChange().commands[1:2])
}

// Whatever a loop does, its connection can be used again.
func TestIndexLoopsMayEndEarly(t *testing.T) {
	x := newIndex(t)
	ok(t, x.apply(t.Context(), sampleChange()))
	for range indexReaders + 1 {
		for range x.chunks(t.Context(), 1, 0, forEver) {
			break
		}
		func() {
			defer func() { _ = recover() }()
			for range x.chunks(t.Context(), 1, 0, forEver) {
				panic("a mistake in a handler")
			}
		}()
	}
	days, err := allRows(x.chunks(t.Context(), 1, 0, forEver))
	want(t, "chunks after that", len(days), err, 3)
}

func TestIndexReadsHeedTheContext(t *testing.T) {
	x := newIndex(t)
	ok(t, x.apply(t.Context(), sampleChange()))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	var last error
	for _, err := range x.chunks(ctx, 1, 0, forEver) {
		if last = err; err == nil {
			seen++
		}
		cancel()
	}
	if seen != 1 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d rows and %v after the context was cancelled in the first, want that one and context.Canceled", seen, last)
	}
	if _, err := x.channels(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("a read with an ended context: %v", err)
	}
	if err := x.check(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, errIndexBroken) {
		t.Errorf("a check with an ended context: %v", err)
	}
}

func TestIndexFilesAndSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smartmeter.db")
	ok(t, os.WriteFile(path, nil, 0o644))
	x := indexAt(t, path)
	ok(t, x.apply(t.Context(), sampleChange()))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		ok(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("smartmeter.db%s has mode %v, want it private", suffix, info.Mode())
		}
	}
	conn, err := x.writer.Take(t.Context())
	ok(t, err)
	defer x.writer.Put(conn)
	for pragma, value := range map[string]int64{
		"synchronous": 2, "secure_delete": 1, "page_size": 4096, "foreign_keys": 1, "busy_timeout": 5000,
		"application_id": indexApplicationID, "user_version": 4, "temp_store": 2,
	} {
		got, err := number(conn, "PRAGMA "+pragma)
		want(t, pragma, got, err, value)
	}
}

// People read the database with the sqlite3 shell; these are their tables.
func TestIndexViews(t *testing.T) {
	x := newIndex(t)
	change := sampleChange()
	change.devices[slices.IndexFunc(change.devices, func(d smartmeter.Device) bool { return d.ID == "lamp:3" })].Settings = smartmeter.Settings{Rev: 1, PowerUp: smartmeter.PositionLast}
	change.alerts = []smartmeter.Alert{{ID: "a1", Kind: smartmeter.AlertCutOff, Severity: smartmeter.Critical, Device: "oven", Text: "cut off", RaisedAt: 1}}
	ok(t, x.apply(t.Context(), change))
	for view, row := range map[string]string{
		"v_channels ORDER BY key":                   "1|ab000000000000000000000000000001|oven|0",
		"v_devices ORDER BY id":                     `lamp:3|Lamp||lighting|lamp|3|oven|{"Rev":1,"PowerUp":"last"}`,
		"v_commands ORDER BY id":                    "c1|oven|on|api|2023-11-14T22:13:20.001Z|sent||",
		"v_alerts ORDER BY id":                      "a1|cut_off|critical|oven|cut off|1970-01-01T00:00:00.001Z|||",
		"v_chunks ORDER BY node DESC, version DESC": "oven|0|2023-11-14|2|17280|2023-11-14T00:00:00.005Z|2023-11-14T23:59:59.000Z|2024-08|1|20630733826|102|01db4c0200000000000000000000000000000000000000000000000000000000",
		"v_sums ORDER BY node DESC, day_utc":        "oven|0|2023-11-14|2|11",
		"v_latest ORDER BY node DESC":               "oven|0|2023-11-14T22:13:20.123Z|230.1|9.6|2201.0|1000000000000|49.9|0.99",
	} {
		var got []string
		err := x.query(t.Context(), `SELECT * FROM `+view+` LIMIT 1`, nil, func(stmt *sqlite.Stmt) error {
			for i := range stmt.ColumnCount() {
				got = append(got, stmt.ColumnText(i))
			}
			return nil
		})
		want(t, view, strings.Join(got, "|"), err, row)
	}
}

// script runs SQL on the database at path, as another program would.
func script(t testing.TB, path, sql string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path)
	ok(t, err)
	err = sqlitex.ExecuteScript(conn, sql, nil)
	ok(t, errors.Join(err, conn.Close()))
}
