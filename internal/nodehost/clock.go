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
