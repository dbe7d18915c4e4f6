package store

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// injury is what befell a data directory.
type injury struct {
	name string
	harm func(t *testing.T, dir string)
	// finds is where the doctor finds something, and what, as regular expressions.
	finds string
	// leaves is what is lost for good: "" if the directory answers as before.
	leaves string
}

const (
	january  = "chunks/2026-01.smc"
	february = "chunks/2026-02.smc"
)

var injuries = []injury{
	{"no database", lose("smartmeter.db"), `smartmeter\.db: it is missing`, ""},
	{"a database of zeroes", blank("smartmeter.db", 0, 1<<20), `smartmeter\.db: .*damaged`, ""},
	{"half a database", cut("smartmeter.db", -40_000), `smartmeter\.db: .*damaged`, ""},
	{"a database that was condemned", func(t *testing.T, dir string) { ok(t, condemn(dir)) }, `found it to be damaged before`, ""},
	{"a database of another program", sql(`PRAGMA application_id = 7`), `belongs to another program`, ""},
	{"a chunk's row gone", sql(`DELETE FROM chunk WHERE day = 20483`), `does not know a sealed day of (lamp|oven), 2026-01-30`, ""},
	{"a chunk's row made up", sql(`INSERT INTO chunk SELECT channel, 20000, version, month, part, 1 << 40, length, count, first_at, last_at, quantities, hash FROM chunk LIMIT 1`), `names a sealed day of (lamp|oven), 2024-10-04`, ""},
	{"a chunk's place changed", sql(`UPDATE chunk SET "offset" = "offset" + 512 WHERE day = 20483`), `what it says of a sealed day of (lamp|oven), 2026-01-30`, ""},
	{"a byte of sums changed", sql(`UPDATE sums SET packed = CAST(substr(packed, 1, 20) || x'99' || substr(packed, 22) AS BLOB) WHERE day = 20484`), `the sums of (lamp|oven) of 2026-01-31 are not`, ""},
	{"sums of another day", sql(`UPDATE sums SET packed = (SELECT packed FROM sums o WHERE o.day = 20485 AND o.channel = sums.channel) WHERE day = 20484`), `the sums of (lamp|oven) of 2026-01-31 are not`, ""},
	{"sums gone", sql(`DELETE FROM sums WHERE day = 20484`), `the sums of (lamp|oven) of 2026-01-31 are missing`, ""},
	{"a day of the ledger changed", sql(`UPDATE energy_day SET packed = (SELECT packed FROM energy_day o WHERE o.day = 20486 AND o.channel = energy_day.channel) WHERE day = 20484`), `the energy of (lamp|oven) of 2026-01-31 is not`, ""},
	{"a byte of the ledger changed", sql(`UPDATE energy_day SET packed = CAST(substr(packed, 1, 5) || x'99' || substr(packed, 7) AS BLOB) WHERE day = 20484`), `the energy of (lamp|oven) of 2026-01-31 is not`, ""},
	{"a month's energy changed", sql(`UPDATE energy_month SET packed = CAST(substr(packed, 1, length(packed) - 3) || x'010203' AS BLOB)`), `the energy of (lamp|oven) of 2026-0[12] is not`, ""},
	{"a month's energy gone", sql(`DELETE FROM energy_month WHERE month = 672`), `the energy of (lamp|oven) of 2026-01 is missing`, ""},
	{"a device renamed", sql(`UPDATE device SET name = 'toaster' WHERE id = 'oven'`), `the device oven is not what people have set`, ""},
	{"a device made up", sql(`INSERT INTO device SELECT 'ghost', name, room, kind, 'ghost', 0, parent, settings FROM device LIMIT 1`), `a device ghost that nobody has set`, ""},
	{"a device gone", sql(`DELETE FROM device`), `the device lamp is missing`, ""},
	{"a command changed", sql(`UPDATE command SET state = 'failed' WHERE id = 'c1'`), `the command c1 is not`, ""},
	{"an alert changed", sql(`UPDATE alert SET cleared_at = 9`), `the alert a1 is not`, ""},
	{"a node's settings changed", sql(`UPDATE device SET settings = '{"Rev":3}' WHERE id = 'lamp'`), `the device lamp is not what people have set`, ""},
	{"a correction changed", sql(`UPDATE correction SET energy = 7777`), `the correction k1 is not`, ""},
	{"a correction gone", sql(`DELETE FROM correction`), `the correction k1 is missing`, ""},
	{"a newest reading made up", sql(`UPDATE latest SET at = at + 864000000, power = 5`), `the newest reading of (lamp|oven), of 2026-02-1\d .*, is in no file`, ""},
	{"a watermark raised", sql(`UPDATE boot_span SET last_seq = last_seq + 1000`), `takes the samples 1 to \d+ of (lamp|oven), boot 00000007, for kept`, ""},
	{"settings cut off", cut(settingsName, -4), `settings\.json: what people said of the site, .*, cannot be read`, ""},
	{"no site", lose(siteName), `site\.id: it is missing`, ""},
	{"half a site", cut(siteName, -20), `site\.id: it does not hold an id`, ""},
	{"another site", rewrite(siteName, strings.Repeat("ab", 16)), `site\.id: it names a site that no monthly file is of`, ""},
	{"two months swapped", swap(january, february), `2026-01\.smc: it is chunks/2026-02\.smc under another name`, ""},
	{"a month under a strange name", rename(january, "chunks/January (copy).smc"), `January \(copy\)\.smc: it is chunks/2026-01\.smc under another name`, ""},
	{"a month under the name of another", rename(january, "chunks/2025-11.smc"), `2025-11\.smc: it is chunks/2026-01\.smc`, ""},
	{"a month twice", copyTo(january, "chunks/2025-12.smc"), `2025-12\.smc: it is another copy of chunks/2026-01\.smc`, ""},
	{"a file of another site", foreign("chunks/2026-03.smc"), `2026-03\.smc: it belongs to another site`, ""},
	{"one copy of a header flipped", flip(january, 30), `2026-01\.smc: one of the two copies of its header is damaged`, ""},
	{"torn end of a month", grow(february, "SM\xf5 and more"), `2026-02\.smc: not whole: .* the trace of a power cut`, ""},
	{"both copies of a header flipped", both(flip(january, 30), flip(january, 30+512)), `2026-01\.smc: its header is damaged`, "readings"},
	{"a month gone", lose(january), `2026-01\.smc: the file is gone`, "readings"},
	{"an empty month", cut(january, -1<<30), `2026-01\.smc: `, "readings"},
	{"a month cut in the middle", half(january), `2026-01\.smc: the file is shorter than it was`, "readings"},
	{"a month cut at its end", cut(january, -600), `2026-01\.smc: the file is shorter than it was`, "readings"},
	{"a bit of a chunk flipped", flip(january, 2500), `2026-01\.smc: the readings of (lamp|oven) of 2026-01-\d\d are lost`, "readings"},
	{"a bit of the journal flipped", flip(february, 1024+16+50), `2026-02\.smc: damaged`, ""},
	{"log cut off", cutLog, `log/.*\.wal: `, "log"},
	{"a bit of the log flipped", flipLog, `log/.*\.wal: `, "log"},
	{"a strange log", strangeLog, `log/.*\.wal: it belongs to another log`, ""},
}

