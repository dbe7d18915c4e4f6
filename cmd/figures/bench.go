package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// scale is how much is measured.
type scale struct {
	repeat int // how often each figure is measured

	connections int // that publish
	readings    int // of each connection, from publish to query

	meters int           // devices with a day of readings
	day    int           // readings of each
	live   time.Duration // of publishing to watchers

	backlog int // samples that each of the devices has kept during an outage

	rate  int           // messages per second while brokers are compared
	paced time.Duration // of that
	burst int           // messages of each connection, as fast as it goes
	idle  int           // connections that say nothing

	days  int // that are sealed, of ten devices
	kills int // of a hub that has them behind it

	wearFor   time.Duration // readings of time that passes as fast as it can
	wearRows  int           // written to SQLite
	wearBeat  time.Duration // between two syncs at the clock's pace
	wearBeats int
}

const (
	sampleInterval = 5 * time.Second
	secondsOfADay  = 24 * 60 * 60
)

func scaleOf(quick bool) scale {
	if quick {
		return scale{
			repeat:      1,
			connections: 50,
			readings:    10,
			meters:      5,
			day:         500,
			live:        time.Second,
			backlog:     300,
			rate:        1000,
			paced:       300 * time.Millisecond,
			burst:       20,
			idle:        100,
			days:        2,
			kills:       2,
			wearFor:     10 * time.Minute,
			wearRows:    100,
			wearBeat:    10 * time.Millisecond,
			wearBeats:   2,
		}
	}
	return scale{
		repeat:      3,
		connections: 1000,
		readings:    100,
		meters:      100,
		day:         secondsOfADay / int(sampleInterval.Seconds()),
		live:        5 * time.Second,
		backlog:     10_000,
		rate:        10_000,
		paced:       3 * time.Second,
		burst:       150,
		idle:        10_000,
		days:        365,
		kills:       50,
		wearFor:     48 * time.Hour,
		wearRows:    5000,
		wearBeat:    10 * time.Second,
		wearBeats:   9,
	}
}

// bench is what the measurements share.
type bench struct {
	scale
	program string // path of the program under test
	broker  string // path of the broker alone
	dir     string // for data directories
	dirs    int    // made so far
}

// newBench builds the programs as `make build` does.
func newBench(ctx context.Context, dir string, s scale) (*bench, error) {
	b := &bench{scale: s, dir: dir, program: filepath.Join(dir, "smartmeter"), broker: filepath.Join(dir, "broker")}
	return b, errors.Join(build(ctx, b.program, "smartmeter"), build(ctx, b.broker, "figures/broker"))
}

// build builds a program of cmd.
func build(ctx context.Context, path, name string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", path,
		"github.com/iot-smart-meter/smartmeter/cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w: %s", name, err, said)
	}
	return nil
}

// newDir returns a new, empty directory.
func (b *bench) newDir() (string, error) {
	b.dirs++
	dir := filepath.Join(b.dir, strconv.Itoa(b.dirs))
	return dir, os.Mkdir(dir, 0o700)
}

// startHub starts a hub on a data directory.
func (b *bench) startHub(ctx context.Context, data string) (*process, error) {
	return launch(ctx, b.program, "hub", "--open", "--data", data, "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--log-level", "error")
}

// startFreshHub starts a hub without a past.
func (b *bench) startFreshHub(ctx context.Context) (*process, error) {
	dir, err := b.newDir()
	if err != nil {
		return nil, err
	}
	return b.startHub(ctx, dir)
}

// raiseFileLimit allows as many open files as this user may have, also to the
// programs that are started from here: setting it explicitly is what makes Go
// pass it on.
func raiseFileLimit() error {
	limit, err := fileLimit()
	if err != nil {
		return err
	}
	limit.Cur = limit.Max
	return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
}

func fileLimit() (limit syscall.Rlimit, err error) {
	err = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	return limit, err
}
