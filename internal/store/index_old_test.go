package store

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
)

// atVersion makes a database with the first n migrations, as programs of that
// time did, and with rows in it.
func atVersion(t *testing.T, path string, n int, rows string) {
	t.Helper()
	schema, err := indexSchema()
	ok(t, err)
	schema.Migrations = schema.Migrations[:n]
	conn, err := sqlite.OpenConn(path)
	ok(t, err)
	ok(t, sqlitemigration.Migrate(t.Context(), conn, schema))
	ok(t, conn.Close())
	script(t, path, rows)
}

// firstForm is what the first form's program wrote.
const firstForm = `
	INSERT INTO channel (key, node, channel) VALUES (4, 'oven', 0), (7, 'lamp', 3), (9, 'new', 0);
	INSERT INTO reading (channel, at, boot, seq, timing, voltage, current, power, energy, frequency, power_factor) VALUES
		(7, 1000, 0, 0, 1, NULL, NULL, 0, NULL, NULL, NULL),
		(4, 3000, 4294967295, 2, 0, 2301, 9600, 22010, 1000000000000, 499, 99),
		(4, 2000, 4294967295, 1, 0, 2301, NULL, NULL, NULL, NULL, NULL);
	INSERT INTO device (id, name, room, kind, node, channel, parent) VALUES ('oven', 'Oven ☕', 'Kitchen', 'heater', 'oven', 0, 'main');
	INSERT INTO command (id, device, "on", cause, asked_at, state, watts, reason) VALUES ('c1', 'oven', 1, 'api', 5, 'rejected', 'agrees', 'latched');
	INSERT INTO retained (topic, payload, qos) VALUES ('dev/x', x'00ff', 1), ('dev/a', x'', 0);
	INSERT INTO setting (name, value) VALUES ('site', 'S'), ('log', 'L'), ('probe', '2026');`

func oldRows() []smartmeter.Reading {
	return []smartmeter.Reading{
		{Node: "oven", At: 2000, Boot: 0xffffffff, Seq: 1, Measurement: smartmeter.Measurement{Has: smartmeter.Voltage, Voltage: 2301}},
		{Node: "oven", At: 3000, Boot: 0xffffffff, Seq: 2, Measurement: smartmeter.Measurement{
			Has: smartmeter.AllQuantities, Voltage: 2301, Current: 9600, Power: 22_010, Energy: smartmeter.MaxEnergy, Frequency: 499, PowerFactor: 99,
		}},
		{Node: "lamp", Channel: 3, At: 1000, Timing: smartmeter.ByArrival, Measurement: smartmeter.Measurement{Has: smartmeter.Power}},
	}
}

func TestIndexTakesOverTheFirstForm(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "smartmeter.db"), t.Context()
	atVersion(t, path, 1, firstForm)
	for range 2 { // with a restart in between
		x, err := openIndex(ctx, path, quiet())
		ok(t, err)
		readings, err := allRows(x.oldReadings(ctx))
		want(t, "old readings", readings, err, oldRows())
		retained, err := x.oldRetained(ctx)
		want(t, "old retained messages", retained, err, []smartmeter.Message{
			{Topic: "dev/a", Payload: []byte{}, Retained: true},
			{Topic: "dev/x", Payload: []byte{0, 0xff}, QoS: 1, Retained: true},
		})
		expectFirstFormsSettings(t, x)
		ok(t, x.close())
	}
}

func expectFirstFormsSettings(t *testing.T, x *index) {
	t.Helper()
	ctx := t.Context()
	devices, err := x.devices(ctx)
	want(t, "devices", devices, err, []smartmeter.Device{{ID: "oven", Name: "Oven ☕", Room: "Kitchen", Kind: smartmeter.Heater, Node: "oven", Parent: "main"}})
	commands, err := x.commands(ctx, "oven", 9)
	want(t, "commands", commands, err, []smartmeter.Command{{
		ID: "c1", Device: "oven", On: true, Cause: smartmeter.CauseAPI, AskedAt: 5,
		State: smartmeter.CommandRejected, Watts: smartmeter.WattsAgree, Reason: "latched",
	}})
	settings, err := x.settings(ctx)
	want(t, "settings", settings, err, map[string]string{"site": "S", "log": "L"})
	channels, err := x.channels(ctx)
	ids := make(map[chunk.ID]bool)
	for i := range channels {
		ids[channels[i].uid] = true
		channels[i].uid = chunk.ID{}
	}
	want(t, "channels", channels, err, []channelRow{{key: 4, node: "oven"}, {key: 7, node: "lamp", channel: 3}, {key: 9, node: "new"}})
	if len(ids) != 3 || ids[chunk.ID{}] {
		t.Errorf("the channels' ids are not their own: %v", ids)
	}
}

