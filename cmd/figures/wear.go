package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// measureWear measures what a sample costs the disk: in days that pass as fast
// as they can, their seals included, and at the clock's pace, where the file
// system's own beats show.
func measureWear(ctx context.Context, b *bench) ([]*figure, error) {
	few := &figure{name: "store: written to the disk per sample, 10 devices", unit: "B", target: atMost(250)}
	many := &figure{name: "store: written to the disk per sample, 100 devices", unit: "B", target: atMost(50)}
	rows := &figure{name: "SQLite: the same, a row and a transaction for each message", unit: "B"}
	paced := &figure{name: "store: the same, 10 devices, at the clock's pace", unit: "B", target: atMost(250)}
	calm := &figure{name: "store: the same, on a file system mounted with commit=300", unit: "B"}
	all := []*figure{few, many, rows, paced, calm}
	l, err := b.newLoopDisk(ctx, "defaults")
	if err != nil {
		return all, b.countWear(ctx, few, many, err)
	}
	for _, step := range []struct {
		f       *figure
		measure func(context.Context, *loopDisk) (float64, error)
	}{
		{few, func(ctx context.Context, l *loopDisk) (float64, error) { return b.wear(ctx, l, 10) }},
		{many, func(ctx context.Context, l *loopDisk) (float64, error) { return b.wear(ctx, l, 100) }},
		{rows, b.wearOfRows},
		{paced, b.wearAtPace},
	} {
		perSample, err := step.measure(ctx, l)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", step.f.name, err), l.close())
		}
		step.f.add(perSample)
	}
	return all, errors.Join(l.close(), b.calmWear(ctx, calm))
}

// calmWear is the wear at the clock's pace where ext4 writes to its journal that a
// file was changed, three blocks each time, once in five minutes and not in five
// seconds. What is synced is not affected.
func (b *bench) calmWear(ctx context.Context, calm *figure) error {
	l, err := b.newLoopDisk(ctx, "commit=300")
	if err != nil {
		return err
	}
	perSample, err := b.wearAtPace(ctx, l)
	calm.add(perSample)
	return errors.Join(err, l.close())
}

// epoch is when the days begin that pass as fast as they can.
const epoch smartmeter.Instant = 1_767_225_600_000 // 2026-01-01

// wear returns how much is written for each sample of some days.
func (b *bench) wear(ctx context.Context, l *loopDisk, devices int) (_ float64, err error) {
	p, err := openPast(ctx, store.Config{Dir: filepath.Join(l.dir, fmt.Sprint(devices))}, epoch)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return p.wear(ctx, b.wearFor, devices, l.written)
}

// wear takes readings until an hour after a first midnight, and then for as long
// as it is told, and seals each day an hour after its end. What counts is that
// time.
func (p *past) wear(ctx context.Context, length time.Duration, devices int, written func() (float64, error)) (float64, error) {
	const hour, beforeMidnight = smartmeter.Instant(time.Hour / time.Millisecond), 10 * 60_000
	midnight := epoch + dayMillis
	at := midnight - beforeMidnight
	meters := make([]series, devices)
	for i := range meters {
		meters[i] = newNoisyMeter(i, at)
	}
	begin, before := midnight+hour, 0.0
	end := begin + smartmeter.Instant(length.Milliseconds())
	for until := begin; ; until = min(until+dayMillis, end) {
		if err := p.live(ctx, meters, at, until); err != nil {
			return 0, err
		}
		at = until
		if err := p.Seal(ctx, time.UnixMilli(int64((until-hour)/dayMillis*dayMillis))); err != nil {
			return 0, err
		}
		now, err := written()
		if err != nil {
			return 0, err
		}
		if until == begin {
			before = now
		}
		if until == end {
			return (now - before) / (float64(devices) * float64((end-begin)/tickMillis)), nil
		}
	}
}

// wearAtPace has ten devices measure every 5 s, and the store sync every 10 s,
// for a while of real time.
func (b *bench) wearAtPace(ctx context.Context, l *loopDisk) (_ float64, err error) {
	p, err := openPast(ctx, store.Config{Dir: filepath.Join(l.dir, "paced")}, epoch)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	meters := make([]series, yearly)
	for i := range meters {
		meters[i] = newNoisyMeter(i, epoch)
	}
	if err := p.live(ctx, meters, epoch, epoch+tickMillis); err != nil {
		return 0, err
	}
	before, err := l.written()
	if err != nil {
		return 0, err
	}
	tick := time.NewTicker(b.wearBeat)
	defer tick.Stop()
	for range b.wearBeats {
		<-tick.C
		if err := p.live(ctx, meters, epoch, epoch+tickMillis); err != nil {
			return 0, err
		}
	}
	after, err := l.written()
	return (after - before) / float64(b.wearBeats*syncTicks*len(meters)), err
}

// firstForm is what the store kept readings in before it had a log: a row for
// each, and an index of their numbers.
var firstForm = []string{
	`PRAGMA journal_mode = WAL`,
	`PRAGMA synchronous = FULL`,
	`CREATE TABLE reading (
		channel INTEGER NOT NULL, at INTEGER NOT NULL, boot INTEGER NOT NULL, seq INTEGER NOT NULL, timing INTEGER NOT NULL,
		voltage INTEGER, current INTEGER, power INTEGER, energy INTEGER, frequency INTEGER, power_factor INTEGER,
		PRIMARY KEY (channel, at, boot, seq)
	) STRICT, WITHOUT ROWID`,
	`CREATE UNIQUE INDEX reading_identity ON reading (channel, boot, seq) WHERE seq > 0`,
}

// wearOfRows writes messages of ten devices as rows, each as it comes.
func (b *bench) wearOfRows(_ context.Context, l *loopDisk) (_ float64, err error) {
	conn, err := openRows(filepath.Join(l.dir, "rows.db"))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	before, err := l.written()
	if err != nil {
		return 0, err
	}
	meters := make([]*noisyMeter, yearly)
	for i := range meters {
		meters[i] = newNoisyMeter(i, epoch)
	}
	for n := range b.wearRows {
		if err := insertRow(conn, n%yearly, meters[n%yearly].next()); err != nil {
			return 0, err
		}
	}
	after, err := l.written()
	return (after - before) / float64(b.wearRows), err
}

// countWear counts what the store writes to its own files where there is no
// block device to ask, without what the database and the file system add.
func (b *bench) countWear(ctx context.Context, few, many *figure, why error) error {
	for f, devices := range map[*figure]int{few: 10, many: 100} {
		dir, err := b.newDir()
		if err != nil {
			return err
		}
		perSample, err := b.countedWear(ctx, dir, devices)
		if err != nil {
			return err
		}
		f.add(perSample)
		f.note = fmt.Sprintf("blocks of log and monthly files alone, for there is no loop device (%v)", why)
	}
	return nil
}

func (b *bench) countedWear(ctx context.Context, dir string, devices int) (_ float64, err error) {
	real, err := disk.OpenDir(dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, real.Close()) }()
	counted := &countingFS{FS: real}
	p, err := openPast(ctx, store.Config{Dir: dir, FS: counted}, epoch)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return p.wear(ctx, b.wearFor, devices, func() (float64, error) { return float64(counted.bytes.Load()), nil })
}
