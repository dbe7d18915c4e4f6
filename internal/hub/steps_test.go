package hub_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
)

const (
	minute = smartmeter.Instant(60_000)
	hour   = 60 * minute
	day    = 24 * hour
)

// buckets asks for steps and returns them with the error that ended them.
func (l *lab) buckets(id smartmeter.DeviceID, want smartmeter.Quantities, from, to smartmeter.Instant, width smartmeter.Instant) ([]smartmeter.Bucket, error) {
	var got []smartmeter.Bucket
	for b, err := range l.Buckets(l.t.Context(), id, want, from, to, smartmeter.Millis(width)) {
		if err != nil {
			return got, err
		}
		got = append(got, b)
	}
	return got, nil
}

func TestBucketsSumUpADevice(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("plug")
		const midnight = 11_000 * day
		var readings []smartmeter.Reading
		for at := midnight - hour; at < midnight+hour; at += minute / 2 {
			r := smartmeter.Reading{Node: "plug", At: at}
			r.Has, r.Power, r.Voltage = smartmeter.Power|smartmeter.Voltage, 100, 2300
			readings = append(readings, r)
		}
		if err := l.Import(t.Context(), slices.Values(readings)); err != nil {
			t.Fatal(err)
		}
		got, err := l.buckets("plug", smartmeter.Power, midnight-hour/2, midnight+hour/2, hour)
		if err != nil {
			t.Fatal(err)
		}
		half := smartmeter.Summary{Measured: true, Min: 100, Max: 100, Last: 100, Weighted: 100 * int64(hour/2), Covered: smartmeter.Millis(hour / 2)}
		want := []smartmeter.Bucket{{At: midnight - hour}, {At: midnight}}
		want[0].Of[2], want[1].Of[2] = half, half
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("half an hour on either side of midnight (-want +got):\n%s", diff)
		}
	})
}

func TestBucketsRefuse(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("plug")
		for _, tt := range []struct {
			name   string
			device smartmeter.DeviceID
			to     smartmeter.Instant
			want   smartmeter.Code
		}{
			{"an unknown device", "lamp", day, smartmeter.NotFound},
			{"more steps than an answer holds", "plug", 100_001 * minute, smartmeter.Invalid},
			{"as many as it holds", "plug", 100_000 * minute, ""},
		} {
			got, err := l.buckets(tt.device, smartmeter.AllQuantities, 0, tt.to, minute)
			if code := smartmeter.CodeOf(err); code != tt.want || len(got) > 0 {
				t.Errorf("%s: error %v, want code %q", tt.name, err, tt.want)
			}
		}
	})
}
