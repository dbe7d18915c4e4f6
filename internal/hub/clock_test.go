package hub

import (
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

// NTP steps the hub's clock by five minutes: samples stay where they belong on
// the new clock, and a command stays valid for ten seconds.
func TestClockStepMovesNothing(t *testing.T) {
	for name, step := range map[string]smartmeter.Instant{"forward": 300_000, "backward": -300_000} {
		t.Run(name, func(t *testing.T) {
			var c bootClock
			before := moment{wall: 1_000_000_000, uptime: 5000}
			c.place(smartmeter.Sample{Boot: 1, Seq: 1, T: 1000}, before)

			after := moment{wall: before.wall + 5000 + step, uptime: 10_000}
			if at := c.place(smartmeter.Sample{Boot: 1, Seq: 2, T: 6000}, after); at != after.wall {
				t.Errorf("a sample of now is placed %d ms away", at-after.wall)
			}
			if now, known := c.now(after); !known || now != 6000 {
				t.Errorf("the node's clock shows %d, want 6000", now)
			}
		})
	}
}

func TestClockForgetsOldOffsets(t *testing.T) {
	var c bootClock
	c.hear(1, 0, moment{uptime: 0})
	if _, known := c.now(moment{uptime: 9 * 60_000}); !known {
		t.Error("forgotten within the window")
	}
	if _, known := c.now(moment{uptime: 11 * 60_000}); known {
		t.Error("an offset of eleven minutes ago is still believed")
	}
	c.hear(2, 5, moment{uptime: 12 * 60_000})
	if now, known := c.now(moment{uptime: 12*60_000 + 1}); !known || now != 6 {
		t.Errorf("after another boot: %d, %v", now, known)
	}
}

// A node that knows the time counts its samples of a week ago with a crystal
// that is 40 ppm off: its clock is right, and its count is 24 s away.
func TestClockOfANodeCountsHoweverOldTheSample(t *testing.T) {
	const week, drift = 7 * 24 * 3_600_000, 24_192
	now := moment{wall: 1_000_000_000_000, uptime: 5000}
	for name, tt := range map[string]struct {
		at   smartmeter.Instant
		want smartmeter.Instant
	}{
		"within what a crystal is off": {now.wall - week, now.wall - week},
		"an hour away":                 {now.wall - week - 3_600_000, now.wall - week - drift},
		"none":                         {0, now.wall - week - drift},
	} {
		var c bootClock
		c.hear(1, 2*week, now)
		at, known := c.placeOld(smartmeter.Sample{Boot: 1, Seq: 1, T: week - drift, At: tt.at}, now)
		if !known || at != tt.want {
			t.Errorf("%s: placed %d ms from where it belongs", name, at-tt.want)
		}
	}
}
