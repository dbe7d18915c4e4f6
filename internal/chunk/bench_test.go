package chunk

import (
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

func BenchmarkEncodeDay(b *testing.B) {
	readings := newHousehold(1).day(testDay)
	var e Encoder
	var p []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if p, err = e.Encode(p[:0], Header{Day: testDay}, readings); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(p))/float64(len(readings)), "B/sample")
}

func BenchmarkDecodeDay(b *testing.B) {
	var e Encoder
	p, err := e.Encode(nil, Header{Day: testDay}, newHousehold(1).day(testDay))
	if err != nil {
		b.Fatal(err)
	}
	wants := []struct {
		name string
		want smartmeter.Quantities
	}{
		{"all", smartmeter.AllQuantities},
		{"none", 0},
		{"voltage", smartmeter.Voltage},
		{"power", smartmeter.Power},
		{"energy", smartmeter.Energy},
		{"current", smartmeter.Current},
	}
	for _, bb := range wants {
		b.Run(bb.name, func(b *testing.B) {
			var d Decoder
			var readings []smartmeter.Reading
			b.ReportAllocs()
			for b.Loop() {
				if _, readings, err = d.DecodeOnly(p, bb.want, readings); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(readings)), "ns/sample")
		})
	}
}

func BenchmarkReadHeader(b *testing.B) {
	var e Encoder
	p, err := e.Encode(nil, Header{Day: testDay}, newHousehold(1).day(testDay))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := ReadHeader(p); err != nil {
			b.Fatal(err)
		}
	}
}
