package hub

import "github.com/iot-smart-meter/smartmeter"

// bootClock maps a node's milliseconds since boot onto the hub's clock.
//
// Every message shows an upper bound of the true offset: it arrived no earlier
// than it was sent. The smallest (arrival - t) of the last ten minutes is
// therefore the best guess; older ones are dropped because the node's crystal
// drifts.
type bootClock struct {
	boot smartmeter.BootID
	// minutes holds the smallest offset of each of the last minutes, by the
	// arrival's minute modulo the window.
	minutes [clockWindow]offsetMinute
}

// clockWindow is how many minutes of offsets are kept.
const clockWindow = 10

// clockTolerance is how far a node's own clock may be from ours to be believed.
const clockTolerance = 2000

type offsetMinute struct {
	minute int64 // since 1970; 0 = empty
	offset smartmeter.Instant
}

// hear takes one observation: boot's clock showed t when the message arrived.
// An observation of another boot begins anew.
func (c *bootClock) hear(boot smartmeter.BootID, t smartmeter.Millis, arrival smartmeter.Instant) {
	if boot != c.boot {
		*c = bootClock{boot: boot}
	}
	minute := int64(arrival) / 60_000
	slot := &c.minutes[minute%clockWindow]
	offset := arrival - smartmeter.Instant(t)
	if slot.minute != minute || offset < slot.offset {
		*slot = offsetMinute{minute: minute, offset: offset}
	}
}

// offset returns the hub's time at the node's boot, as far as it is known at
// now.
func (c *bootClock) offset(now smartmeter.Instant) (offset smartmeter.Instant, known bool) {
	oldest := int64(now)/60_000 - clockWindow
	for _, m := range c.minutes {
		if m.minute > oldest && (!known || m.offset < offset) {
			offset, known = m.offset, true
		}
	}
	return offset, known
}

// now returns what the node's clock shows now.
func (c *bootClock) now(now smartmeter.Instant) (t smartmeter.Millis, known bool) {
	offset, known := c.offset(now)
	return smartmeter.Millis(now - offset), known
}

// place returns when s, which was just measured, was measured on the hub's
// clock. The node's own clock decides where it agrees with ours: it does not
// suffer from the network.
func (c *bootClock) place(s smartmeter.Sample, arrival smartmeter.Instant) smartmeter.Instant {
	c.hear(s.Boot, s.T, arrival)
	at, _ := c.placeOld(s, arrival)
	return at
}

// placeOld does the same for a sample from before, which shows nothing about
// the clocks. Of another boot than the present one only the node's own clock
// can tell the time.
func (c *bootClock) placeOld(s smartmeter.Sample, now smartmeter.Instant) (at smartmeter.Instant, known bool) {
	offset, known := c.offset(now)
	if !known || s.Boot != c.boot {
		return s.At, s.At != 0
	}
	at = offset + smartmeter.Instant(s.T)
	if s.At != 0 && max(s.At-at, at-s.At) <= clockTolerance {
		return s.At, true
	}
	return at, true
}
