package archive

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// TestFormat pins the bytes on the disk: archives of today must be readable for
// ever.
func TestFormat(t *testing.T) {
	d := faultdisk.New(1)
	cfg := Config{FS: d, Dir: "chunks", Site: [16]byte([]byte("0123456789abcdef")), Random: strings.NewReader("FILE_ID1FILE_ID2")}
	a, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	write := func(payloads ...string) error {
		for _, p := range payloads {
			if err := a.Append(682, 3, []byte(p)); err != nil {
				t.Fatal(err)
			}
		}
		_, err := a.Sync(t.Context())
		return err
	}
	if err := write("first", ""); err != nil {
		t.Fatal(err)
	}
	d.FailAfter(1) // the write succeeds, the sync does not
	if err := write("second"); err == nil {
		t.Fatal("a failed sync is not an error")
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	site := hex.EncodeToString([]byte("0123456789abcdef"))
	mustHold(t, d, "chunks/2026-11.smc", []pinned{
		{"magic, version", 0, 8, "534d6172630d0a01"},
		{"site, id", 8, 32, site + "46494c455f494431"},
		{"month, part", 32, 40, "aa020000 01000000"},
		{"no part before", 40, 64, strings.Repeat("00", 24)},
		{"checksum", 64, 68, "7dc01110"},
		{"rest", 68, 512, strings.Repeat("00", 444)},
		{"first frame", 1024, 1045, "534df5f9 03 050000 a010addb cd521fed 6669727374"},
		{"second frame", 1045, 1061, "534df5fa 03 000000 9a1f2f8a 9a1f2f8a"},
		{"rest of the batch", 1061, 1536, strings.Repeat("00", 475)},
	})
	mustHold(t, d, "chunks/2026-11.2.smc", []pinned{
		{"month, part", 32, 40, "aa020000 02000000"},
		{"the part before, sound and end", 40, 64, "01000000 00000000 2504000000000000 2504000000000000"},
		{"checksum", 64, 68, "b3b995e4"},
		{"frame", 1024, 1046, "534df5fb 03 060000 eb4b386a c3bda09a 7365636f6e64"},
	})
}

type pinned struct {
	name     string
	from, to int
	want     string
}

func mustHold(t *testing.T, d *faultdisk.Disk, name string, parts []pinned) {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1536)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	for _, p := range parts {
		if got := hex.EncodeToString(b[p.from:p.to]); got != strings.ReplaceAll(p.want, " ", "") {
			t.Errorf("%s, %s: %s, want %s", name, p.name, got, p.want)
		}
	}
	if !bytes.Equal(b[:512], b[512:1024]) {
		t.Errorf("%s: the header's copies differ", name)
	}
}

// TestChecksumsByTheBook computes a frame's checksums from the package comment
// alone, as a reader in another language would.
func TestChecksumsByTheBook(t *testing.T) {
	h := header{site: [16]byte{1, 2, 3}, id: 99, month: 600, number: 7, previous: 5, sound: 2000, end: 3000}
	file := h.appendTo(nil)
	const at = 4096
	frame := appendFrame(nil, h.seed(), at, 9, []byte("payload"), inBatch|firstOfBatch)
	book := append(bytes.Clone(file[:40]), binary.LittleEndian.AppendUint64(nil, at)...)
	book = append(book, frame[:8]...)
	table := crc32.MakeTable(crc32.Castagnoli)
	if got, want := binary.LittleEndian.Uint32(frame[8:]), crc32.Checksum(book, table); got != want {
		t.Errorf("checksum of the head %08x, want %08x", got, want)
	}
	book = append(book, "payload"...)
	if got, want := binary.LittleEndian.Uint32(frame[12:]), crc32.Checksum(book, table); got != want {
		t.Errorf("checksum of the payload %08x, want %08x", got, want)
	}
}

