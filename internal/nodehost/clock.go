package nodehost

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/iot-smart-meter/smartmeter"
)

// clockIfTrusted returns the time of day if the kernel says that its clock is
// synchronised, else 0: a Raspberry Pi without a network wakes up in the past.
// See adjtimex(2).
func clockIfTrusted() smartmeter.Instant {
	var state unix.Timex
	verdict, err := unix.Adjtimex(&state)
	if err != nil || verdict == unix.TIME_ERROR || state.Status&unix.STA_UNSYNC != 0 {
		return 0
	}
	return smartmeter.InstantOf(time.Now())
}

// uptime is for how long this machine has been running, sleep included; 0 if
// nobody knows. Its mains are most likely the meter's.
func uptime() smartmeter.Millis {
	var since unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &since); err != nil {
		return 0
	}
	return smartmeter.Millis(since.Nano() / int64(time.Millisecond))
}
