package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// What the operating system accounts to a process, see proc_pid_stat(5) and
// proc_pid_status(5).

// clockTick is the unit of utime and stime: Linux shows 100 in a second on
// every processor.
const clockTick = time.Second / 100

// cpu returns the processor time of a process and all its threads until now.
func cpu(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name, in parentheses, may contain anything; state is field 3.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	user, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * clockTick, err
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
