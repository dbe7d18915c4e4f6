package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"golang.org/x/sys/unix"
)

// machine tells whether the computer that the hub runs on knows the time.
type machine struct {
	// root is where its file system begins, and arch its kind, as runtime.GOARCH.
	root, arch string
	// synchronised reports whether the kernel's clock is kept right by a time
	// server.
	synchronised func() bool
	now          func() time.Time
	// newest is the time of the newest reading that is known.
	newest smartmeter.Instant
}

// The word that --clock takes beside auto.
const clockTrusted = "trusted"

// machineClock returns this machine's clock for a hub whose newest readings are
// latest.
func machineClock(word string, latest []smartmeter.Reading) (hub.Clock, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return hub.Clock{}, fmt.Errorf("read the id of this machine's boot: %w", err)
	}
	m := machine{root: "/", arch: runtime.GOARCH, synchronised: kernelSynchronised, now: time.Now}
	for _, r := range latest {
		m.newest = max(m.newest, r.At)
	}
	clock := hub.Clock{Trusted: m.knowsTime, Boot: strings.TrimSpace(string(boot)), Uptime: uptime}
	if word == clockTrusted {
		clock.Trusted = func() bool { return true }
	}
	return clock, nil
}

// knowsTime reports whether the wall clock can be right: a time server sets it,
// or did since the machine began, or the machine has a clock that runs while it
// is off, and that shows no time before what is known to have been.
func (m machine) knowsTime() bool {
	return m.synchronised() || m.wasSynchronised() || m.hasClock() && !m.isBehind()
}

// wasSynchronised reports whether systemd-timesyncd has set the clock since the
// machine began: it then touches this file (systemd-timesyncd.service(8)). The
// kernel forgets that when no server has answered for some hours.
func (m machine) wasSynchronised() bool {
	_, err := os.Stat(filepath.Join(m.root, "run/systemd/timesync/synchronized"))
	return err == nil
}

// hasClock reports whether the machine sets its clock by itself when it begins:
// from one with a battery, which the kernel lists, or, as every PC and every
// virtual one does with or without such a driver, from its firmware or its host.
func (m machine) hasClock() bool {
	clocks, err := os.ReadDir(filepath.Join(m.root, "sys/class/rtc"))
	return err == nil && len(clocks) > 0 || slices.Contains([]string{"amd64", "386"}, m.arch)
}

// isBehind reports whether the clock shows a time that is over for sure: that of
// the newest reading, by a node's clock that may be ahead a little, or before
// this program was written. Its battery is empty.
func (m machine) isBehind() bool {
	written := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC)
	return m.now().Before(written) || m.now().Add(time.Minute).Before(m.newest.Time())
}

// kernelSynchronised asks the kernel, see adjtimex(2).
func kernelSynchronised() bool {
	var t unix.Timex
	_, err := unix.Adjtimex(&t)
	return err == nil && t.Status&unix.STA_UNSYNC == 0
}

// uptime returns the time since the machine began, sleep included.
func uptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic(fmt.Sprintf("CLOCK_BOOTTIME, which Linux has since 2.6.39: %v", err))
	}
	return time.Duration(t.Nano())
}
