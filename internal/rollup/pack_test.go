package rollup

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"pgregory.net/rapid"
)

func TestPackedDaysComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		readings := drawDay(t, 20_000)
		for _, want := range []smartmeter.Quantities{smartmeter.AllQuantities, smartmeter.Power, smartmeter.Energy | smartmeter.Voltage} {
			all := fold(t, readings, smartmeter.AllQuantities, Quarter)
			if len(all) == 0 {
				continue
			}
			packed := AppendDay([]byte("before"), all)[len("before"):]
			for _, width := range []smartmeter.Millis{Quarter, Hour} {
				got, err := AppendBuckets(nil, packed, want, width)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(fold(t, readings, want, width), got); diff != "" {
					t.Fatalf("quantities %b, step %d ms (-folded +unpacked):\n%s", want, width, diff)
				}
			}
		}
	})
}
