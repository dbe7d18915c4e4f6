package hub

import (
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// bootClock maps a node's milliseconds since boot onto the hub's time.
//
// Every message shows an upper bound of the true offset: it arrived no earlier
// than it was sent. The smallest (arrival - t) of the last ten minutes is
// therefore the best guess; older ones are dropped because the node's crystal
// drifts. Arrivals are counted on the hub's monotonic clock, so that a step of
// its wall clock moves no sample and prolongs no command.
type bootClock struct {
	boot smartmeter.BootID
	// minutes holds the smallest offset of each of the last minutes, by the
	// arrival's minute modulo the window.
	minutes [clockWindow]offsetMinute
}

// clockWindow is how many minutes of offsets are kept.
const clockWindow = 10

// clockTolerance is how far a node's own clock may be from ours to be believed,
// and one of driftOf the age of a sample more: so far a crystal of 100 ppm is off
// by then, on whose count ours relies.
const (
	clockTolerance = 2000
	driftOf        = 10_000
)

type offsetMinute struct {
	minute int64 // of the hub's uptime, from 1; 0 = empty
	offset smartmeter.Millis
}

// moment is one instant on both clocks of the hub.
type moment struct {
	wall   smartmeter.Instant
	uptime smartmeter.Millis
	// guessed says that wall is not to be trusted; machine is then the uptime of
	// the machine, which is.
	guessed bool
	machine smartmeter.Millis
}

// wholeMillisecond cuts t, on both of its clocks. Counted from there, wall time
// and uptime turn their milliseconds together, and two samples of one instant
// stay in their order.
func wholeMillisecond(t time.Time) time.Time {
	return t.Add(-time.Duration(t.Nanosecond() % int(time.Millisecond)))
}

// at returns the moment of now, which must have a monotonic reading. The caller
// holds mu.
func (h *Hub) at(now time.Time) moment {
	m := moment{wall: smartmeter.InstantOf(now), uptime: smartmeter.Millis(now.Sub(h.began).Milliseconds())}
	if h.clock.Wall != nil {
		m.wall = smartmeter.InstantOf(h.clock.Wall())
	}
	if !h.trusted {
		m.guessed, m.machine = true, smartmeter.Millis(h.clock.Uptime().Milliseconds())
	}
	return m
}

// hear takes one observation: boot's clock showed t when the message arrived.
// An observation of another boot begins anew.
func (c *bootClock) hear(boot smartmeter.BootID, t smartmeter.Millis, arrival moment) {
	if boot != c.boot {
		*c = bootClock{boot: boot}
	}
	minute := int64(arrival.uptime)/60_000 + 1
	slot := &c.minutes[minute%clockWindow]
	offset := arrival.uptime - t
	if slot.minute != minute || offset < slot.offset {
		*slot = offsetMinute{minute: minute, offset: offset}
	}
}

// offset returns the hub's uptime at the node's boot, as far as it is known.
func (c *bootClock) offset(now moment) (offset smartmeter.Millis, known bool) {
	oldest := int64(now.uptime)/60_000 + 1 - clockWindow
	for _, m := range c.minutes {
		if m.minute > max(oldest, 0) && (!known || m.offset < offset) {
			offset, known = m.offset, true
		}
	}
	return offset, known
}

// now returns what the node's clock shows now.
func (c *bootClock) now(now moment) (t smartmeter.Millis, known bool) {
	offset, known := c.offset(now)
	return now.uptime - offset, known
}

// place returns when s, which was just measured, was measured. The node's own
// clock decides where it agrees with ours: it does not suffer from the network.
func (c *bootClock) place(s smartmeter.Sample, arrival moment) smartmeter.Instant {
	c.hear(s.Boot, s.T, arrival)
	at, _ := c.placeOld(s, arrival)
	return at
}

// when returns at which time a boot's clock showed t, if that boot is the
// present one.
func (c *bootClock) when(boot smartmeter.BootID, t smartmeter.Millis, now moment) (at smartmeter.Instant, known bool) {
	offset, known := c.offset(now)
	return now.wall - smartmeter.Instant(now.uptime-offset-t), known && boot == c.boot
}

// placeOld does the same for a sample from before, which shows nothing about
// the clocks. Of another boot than the present one only the node's own clock
// can tell the time, and not of the future, as far as we know where that begins.
func (c *bootClock) placeOld(s smartmeter.Sample, now moment) (at smartmeter.Instant, known bool) {
	offset, known := c.offset(now)
	if !known || s.Boot != c.boot {
		return s.At, s.At != 0 && (now.guessed || s.At <= now.wall+clockTolerance)
	}
	age := now.uptime - offset - s.T
	at = now.wall - smartmeter.Instant(age)
	if s.At != 0 && max(s.At-at, at-s.At) <= clockTolerance+smartmeter.Instant(max(age, 0)/driftOf) {
		return s.At, true
	}
	return at, true
}
