package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
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

func TestIndexAppliedAgainChangesNothing(t *testing.T) {
	x := newIndex(t)
	ok(t, x.apply(t.Context(), sampleChange()))
	before := dump(t, x)
	ok(t, x.apply(t.Context(), sampleChange()))
	if d := cmp.Diff(before, dump(t, x)); d != "" {
		t.Errorf("the same change again (-before +after):\n%s", d)
	}
	ok(t, x.apply(t.Context(), indexChange{}))
	if d := cmp.Diff(before, dump(t, x)); d != "" {
		t.Errorf("an empty change (-before +after):\n%s", d)
	}
}

func TestIndexReplaces(t *testing.T) {
	x, ctx := newIndex(t), t.Context()
	c := sampleChange()
	ok(t, x.apply(ctx, c))
	again := c.chunks[2]
	again.place = place{month: 700, part: 3, offset: 1, length: 9}
	again.hash[31] = 1
	sent := c.commands[0]
	sent.State, sent.Watts = smartmeter.CommandAcknowledged, smartmeter.WattsDisagree
	lamp := c.devices[0]
	lamp.Name, lamp.Parent = "Desk lamp", ""
	latest := latestRow{2, smartmeter.Reading{Node: "lamp", Channel: 3, At: 9, Seq: 4}}
	ok(t, x.apply(ctx, indexChange{
		chunks:   []chunkRow{again},
		sums:     []sumsRow{{1, 19_676, []byte("new")}},
		latest:   []latestRow{latest},
		boots:    []bootSpan{{1, 0xffffffff, 1, 0xffffffff, 3000}},
		devices:  []smartmeter.Device{lamp},
		commands: []smartmeter.Command{sent},
		settings: map[string]string{"empty": "no more"},
		marks:    archive.Marks{"2024-01.smc": {ID: 1, End: 5}},
		applied:  4,
	}))
	days, err := allRows(x.chunks(ctx, 1, 19_676, forEver))
	want(t, "chunk", days, err, []chunkRow{again})
	sums, err := sumsOf(ctx, x, 1, 0, forEver)
	want(t, "sums", sums, err, []sumsRow{c.sums[0], {1, 19_676, []byte("new")}})
	newest, err := x.latest(ctx)
	want(t, "latest", newest, err, []latestRow{c.latest[0], latest})
	boots, err := allRows(x.boots(ctx))
	want(t, "boots", boots, err, []bootSpan{{1, 0xffffffff, 1, 0xffffffff, 3000}, c.boots[2]})
	devices, err := x.devices(ctx)
	want(t, "devices", devices, err, []smartmeter.Device{lamp, c.devices[1]})
	commands, err := x.commands(ctx, "oven", 9)
	want(t, "commands", commands, err, []smartmeter.Command{c.commands[1], sent})
	settings, err := x.settings(ctx)
	want(t, "settings", settings, err, map[string]string{"site": "S", "empty": "no more"})
	marks, err := x.marks(ctx)
	want(t, "marks", marks, err, archive.Marks{"2024-01.smc": {ID: 1, End: 5}})
	applied, err := x.applied(ctx)
	want(t, "applied", applied, err, 4)
}

