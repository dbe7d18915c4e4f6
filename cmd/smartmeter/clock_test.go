package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

func TestWhoKnowsTheTime(t *testing.T) {
	now := time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC)
	before, after := smartmeter.InstantOf(now.Add(-time.Hour)), smartmeter.InstantOf(now.Add(time.Hour))
	const rtc, timesync = "sys/class/rtc/rtc0", "run/systemd/timesync/synchronized"
	for name, c := range map[string]struct {
		arch   string
		file   string
		synced bool
		now    time.Time
		newest smartmeter.Instant
		want   bool
	}{
		"a Pi that just began":                       {arch: "arm64", now: now},
		"a Pi with a time server":                    {arch: "arm64", now: now, synced: true, want: true},
		"a Pi whose time server went away":           {arch: "arm64", now: now, file: timesync, want: true},
		"a Pi with a clock and a battery":            {arch: "arm64", now: now, file: rtc, newest: before, want: true},
		"a Pi with an empty battery":                 {arch: "arm64", now: now, file: rtc, newest: after},
		"a new Pi with an empty battery":             {arch: "arm64", now: time.Unix(946_684_800, 0), file: rtc},
		"a PC, or a virtual one without a driver":    {arch: "amd64", now: now, newest: before, want: true},
		"a PC that is behind":                        {arch: "amd64", now: now, newest: after},
		"a PC that is behind what it hears of NTP":   {arch: "amd64", now: now, newest: after, synced: true, want: true},
		"a new PC that believes it is the seventies": {arch: "386", now: time.Unix(0, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine{root: t.TempDir(), arch: c.arch, newest: c.newest}
			m.synchronised = func() bool { return c.synced }
			m.now = func() time.Time { return c.now }
			if c.file != "" {
				path := filepath.Join(m.root, c.file)
				if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if got := m.knowsTime(); got != c.want {
				t.Errorf("knows the time: %v, want %v", got, c.want)
			}
		})
	}
}

func TestMachineClock(t *testing.T) {
	clock, err := machineClock(clockTrusted, []smartmeter.Reading{{At: 1 << 60}})
	if err != nil {
		t.Fatal(err)
	}
	if !clock.Trusted() {
		t.Error("a clock that is said to be right is not trusted")
	}
	if auto, err := machineClock("auto", []smartmeter.Reading{{At: 5}, {At: 1 << 60}}); err != nil || auto.Trusted() != (kernelSynchronised() || machine{root: "/"}.wasSynchronised()) {
		t.Errorf("a clock that is behind counts without a time server: %v", err)
	}
	if len(clock.Boot) != 36 || clock.Uptime() <= 0 {
		t.Errorf("boot %q, up for %v", clock.Boot, clock.Uptime())
	}
}
