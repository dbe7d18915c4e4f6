package wal

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// TestFormat pins the bytes on the disk: logs of today must be readable for
// ever.
func TestFormat(t *testing.T) {
	d := faultdisk.New(1)
	cfg := Config{FS: d, Dir: "hot", SegmentBytes: 4096, Random: bytes.NewReader([]byte("0123456789abcdefLIFELIFE"))}
	l, _, err := Open(cfg, func(Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{"first", ""} {
		if _, err := l.Append(3, []byte(payload)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Release(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	f, err := d.Open("hot/0000000000000001-4546494c4546494c.wal")
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	if _, err := f.ReadAt(b, 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		from, to int
		want     string
	}{
		{"magic", 0, 8, "534d77616c000d0a"},
		{"id, number, life", 8, 40, "30313233343536373839616263646566 0100000000000000 4c4946454c494645"},
		{"first, checkpoint, earlier lives", 40, 64, "0100000000000000 0200000000000000 0000000000000000"},
		{"no life", 64, 448, strings.Repeat("00", 384)},
		{"checksum", 448, 452, "bb1a4a8c"},
		{"first record", 1024, 1041, "9983649c 05008003 01000000 6669727374"},
		{"second record", 1041, 1053, "d6d02742 00000003 02000000"},
		{"checkpoint", 1053, 1073, "437becb9 08000000 03000000 0200000000000000"},
		{"rest", 1073, 4096, strings.Repeat("00", 4096-1073)},
	} {
		if got := hex.EncodeToString(b[c.from:c.to]); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if !bytes.Equal(b[:512], b[512:1024]) {
		t.Error("the header's copies differ")
	}
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		name   string
		end, n int
		want   int
	}{
		{"at the next sector", 1100, 300, 1536},
		{"at a sector's start", 1536, 300, 1536},
		{"up to the block's end", 1536, 2560, 1536},
		{"not across a block's end, if it fits into one", 1536, 2561, 4096},
		{"across it, if it touches two blocks anyway", 1536, 5000, 1536},
		{"not across it, if that would make three of two", 3584, 5000, 4096},
		{"at a block's start", 4096, 4096, 4096},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := place(c.end, c.n); got != c.want {
				t.Errorf("place(%d, %d) = %d, want %d", c.end, c.n, got, c.want)
			}
		})
	}
}

func TestParseName(t *testing.T) {
	for _, c := range []struct {
		name string
		want bool
	}{
		{"000000000000002a-9f3a01bc27de5f60.wal", true},
		{"000000000000002A-9f3a01bc27de5f60.wal", false},
		{"2a-9f3a01bc27de5f60.wal", false},
		{"000000000000002a.wal", false},
		{"000000000000002a-9f3a01bc27de5f60", false},
		{"000000000000002a-9f3a01bc27de5f60.spare", false},
		{"+00000000000002a-9f3a01bc27de5f60.wal", false},
	} {
		tag, ok := parseName(c.name, segmentSuffix)
		if ok != c.want || ok && tag.base()+segmentSuffix != c.name {
			t.Errorf("parseName(%q) = %v, %v", c.name, tag, ok)
		}
	}
}

// A frame must not pass for one of another segment, another life or another
// position.
func TestFramesBelongToOnePlace(t *testing.T) {
	here := tag{number: 5, life: 7}
	b := appendFrame(nil, 100, 1, []byte("payload"))
	finish(b, here.seed())
	for _, c := range []struct {
		name     string
		tag      tag
		expected Position
		want     bool
	}{
		{"its own", here, 100, true},
		{"another segment", tag{number: 6, life: 7}, 100, false},
		{"another life", tag{number: 5, life: 8}, 100, false},
		{"an earlier position", here, 99, false},
		{"a later position", here, 101, false},
		{"4 billion records later", here, 100 + 1<<32, true},
	} {
		if _, ok := parse(b, 0, c.tag.seed(), c.expected, 0); ok != c.want {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
}