func TestIndexChangesAreOneSequence(t *testing.T) {
	x, ctx := newIndex(t), t.Context()
	c := sampleChange()
	ok(t, x.apply(ctx, c))
	oven, lamp := "ab000000000000000000000000000001", "cd000000000000000000000000000002"
	first := []changeRow{
		{1, "chunk", oven + "/2023-11-14", 1},
		{2, "chunk", oven + "/2023-11-14", 2},
		{3, "chunk", oven + "/2023-11-15", 1},
		{4, "chunk", lamp + "/2023-11-14", 1},
		{5, "sums", oven + "/2023-11-14", 2},
		{6, "sums", oven + "/2023-11-15", 1},
		{7, "sums", lamp + "/2023-11-14", 1},
		{8, "command", "c1", 1},
		{9, "command", "c2", 1},
		{10, "command", "c3", 1},
	}
	got, err := x.changes(ctx, 0, 100)
	want(t, "changes", got, err, first)
	got, err = x.changes(ctx, 3, 2)
	want(t, "two of them", got, err, first[3:5])

	c.commands[0].State = smartmeter.CommandAcknowledged
	ok(t, x.apply(ctx, indexChange{
		chunks:   []chunkRow{sampleChunk(1, 19_676, 5)},
		sums:     []sumsRow{{1, 19_675, []byte("added up in another way")}, {1, 19_676, []byte("more")}},
		commands: c.commands[:1],
		moved:    map[place]place{c.chunks[3].place: {month: 1}}, // which is no change to export
	}))
	got, err = x.changes(ctx, 10, 100)
	want(t, "later changes", got, err, []changeRow{
		{11, "chunk", oven + "/2023-11-15", 5},
		{12, "sums", oven + "/2023-11-14", 3},
		{13, "sums", oven + "/2023-11-15", 5},
		{14, "command", "c1", 2},
	})

	ok(t, x.apply(ctx, indexChange{erased: []erasedEntry{{smartmeter.Device{ID: "oven", Node: "oven"}, []chunk.ID{{0xab, 15: 1}}}}}))
	ok(t, x.apply(ctx, indexChange{commands: []smartmeter.Command{{ID: "c4", Device: "d"}}}))
	got, err = x.changes(ctx, 0, 100)
	want(t, "after an erasure", got, err, []changeRow{first[3], first[6], first[9], {15, "command", "c4", 1}})
}

func TestIndexFollowsARewrite(t *testing.T) {
	x, ctx := newIndex(t), t.Context()
	c := sampleChange()
	ok(t, x.apply(ctx, c))
	to := place{month: 655, part: 2, offset: 77, length: 60}
	change := indexChange{
		moved: map[place]place{c.chunks[1].place: to, {month: 1}: {month: 2}},
		gone:  []place{c.chunks[0].place, {month: 3}},
	}
	for range 2 {
		ok(t, x.apply(ctx, change))
		moved := c.chunks[1]
		moved.place = to
		days, err := allRows(x.chunks(ctx, 1, 0, forEver))
		want(t, "chunks", days, err, []chunkRow{moved, c.chunks[2]})
		months, err := x.months(ctx)
		want(t, "months", months, err, []monthSize{{655, 3, 60 + 101 + 101}})
	}
}

// A change that is cut short anywhere must leave nothing behind.
func TestIndexAllOrNothing(t *testing.T) {
	for _, event := range []string{
		"INSERT ON channel", "INSERT ON chunk", "INSERT ON sums", "INSERT ON latest", "INSERT ON boot_span", "INSERT ON device",
		"INSERT ON command", "INSERT ON setting", "INSERT ON mark", "INSERT ON change", "UPDATE ON progress",
	} {
		t.Run(event, func(t *testing.T) {
			x := newIndex(t)
			before := dump(t, x)
			ctx, cut := context.WithCancel(t.Context())
			defer cut()
			cutAt(t, x, event, cut)
			if err := x.apply(ctx, sampleChange()); !errors.Is(err, context.Canceled) || errors.Is(err, errIndexBroken) {
				t.Errorf("a change whose context ended: %v", err)
			}
			if d := cmp.Diff(before, dump(t, x)); d != "" {
				t.Errorf("it left behind (-before +after):\n%s", d)
			}
			ok(t, x.apply(t.Context(), sampleChange()))
			expectSample(t, x)
		})
	}
}

// cutAt calls cut when the index comes to an event.
func cutAt(t *testing.T, x *index, event string, cut func()) {
	t.Helper()
	conn, err := x.writer.Take(t.Context())
	ok(t, err)
	defer x.writer.Put(conn)
	ok(t, conn.CreateFunction("cut", &sqlite.FunctionImpl{
		AllowIndirect: true,
		Scalar: func(sqlite.Context, []sqlite.Value) (sqlite.Value, error) {
			cut()
			return sqlite.Value{}, nil
		},
	}))
	ok(t, sqlitex.ExecuteTransient(conn, `CREATE TEMP TRIGGER cut AFTER `+event+` BEGIN SELECT cut(); END`, nil))
}

