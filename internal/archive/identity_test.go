package archive

import (
	"testing"

	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

func TestIdentify(t *testing.T) {
	d := faultdisk.New(1)
	a, err := Open(Config{FS: d, Dir: "chunks", Site: [16]byte{7}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Append(682, 3, []byte("payload")); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := d.Open("chunks/2026-11.smc")
	if err != nil {
		t.Fatal(err)
	}
	whole := make([]byte, HeaderBytes)
	if _, err := f.ReadAt(whole, 0); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		harm   func([]byte) []byte
		copies int
	}{
		{"whole", func(b []byte) []byte { return b }, 2},
		{"first copy flipped", func(b []byte) []byte { b[9] ^= 1; return b }, 1},
		{"second copy flipped", func(b []byte) []byte { b[copyBytes+60] ^= 1; return b }, 1},
		{"cut in the second copy", func(b []byte) []byte { return b[:copyBytes+20] }, 1},
		{"both flipped", func(b []byte) []byte { b[9] ^= 1; b[copyBytes] ^= 1; return b }, 0},
		{"empty", func(b []byte) []byte { return nil }, 0},
	} {
		got, ok := Identify(c.harm(append([]byte(nil), whole...)))
		if ok != (c.copies > 0) || got.Copies != c.copies {
			t.Errorf("%s: %+v, %v", c.name, got, ok)
		}
		if ok && (got.Site != [16]byte{7} || got.Name() != "2026-11.smc") {
			t.Errorf("%s: it says it is %s of %x", c.name, got.Name(), got.Site)
		}
	}
	if m, ok := MonthOfName("2026-11.2.smc"); !ok || m != 682 {
		t.Errorf("%v, %v", m, ok)
	}
	if _, ok := MonthOfName("2026-11.smc.bak"); ok {
		t.Error("a backup is taken for a month")
	}
}
