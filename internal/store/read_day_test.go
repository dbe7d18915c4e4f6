package store_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// TestPartsOfASealedDay asks for parts of a day that is sealed, of which many
// readings are handed on at once, and once more when a late reading waits in
// memory.
func TestPartsOfASealedDay(t *testing.T) {
	const count, apart = 1000, 60_000
	midnight := smartmeter.Instant(1_767_225_600_000)
	s, err := store.Open(t.Context(), store.Config{Dir: t.TempDir(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var all []smartmeter.Reading
	for i := range count {
		all = append(all, smartmeter.Reading{
			Node: "kettle", At: midnight + smartmeter.Instant(i*apart), Boot: 1, Seq: uint32(i + 1),
			Measurement: smartmeter.Measurement{Has: smartmeter.Power, Power: smartmeter.Deciwatt(i)},
		})
	}
	late := all[count-1]
	if err := s.AppendReadings(all[:count-1]...); err != nil {
		t.Fatal(err)
	}
	if err := s.Seal(t.Context(), time.UnixMilli(int64(midnight)).Add(25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	check := func(when string, all []smartmeter.Reading) {
		t.Helper()
		for _, part := range [][2]int{{0, len(all)}, {1, 256}, {255, 257}, {256, 512}, {300, 301}, {511, 513}, {700, 700}, {740, len(all)}} {
			var got []smartmeter.Reading
			from, to := midnight+smartmeter.Instant(part[0]*apart), midnight+smartmeter.Instant(part[1]*apart)
			for r, err := range s.Readings(t.Context(), "kettle", 0, from, to) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, r)
			}
			if diff := cmp.Diff(append([]smartmeter.Reading(nil), all[part[0]:part[1]]...), got); diff != "" {
				t.Errorf("%s, readings %d to %d: %s", when, part[0], part[1], diff)
			}
		}
	}
	check("sealed", all[:count-1])
	if err := s.AppendReadings(late); err != nil {
		t.Fatal(err)
	}
	check("with a late one in memory", all)
}