// An index that does not know what the store knows is another one's, or damaged.
func TestIndexRefusesWhatItCannotKeep(t *testing.T) {
	x, ctx := newIndex(t), t.Context()
	ok(t, x.apply(ctx, sampleChange()))
	before := dump(t, x)
	setting := map[string]string{"x": "y"} // would be there if a part were
	for name, c := range map[string]indexChange{
		"a chunk of an unknown channel":  {settings: setting, chunks: []chunkRow{sampleChunk(3, 1, 1)}},
		"sums of an unknown channel":     {settings: setting, sums: []sumsRow{{3, 1, []byte("s")}}},
		"an id that another channel has": {settings: setting, channels: []channelRow{{key: 3, uid: chunk.ID{0xab, 15: 1}, node: "new"}}},
	} {
		if err := x.apply(ctx, c); !errors.Is(err, errIndexBroken) {
			t.Errorf("%s: %v, want errIndexBroken", name, err)
		}
		if d := cmp.Diff(before, dump(t, x)); d != "" {
			t.Errorf("%s left something behind (-before +after):\n%s", name, d)
		}
	}
}

// A disk that forgot a channel lets it be made once more. The name goes to the
// newer one, and what the older one has measured stays.
func TestIndexGivesANameToTheNewerChannel(t *testing.T) {
	x, ctx := newIndex(t), t.Context()
	ok(t, x.apply(ctx, sampleChange()))
	before, err := x.channels(ctx)
	ok(t, err)
	ok(t, x.apply(ctx, indexChange{channels: []channelRow{{key: 3, uid: chunk.ID{3}, node: "oven"}}}))
	after, err := x.channels(ctx)
	before[0].node = "?ab000000000000000000000000000001"
	want(t, "channels", after, err, append(before, channelRow{key: 3, uid: chunk.ID{3}, node: "oven"}))
	chunks, err := allRows(x.chunks(ctx, 1, 0, forEver))
	if err != nil || len(chunks) == 0 {
		t.Errorf("the older channel has %d days left, %v", len(chunks), err)
	}
}

func TestIndexErasesForGood(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smartmeter.db")
	x, ctx := indexAt(t, path), t.Context()
	c := sampleChange()
	c.sums[0].packed = bytes.Repeat([]byte("oven-sums "), 5000) // pages of its own
	ok(t, x.apply(ctx, c))
	if !found(t, path, "oven-sums") || !found(t, path, "oven-latched") {
		t.Fatal("what is to be erased was never written")
	}
	ok(t, x.apply(ctx, indexChange{erased: []erasedEntry{{smartmeter.Device{ID: "oven", Node: "oven"}, []chunk.ID{{0xab, 15: 1}}}}}))
	expectErased(t, x)
	expectGone(t, path)
	devices, err := x.devices(ctx)
	want(t, "devices", devices, err, c.devices[:1])
	sums, err := sumsOf(ctx, x, 2, 0, forEver)
	want(t, "the lamp's sums", sums, err, c.sums[2:])
	ok(t, x.apply(ctx, indexChange{erased: []erasedEntry{{smartmeter.Device{ID: "oven", Node: "oven"}, []chunk.ID{{0xab, 15: 1}}}}}))
	expectErased(t, x)
}

