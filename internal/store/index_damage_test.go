package store

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
)

// filled returns the bytes of a closed database with many pages.
func filled(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smartmeter.db")
	x, err := openIndex(t.Context(), path, quiet())
	ok(t, err)
	c := sampleChange()
	for day := range chunk.Day(200) {
		c.chunks = append(c.chunks, sampleChunk(2, day, 1))
		c.commands = append(c.commands, smartmeter.Command{ID: "d" + day.String(), Device: "lamp:3", AskedAt: day.Midnight()})
	}
	for day := range chunk.Day(6) {
		c.sums = append(c.sums, sumsRow{2, day, bytes.Repeat([]byte{'s'}, 3000)})
	}
	ok(t, x.apply(t.Context(), c))
	ok(t, x.close())
	raw, err := os.ReadFile(path)
	ok(t, err)
	return raw
}

// openRaw opens a database of these bytes.
func openRaw(t *testing.T, raw []byte) (*index, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "smartmeter.db")
	ok(t, os.WriteFile(path, raw, 0o600))
	return openIndex(t.Context(), path, quiet())
}

func TestIndexRefusesBrokenFiles(t *testing.T) {
	whole := filled(t)
	zeroed := func(page int) []byte {
		raw := bytes.Clone(whole)
		clear(raw[page*4096:][:4096])
		return raw
	}
	for name, raw := range map[string][]byte{
		"a word":                    []byte("hello"),
		"zeroes":                    make([]byte, 64<<10),
		"garbage":                   bytes.Repeat([]byte("garbage!"), 8<<10),
		"cut in the first page":     whole[:1000],
		"cut after the first page":  whole[:4096],
		"cut in the middle":         whole[:len(whole)/2/4096*4096],
		"cut in a page":             whole[:len(whole)-1000],
		"the first page is zeroes":  zeroed(0),
		"the second page is zeroes": zeroed(1),
	} {
		x, err := openRaw(t, raw)
		if err == nil { // then the first thorough look must tell
			err = errors.Join(x.check(t.Context()), x.close())
		}
		if !errors.Is(err, errIndexBroken) {
			t.Errorf("%s: %v, want errIndexBroken", name, err)
		}
	}
}

// Whichever page a card loses: what can be read is right, or the damage is said.
func TestIndexNeverReadsAnotherValueFromDamage(t *testing.T) {
	whole := filled(t)
	x, err := openRaw(t, whole)
	ok(t, err)
	right := everything(t, x)
	ok(t, x.close())
	if right == "" {
		t.Fatal("the undamaged database cannot be read")
	}
	for page := range len(whole) / 4096 {
		for name, with := range map[string]byte{"zeroes": 0, "ones": 0xff} {
			raw := bytes.Clone(whole)
			copy(raw[page*4096:], bytes.Repeat([]byte{with}, 4096))
			x, err := openRaw(t, raw)
			if err != nil {
				if !errors.Is(err, errIndexBroken) {
					t.Errorf("page %d is %s, open: %v", page, name, err)
				}
				continue
			}
			if got := everything(t, x); got != "" && got != right {
				t.Errorf("page %d is %s: other values, and no error", page, name)
			}
			if err := x.check(t.Context()); !errors.Is(err, errIndexBroken) {
				t.Errorf("page %d is %s, check: %v", page, name, err)
			}
			ok(t, x.close())
		}
	}
}

// everything returns what all reads tell, or "" if one fails as it should.
func everything(t *testing.T, x *index) string {
	t.Helper()
	var all strings.Builder
	look := func(v any, err error) {
		switch {
		case errors.Is(err, errIndexBroken):
			all.WriteString("\x00")
		case err != nil:
			t.Errorf("a read failed without saying that the index is damaged: %v", err)
		default:
			fmt.Fprintf(&all, "%v\n", v)
		}
	}
	ctx := t.Context()
	look(x.channels(ctx))
	for _, key := range []channelKey{1, 2} {
		look(allRows(x.chunks(ctx, key, 0, forEver)))
		look(sumsOf(ctx, x, key, 0, forEver))
	}
	look(x.latest(ctx))
	look(allRows(x.boots(ctx)))
	look(x.devices(ctx))
	look(x.commands(ctx, "lamp:3", 1000))
	look(x.settings(ctx))
	look(x.marks(ctx))
	look(x.applied(ctx))
	look(x.months(ctx))
	look(x.changes(ctx, 0, 1000))
	if strings.Contains(all.String(), "\x00") {
		return ""
	}
	return all.String()
}

func TestIndexLeavesOthersAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		sql  string
		want error
	}{
		"a newer version":          {`PRAGMA application_id = 0x534d7472; PRAGMA user_version = 99; CREATE TABLE future (x);`, errIndexNewer},
		"another program":          {`PRAGMA application_id = 0x12345678; CREATE TABLE theirs (x);`, errIndexForeign},
		"another program, unnamed": {`CREATE TABLE theirs (x);`, errIndexForeign},
	} {
		path := filepath.Join(t.TempDir(), "smartmeter.db")
		script(t, path, tt.sql)
		before, err := os.ReadFile(path)
		ok(t, err)
		_, err = openIndex(t.Context(), path, quiet())
		if !errors.Is(err, tt.want) || errors.Is(err, errIndexBroken) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(before, after) {
			t.Errorf("%s: the database was touched, %v", name, err)
		}
	}
}

func TestIndexMissesItsTables(t *testing.T) {
	for _, table := range []string{"chunk", "sums", "progress", "change"} {
		path := filepath.Join(t.TempDir(), "smartmeter.db")
		ok(t, os.WriteFile(path, filled(t), 0o600))
		script(t, path, `DROP VIEW IF EXISTS v_`+table+`s; DROP TABLE `+table)
		if _, err := openIndex(t.Context(), path, quiet()); !errors.Is(err, errIndexBroken) {
			t.Errorf("without table %s: %v", table, err)
		}
	}
}

func TestIndexWhereNoFileCanBe(t *testing.T) {
	_, err := openIndex(t.Context(), t.TempDir(), quiet())
	if err == nil || errors.Is(err, errIndexBroken) {
		t.Errorf("open a directory: %v; it is not a damaged index", err)
	}
}

// A card that forgets to write one page leaves tables and their indexes apart.
// SQLite may take that for a broken constraint, when something is erased.
func TestIndexErasesFromDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "smartmeter.db")
	x, err := openIndex(t.Context(), path, quiet())
	ok(t, err)
	ok(t, x.apply(t.Context(), indexChange{channels: sampleChange().channels}))
	ok(t, x.close())
	before, err := os.ReadFile(path)
	ok(t, err)
	x, err = openIndex(t.Context(), path, quiet())
	ok(t, err)
	ok(t, x.apply(t.Context(), sampleChange()))
	ok(t, x.close())
	after, err := os.ReadFile(path)
	ok(t, err)

	constraints := 0
	erased := indexChange{erased: []erasedEntry{{smartmeter.Device{ID: "oven"}, []chunk.ID{{0xab, 15: 1}}}}}
	for page := range len(before) / 4096 {
		raw := bytes.Clone(after)
		copy(raw[page*4096:], before[page*4096:(page+1)*4096])
		x, err := openRaw(t, raw)
		if err == nil {
			err = x.apply(t.Context(), erased)
			constraints += strings.Count(fmt.Sprint(err), "constraint failed")
			if broken := x.damage(); err != nil && !errors.Is(broken, errIndexBroken) {
				t.Errorf("page %d is forgotten: %v, and later the index says %v", page, err, broken)
			}
			ok(t, x.close())
		}
		if err != nil && !errors.Is(err, errIndexBroken) {
			t.Errorf("page %d is forgotten: %v, want errIndexBroken", page, err)
		}
	}
	if constraints == 0 {
		t.Error("no constraint has failed: this tests nothing")
	}
}
