package hub

import (
	"context"
	"fmt"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// Clock is what the hub must know of its machine's clock. A Raspberry Pi has
// none that runs while it is off: when it starts after a power cut it believes
// some time in the past, until it reaches a time server. Until then nothing is
// stamped with its time.
type Clock struct {
	// Trusted reports whether the machine knows the time. It is asked about
	// every second until it says so once. Nil is a clock that always does; then
	// nothing else here is needed.
	Trusted func() bool
	// Boot is an id of the machine's boot; it must not be empty.
	Boot string
	// Uptime is the time since that boot, whatever happens to the clock. It must
	// not be nil.
	Uptime func() time.Duration
	// Wall tells the time; nil means time.Now.
	Wall func() time.Time
}

// trustClock begins with a clock that is trusted or not.
func (h *Hub) trustClock(clock Clock) {
	h.clock, h.trusted = clock, clock.Trusted == nil
	if !h.trusted && !h.askClock() {
		h.log.Warn("this machine does not know the time; readings are kept by its uptime until it does: let it reach a time server, or, if its clock is right, start the hub with --clock trusted",
			"clock", h.at(time.Now()).wall.Time())
	}
}

// noticeTime says so when the machine has learned the time.
func (h *Hub) noticeTime() {
	if h.askClock() {
		h.log.Info("the machine knows the time now; the readings until now get theirs")
	}
}

// askClock trusts the clock from the moment on at which the machine knows the
// time, which it reports once, and has the store place what is kept by this
// boot's uptime. It stays trusted: what happens to a clock later is a step, and
// moves no sample.
func (h *Hub) askClock() (began bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trusted || !h.clock.Trusted() {
		return false
	}
	now := h.at(time.Now())
	if err := h.store.Place(h.clock.Boot, now.wall-smartmeter.Instant(now.machine)); err != nil {
		h.note(err)
		return false // it is asked again
	}
	h.trusted = true
	for _, c := range h.devices {
		c.lastPower = 0 // the step is no interval
	}
	return true
}

// save keeps a reading that was placed by the hub's clock. While that is not
// trusted the node's own clock counts in its stead, and without one the uptime
// of the machine. The caller holds mu.
func (h *Hub) save(r smartmeter.Reading, own smartmeter.Instant, now moment) error {
	if !h.trusted && own == 0 {
		r.At = smartmeter.Instant(now.machine) - (now.wall - r.At)
		return h.store.AppendUnplaced(h.clock.Boot, r)
	}
	if !h.trusted {
		r.At = own
	}
	h.saving[0] = r
	return h.store.AppendReadings(h.saving[:]...)
}

// probeClock says that readings wait for the time.
func (h *Hub) probeClock(context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.trusted {
		return nil
	}
	return fmt.Errorf("this machine does not know the time, and %d readings wait until it does: let it reach a time server, or, if its clock is right, start the hub with --clock trusted", h.store.Unplaced())
}

// noteClock says how many readings will wait for ever, or until their nodes send
// them again.
func (h *Hub) noteClock() string {
	if n := h.store.Unplaced(); n > 0 {
		return fmt.Sprintf("%d readings are from a time when this machine did not know it, and are kept without one", n)
	}
	return ""
}