func TestIndexDropsTheFirstForm(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "smartmeter.db"), t.Context()
	atVersion(t, path, 1, firstForm+`
		WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
		INSERT INTO reading (channel, at, boot, seq, timing) SELECT 9, 81985529216486895, i, i, 0 FROM n;`)
	x := indexAt(t, path)
	const at = "\x01\x23\x45\x67\x89\xab\xcd\xef" // of those readings
	if !found(t, path, at) {
		t.Fatal("the old readings are not where the test looks for them")
	}
	for range 2 {
		ok(t, x.dropOld(ctx))
		readings, err := allRows(x.oldReadings(ctx))
		want(t, "old readings", readings, err, nil)
		retained, err := x.oldRetained(ctx)
		want(t, "old retained messages", retained, err, nil)
		expectFirstFormsSettings(t, x)
	}
	if found(t, path, at) {
		t.Error("the old readings are still in the files")
	}
	info, err := os.Stat(path)
	ok(t, err)
	if info.Size() > 256<<10 {
		t.Errorf("the database has %d bytes without them", info.Size())
	}
	conn, err := x.writer.Take(ctx)
	ok(t, err)
	defer x.writer.Put(conn)
	secure, err := number(conn, "PRAGMA secure_delete")
	want(t, "secure_delete afterwards", secure, err, 1)
}

// The power may go while the first form is dropped: its tables are there and
// empty then.
func TestIndexDropsTheFirstFormInTwoGoes(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "smartmeter.db"), t.Context()
	atVersion(t, path, 1, firstForm)
	x, err := openIndex(ctx, path, quiet())
	ok(t, err)
	ok(t, x.close())
	script(t, path, `DELETE FROM reading; DELETE FROM retained;`)
	x = indexAt(t, path)
	readings, err := allRows(x.oldReadings(ctx))
	want(t, "old readings", readings, err, nil)
	ok(t, x.dropOld(ctx))
	has, err := x.hasTable(ctx, "reading")
	want(t, "the table is there", has, err, false)
	expectFirstFormsSettings(t, x)
}

func TestIndexErasesFromTheFirstForm(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "smartmeter.db"), t.Context()
	atVersion(t, path, 1, firstForm)
	x := indexAt(t, path)
	channels, err := x.channels(ctx)
	ok(t, err)
	oven := channels[slices.IndexFunc(channels, func(c channelRow) bool { return c.node == "oven" })]
	ok(t, x.apply(ctx, indexChange{erased: []erasedEntry{{smartmeter.Device{ID: "oven", Node: "oven"}, []chunk.ID{oven.uid}}}}))
	readings, err := allRows(x.oldReadings(ctx))
	want(t, "old readings", readings, err, oldRows()[2:])
	if found(t, path, "latched") {
		t.Error("what was erased is still in the files")
	}
}

// What the first form has kept lies in the log and the monthly files afterwards,
// and needs its database no more.
func TestStoreTakesOverTheFirstForm(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "smartmeter.db")
	atVersion(t, path, 1, firstForm)
	for _, when := range []string{"at first", "after a restart", "without its database"} {
		s, err := Open(t.Context(), Config{Dir: dir, Logger: quiet()})
		ok(t, err)
		rows := oldRows()
		oven, err := allRows(s.Readings(t.Context(), "oven", 0, 0, 1<<50))
		want(t, when+": readings of the oven", oven, err, rows[:2])
		lamp, err := allRows(s.Readings(t.Context(), "lamp", 3, 0, 1<<50))
		want(t, when+": readings of the lamp", lamp, err, rows[2:])
		devices, err := s.Devices(t.Context())
		want(t, when+": devices", devices, err, []smartmeter.Device{{ID: "oven", Name: "Oven ☕", Room: "Kitchen", Kind: smartmeter.Heater, Node: "oven", Parent: "main"}})
		commands, err := s.Commands(t.Context(), "oven", 9)
		if err != nil || len(commands) != 1 || commands[0].Reason != "latched" {
			t.Errorf("%s: commands %v, %v", when, commands, err)
		}
		retained, err := s.Retained(t.Context())
		if err != nil || len(retained) != 2 || retained[1].Topic != "dev/x" {
			t.Errorf("%s: retained messages %v, %v", when, retained, err)
		}
		ok(t, s.Close())
		if when == "after a restart" {
			ok(t, os.Remove(path))
		}
	}
}
