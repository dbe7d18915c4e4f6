package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What the operating system accounts to a process, see proc_pid_stat(5) and
// proc_pid_status(5).

// cpu returns the processor time of a process and all its threads until now, by
// its own clock: /proc counts in hundredths of a second, which is as much as a
// short run takes. See clock_getcpuclockid(3) for the name of that clock.
func cpu(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED: user and system time
	var now unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &now); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(now.Nano()), nil
}

// The memory that a process has of its own or shares, in /proc's words.
const (
	resident     = "VmRSS"
	residentPeak = "VmHWM"
)

// memory returns one of a process's sizes in bytes.
func memory(pid int, which string) (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if name, size, _ := strings.Cut(line, ":"); name == which {
			kib, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(size), " kB"), 64)
			return kib * 1024, err
		}
	}
	return 0, fmt.Errorf("/proc/%d/status says nothing of %s", pid, which)
}
