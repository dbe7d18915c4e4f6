package chunk

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/iot-smart-meter/smartmeter"

	"github.com/google/go-cmp/cmp"
)

func TestRT(t *testing.T) {
	g := &plant{r: rand.New(rand.NewPCG(1, 2)), pf: .5}
	rs := g.day(testDay)
	var e Encoder
	b, err := e.Encode(nil, Header{Day: testDay}, rs)
	if err != nil {
		t.Fatal(err)
	}
	var d Decoder
	h, out, err := d.Decode(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(len(b), h)
	for k := range columns {
		t.Log(k, len(e.packed[k]), e.packed[k][0])
	}
	if diff := cmp.Diff(rs, out); diff != "" {
		t.Fatal(diff)
	}
}

func BenchmarkDecode(b *testing.B) {
	g := &plant{r: rand.New(rand.NewPCG(1, 2)), pf: .5}
	rs := g.day(testDay)
	var e Encoder
	p, _ := e.Encode(nil, Header{Day: testDay}, rs)
	var d Decoder
	out := rs
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			_, out, _ = d.Decode(p, out)
		}
	})
	b.Run("power", func(b *testing.B) {
		for b.Loop() {
			_, out, _ = d.DecodeOnly(p, 4, out)
		}
	})
	for _, q := range []smartmeter.Quantities{0, 1, 2, 4, 8, 16, 32} {
		b.Run(fmt.Sprint("q", q), func(b *testing.B) {
			for b.Loop() {
				_, out, _ = d.DecodeOnly(p, q, out)
			}
		})
	}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			p, _ = e.Encode(p[:0], Header{Day: testDay}, rs)
		}
	})
}