// A query that holds an old view keeps the write-ahead log from being emptied.
// That is said, and made good as soon as possible.
func TestIndexErasesForGoodLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smartmeter.db")
	x, ctx := indexAt(t, path), t.Context()
	c := sampleChange()
	ok(t, x.apply(ctx, c))
	conn, err := x.writer.Take(ctx)
	ok(t, err)
	ok(t, pragmas(conn, "busy_timeout = 0"))
	x.writer.Put(conn)
	for _, err := range x.chunks(ctx, 1, 0, forEver) {
		if err != nil {
			t.Error(err)
			break
		}
		if err := x.apply(ctx, indexChange{erased: []erasedEntry{{smartmeter.Device{ID: "oven", Node: "oven"}, []chunk.ID{{0xab, 15: 1}}}}}); !errors.Is(err, errNotYetScrubbed) {
			t.Errorf("erase beside a query: %v", err)
		}
		break
	}
	expectErased(t, x)
	ok(t, x.apply(ctx, indexChange{}))
	expectGone(t, path)
}

func expectErased(t *testing.T, x *index) {
	t.Helper()
	for _, line := range dump(t, x) {
		if strings.Contains(strings.ToLower(line), "oven") && !strings.HasPrefix(line, `device|"lamp:3"`) {
			t.Errorf("left of the oven: %s", line)
		}
	}
	for _, table := range []string{"chunk", "sums", "latest", "boot_span"} {
		n := 0
		err := x.query(t.Context(), `SELECT count(*) FROM `+table+` WHERE channel = 1`, nil, func(stmt *sqlite.Stmt) error {
			n = stmt.ColumnInt(0)
			return nil
		})
		want(t, table+" rows of an erased channel", n, err, 0)
	}
}

// expectGone looks into the raw files for what was the oven's alone. Its id is
// looked for whole: a checksum may end with the first byte, and zeros follow.
func expectGone(t *testing.T, path string) {
	t.Helper()
	id := chunk.ID{0xab, 15: 1}
	for _, word := range []string{"oven-sums", "oven-latched", "Kitchen", "Oven", string(id[:])} {
		if found(t, path, word) {
			t.Errorf("%q is still in the files", word)
		}
	}
}

// found reports whether any of the database's files contains word.
func found(t *testing.T, path, word string) bool {
	t.Helper()
	files, err := filepath.Glob(path + "*")
	ok(t, err)
	return slices.ContainsFunc(files, func(name string) bool {
		raw, err := os.ReadFile(name)
		ok(t, err)
		return bytes.Contains(raw, []byte(word))
	})
}

// Readers beside a writer see whole changes, one after the other.
func TestIndexReadersBesideAWriter(t *testing.T) {
	x, ctx := newIndex(t), t.Context()
	ok(t, x.apply(ctx, indexChange{channels: []channelRow{{key: 1, uid: chunk.ID{1}, node: "n"}}}))
	const changes, perChange = 60, 5
	written := make(chan struct{})
	failed := make(chan error, indexReaders+2)
	for range indexReaders + 2 { // more than there are connections
		go func() {
			seen := 0
			for {
				n, err := countSums(ctx, x)
				if err == nil && (n%perChange != 0 || n < seen) {
					err = fmt.Errorf("saw %d days after %d, in changes of %d", n, seen, perChange)
				}
				seen = n
				select {
				case <-written:
					if err == nil && seen != changes*perChange {
						continue // one look after the last change
					}
				default:
					if err == nil {
						continue
					}
				}
				failed <- err
				return
			}
		}()
	}
	for i := range changes {
		var c indexChange
		for j := range perChange {
			c.sums = append(c.sums, sumsRow{1, chunk.Day(i*perChange + j), bytes.Repeat([]byte{byte(i)}, 2000)})
		}
		ok(t, x.apply(ctx, c))
	}
	close(written)
	for range indexReaders + 2 {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
}

func countSums(ctx context.Context, x *index) (n int, err error) {
	for r, err := range x.sums(ctx, 1, 0, forEver) {
		if err != nil {
			return n, err
		}
		if r.day != chunk.Day(n) || bytes.Count(r.packed, r.packed[:1]) != 2000 {
			return n, fmt.Errorf("day %d is number %d, and not whole", r.day, n)
		}
		n++
	}
	return n, nil
}
