package store_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// BenchmarkReadSealedDay reads a day of samples of every 5 s, all quantities.
func BenchmarkReadSealedDay(b *testing.B) {
	const day, apart = 24 * time.Hour, 5 * time.Second
	s, err := store.Open(b.Context(), store.Config{Dir: b.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r := smartmeter.Reading{Node: "kettle", Boot: 1, At: 1_767_225_600_000, Measurement: smartmeter.Measurement{Has: smartmeter.AllQuantities}}
	from := r.At
	for r.Seq < uint32(day/apart) {
		noise := smartmeter.Decivolt(r.Seq * 2_654_435_761 >> 28)
		r.Seq++
		r.Voltage, r.Power, r.Current = 2300+noise, 20_000+3*smartmeter.Deciwatt(noise), 8700+smartmeter.Milliamp(noise)
		r.Energy, r.Frequency, r.PowerFactor = smartmeter.WattHour(r.Seq*2), 500, 99
		if err := s.AppendReadings(r); err != nil {
			b.Fatal(err)
		}
		r.At += smartmeter.Instant(apart.Milliseconds())
	}
	if err := s.Seal(b.Context(), time.UnixMilli(int64(r.At)).Add(time.Hour)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for _, err := range s.Readings(b.Context(), "kettle", 0, from, r.At) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != int(day/apart) {
			b.Fatalf("%d readings", n)
		}
	}
}