func lose(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { ok(t, os.Remove(filepath.Join(dir, name))) }
}

// cut takes bytes off the end of a file.
func cut(name string, bytes int64) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		info, err := os.Stat(filepath.Join(dir, name))
		ok(t, err)
		ok(t, os.Truncate(filepath.Join(dir, name), max(info.Size()+bytes, 0)))
	}
}

func half(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		info, err := os.Stat(filepath.Join(dir, name))
		ok(t, err)
		ok(t, os.Truncate(filepath.Join(dir, name), info.Size()/2))
	}
}

func change(t *testing.T, name string, how func([]byte) []byte) {
	t.Helper()
	b, err := os.ReadFile(name)
	ok(t, err)
	ok(t, os.WriteFile(name, how(b), 0o600))
}

func flip(name string, at int) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		change(t, filepath.Join(dir, name), func(b []byte) []byte { b[at] ^= 4; return b })
	}
}

func blank(name string, from, to int) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		change(t, filepath.Join(dir, name), func(b []byte) []byte { clear(b[from:min(to, len(b))]); return b })
	}
}

func rewrite(name, content string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		change(t, filepath.Join(dir, name), func([]byte) []byte { return []byte(content) })
	}
}

func grow(name, more string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		change(t, filepath.Join(dir, name), func(b []byte) []byte { return append(b, more...) })
	}
}

func rename(from, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		ok(t, os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)))
	}
}

func copyTo(from, to string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		ok(t, copyFile(filepath.Join(dir, from), filepath.Join(dir, to)))
	}
}

func swap(a, b string) func(*testing.T, string) {
	return both(rename(a, "between"), both(rename(b, a), rename("between", b)))
}

func both(first, second func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, dir string) { first(t, dir); second(t, dir) }
}

func sql(text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { script(t, filepath.Join(dir, databaseName), text) }
}

// foreign puts a file of another site there.
func foreign(name string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		other, err := disk.OpenDir(t.TempDir())
		ok(t, err)
		defer other.Close()
		a, err := archive.Open(archive.Config{FS: other, Dir: ".", Site: [16]byte{1, 2, 3}})
		ok(t, err)
		defer a.Close()
		ok(t, a.Append(archive.Month(674), 1, []byte("of other people")))
		_, err = a.Sync(t.Context())
		ok(t, err)
		content := make([]byte, 1600)
		f, err := other.Open("2026-03.smc")
		ok(t, err)
		defer f.Close()
		n, _ := f.ReadAt(content, 0)
		ok(t, os.WriteFile(filepath.Join(dir, name), content[:n], 0o600))
	}
}

// segments are the files of the log that count, in order.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, logDir, "*.wal"))
	ok(t, err)
	return names
}

// cutLog takes the second half of the newest segment's records.
func cutLog(t *testing.T, dir string) {
	names := segments(t, dir)
	change(t, names[len(names)-1], func(b []byte) []byte {
		n := len(strings.TrimRight(string(b), "\x00"))
		return b[:(1024+n)/2]
	})
}

func flipLog(t *testing.T, dir string) {
	names := segments(t, dir)
	change(t, names[len(names)-1], func(b []byte) []byte {
		b[len(strings.TrimRight(string(b), "\x00"))-200] ^= 4
		return b
	})
}

// strangeLog puts a segment of another log before those that are there.
func strangeLog(t *testing.T, dir string) {
	other := segments(t, patient(t))
	for filepath.Base(other[0]) > filepath.Base(segments(t, dir)[0]) {
		other = segments(t, patient(t))
	}
	content, err := os.ReadFile(other[0])
	ok(t, err)
	ok(t, os.WriteFile(filepath.Join(dir, logDir, filepath.Base(other[0])), content, 0o600))
}