// A frame must not pass for one of another file or another place.
func TestFramesBelongToOnePlace(t *testing.T) {
	here := header{site: [16]byte{1}, id: 5, month: 600, number: 2}
	otherSite, otherID, otherMonth, otherPart := here, here, here, here
	otherSite.site[3] = 1
	otherID.id++
	otherMonth.month++
	otherPart.number++
	b := appendFrame(nil, here.seed(), 2048, 1, []byte("payload"), inBatch)
	for _, c := range []struct {
		name string
		of   header
		at   int64
		want bool
	}{
		{"its own", here, 2048, true},
		{"another site", otherSite, 2048, false},
		{"a file made anew", otherID, 2048, false},
		{"another month", otherMonth, 2048, false},
		{"another part", otherPart, 2048, false},
		{"another place", here, 2560, false},
	} {
		if _, ok := parseHead(b, c.of.seed(), c.at); ok != c.want {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
}

func TestParseHeader(t *testing.T) {
	site := [16]byte{1}
	good := header{site: site, id: 1, month: 682, number: 2, previous: 1, sound: 1100, end: 1200}
	with := func(change func(*header)) []byte {
		h := good
		change(&h)
		return h.appendTo(nil)
	}
	broken := func(at ...int) []byte {
		b := good.appendTo(nil)
		for _, i := range at {
			b[i] ^= 0x10
		}
		return b
	}
	newer := good.appendTo(nil)
	newer[7] = 2
	binary.LittleEndian.PutUint32(newer[64:], crc32.Checksum(newer[:64], castagnoli()))
	for _, c := range []struct {
		name string
		b    []byte
		want headerState
	}{
		{"as written", good.appendTo(nil), headerIntact},
		{"the first copy is damaged", broken(30), headerIntact},
		{"the second copy is damaged", broken(542), headerIntact},
		{"both are", broken(30, 542), headerBroken},
		{"cut in the second copy", good.appendTo(nil)[:600], headerBlank},
		{"empty", nil, headerBlank},
		{"zero", make([]byte, headerBytes), headerBlank},
		{"another site", with(func(h *header) { h.site[0] = 9 }), headerForeign},
		{"another month", with(func(h *header) { h.month = 3 }), headerForeign},
		{"another part", with(func(h *header) { h.number = 3 }), headerForeign},
		{"a later format", newer, headerNewer},
		{"a part before that is later", with(func(h *header) { h.previous = 2 }), headerBroken},
		{"an end before the sound", with(func(h *header) { h.end = 1000 }), headerBroken},
	} {
		t.Run(c.name, func(t *testing.T) {
			h, state := parseHeader(c.b, site, 682, 2)
			if state != c.want || state == headerIntact && h != good {
				t.Errorf("state %d, %+v; want state %d", state, h, c.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		name  string
		month Month
		part  uint32
		ok    bool
	}{
		{"2026-11.smc", 682, 1, true},
		{"2026-11.2.smc", 682, 2, true},
		{"1970-01.4294967295.smc", 0, math.MaxUint32, true},
		{"9999-12.smc", lastMonth, 1, true},
		{name: "2026-11.1.smc"},
		{name: "2026-11.02.smc"},
		{name: "2026-11.4294967296.smc"},
		{name: "2026-11.-2.smc"},
		{name: "2026-13.smc"},
		{name: "2026-1.smc"},
		{name: "1969-12.smc"},
		{name: "2026-11.smc.new"},
		{name: "2026-11"},
		{name: "README"},
	} {
		m, part, ok := parseName(c.name)
		if ok != c.ok || ok && (m != c.month || part != c.part || fileName(m, part) != c.name) {
			t.Errorf("parseName(%q) = %v, %d, %v", c.name, m, part, ok)
		}
	}
}

func TestMonthOf(t *testing.T) {
	for _, c := range []struct {
		time  time.Time
		want  string
		valid bool
	}{
		{time.UnixMilli(0), "1970-01", true},
		{time.UnixMilli(-1), "month -1", false},
		{time.Date(2026, 11, 30, 23, 59, 59, 999e6, time.UTC), "2026-11", true},
		{time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC), "2026-12", true},
		{time.Date(2026, 12, 1, 0, 0, 0, 0, time.FixedZone("east", 3600)), "2026-11", true},
		{time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), "9999-12", true},
		{time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), "month 96360", false},
		{time.UnixMilli(math.MaxInt64), "month 96360", false},
		{time.UnixMilli(math.MinInt64), "month -1", false},
	} {
		if m := MonthOf(c.time.UnixMilli()); m.String() != c.want || m.valid() != c.valid {
			t.Errorf("%v is in %v, want %s", c.time, m, c.want)
		}
	}
}
