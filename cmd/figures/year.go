package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/rollup"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

const (
	dayMillis  = smartmeter.Instant(24 * time.Hour / time.Millisecond)
	tickMillis = smartmeter.Instant(sampleInterval / time.Millisecond)
)

// past is a store that lives in a time of its own, which passes as fast as it
// is told. By itself it does nothing.
type past struct {
	*store.Store
	clock atomic.Int64 // Unix ms
}

func openPast(ctx context.Context, cfg store.Config, at smartmeter.Instant) (*past, error) {
	p := &past{}
	p.clock.Store(int64(at))
	cfg.SyncEvery = 1000 * time.Hour
	cfg.Now = func() time.Time { return time.UnixMilli(p.clock.Load()) }
	cfg.Logger = slog.New(slog.DiscardHandler)
	var err error
	p.Store, err = store.Open(ctx, cfg)
	return p, err
}

// measureYear seals a year of ten devices, asks for it, and kills hubs that have
// it behind them.
func measureYear(ctx context.Context, b *bench) ([]*figure, error) {
	dir, err := b.newDir()
	if err != nil {
		return nil, err
	}
	midnight := smartmeter.InstantOf(time.Now().Add(-25*time.Hour)) / dayMillis * dayMillis
	from := midnight - smartmeter.Instant(b.days)*dayMillis
	sealed, err := b.sealYear(ctx, dir, from, midnight)
	if err != nil {
		return nil, fmt.Errorf("seal a year: %w", err)
	}
	plugs, err := b.measurePlugs(ctx, from)
	if err != nil {
		return nil, fmt.Errorf("seal a plug's days: %w", err)
	}
	queries, err := b.askYear(ctx, dir, from, midnight)
	if err != nil {
		return nil, fmt.Errorf("ask for a year: %w", err)
	}
	restarts, err := b.restartWithYear(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("start with a year behind: %w", err)
	}
	answers, err := b.askAPI(ctx, dir, from, midnight)
	if err != nil {
		return nil, fmt.Errorf("ask the API for a year: %w", err)
	}
	return slices.Concat(sealed, []*figure{plugs}, queries, restarts, answers), nil
}

// yearly is how many devices have a year of readings.
const yearly = 10

// sealYear fills a data directory with sealed days.
func (b *bench) sealYear(ctx context.Context, dir string, from, to smartmeter.Instant) (_ []*figure, err error) {
	packed := &figure{name: "store: a sealed sample, six noisy quantities", unit: "B", target: atMost(2.3)}
	indexed := &figure{name: "store: the same, with the index and all else in the data directory", unit: "B"}
	seal := &figure{name: fmt.Sprintf("store: seal a day of %d devices", yearly), unit: "ms"}
	p, err := openPast(ctx, store.Config{Dir: dir}, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	meters := make([]series, yearly)
	for i := range meters {
		meters[i] = newNoisyMeter(i, from)
		if err := p.PutDevice(smartmeter.Device{ID: smartmeter.DeviceID(meterID(i)), Name: meterID(i), Kind: smartmeter.Generic, Node: smartmeter.NodeID(meterID(i))}); err != nil {
			return nil, err
		}
	}
	for day := from; day < to; day += dayMillis {
		took, err := p.liveDay(ctx, meters, day)
		if err != nil {
			return nil, err
		}
		seal.add(milliseconds(took))
	}
	samples := float64(to-from) / float64(tickMillis) * yearly
	chunks, err := sizeOf(filepath.Join(dir, "chunks"))
	packed.add(chunks / samples)
	all, sizeErr := sizeOf(dir)
	indexed.add(all / samples)
	return []*figure{packed, indexed, seal}, errors.Join(err, sizeErr)
}

// liveDay takes a day of all meters and seals it, and returns how long that took.
func (p *past) liveDay(ctx context.Context, meters []series, midnight smartmeter.Instant) (sealing time.Duration, err error) {
	end := midnight + dayMillis
	for _, m := range meters {
		readings := make([]smartmeter.Reading, 0, dayMillis/tickMillis)
		for range int64(dayMillis) / m.every().Milliseconds() {
			readings = append(readings, m.next())
		}
		if err := errors.Join(p.AppendReadings(readings...), p.Sync(ctx)); err != nil {
			return 0, err
		}
	}
	p.clock.Store(int64(end) + time.Hour.Milliseconds())
	begin := time.Now()
	err = p.Seal(ctx, time.UnixMilli(int64(end)))
	return time.Since(begin), err
}

// measurePlugs seals a month of a plug.
func (b *bench) measurePlugs(ctx context.Context, from smartmeter.Instant) (_ *figure, err error) {
	f := &figure{name: "store: a sealed sample, the power of a refrigerator's plug", unit: "B", target: atMost(1.5)}
	dir, err := b.newDir()
	if err != nil {
		return nil, err
	}
	p, err := openPast(ctx, store.Config{Dir: dir}, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	days := min(b.days, 30)
	meters := []series{newPlugMeter(0, from)}
	for day := range smartmeter.Instant(days) {
		if _, err := p.liveDay(ctx, meters, from+day*dayMillis); err != nil {
			return nil, err
		}
	}
	size, err := sizeOf(filepath.Join(dir, "chunks"))
	f.add(size / float64(days) / float64(dayMillis/tickMillis))
	return f, err
}

// sizeOf returns how many bytes the files below a directory have.
func sizeOf(dir string) (bytes float64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += float64(info.Size())
		}
		return err
	})
	return bytes, err
}

// asks is how often a query is repeated.
const asks = 21

// askYear asks the store itself, without HTTP around it.
func (b *bench) askYear(ctx context.Context, dir string, from, to smartmeter.Instant) (_ []*figure, err error) {
	p, err := openPast(ctx, store.Config{Dir: dir}, to)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	day := &figure{name: "store: a sealed day of a device, all six quantities of every sample", unit: "ms", target: atMost(1)}
	quarters := &figure{name: "store: the same day's power by quarters", unit: "ms"}
	hours := &figure{name: fmt.Sprintf("store: %d days of a device's power by hour", b.days), unit: "ms", target: atMost(5)}
	all := &figure{name: "store: the same of all six quantities", unit: "ms"}
	node, middle := smartmeter.NodeID(meterID(3)), from+(to-from)/dayMillis/2*dayMillis
	count := func(want smartmeter.Quantities, from, to smartmeter.Instant, width smartmeter.Millis) (n int, err error) {
		for _, bucketErr := range p.Buckets(ctx, node, 0, want, from, to, width) {
			err = errors.Join(err, bucketErr)
			n++
		}
		return n, err
	}
	for _, q := range []struct {
		f    *figure
		want int
		ask  func() (int, error)
	}{
		{day, int(dayMillis / tickMillis), func() (n int, err error) {
			for _, readErr := range p.Readings(ctx, node, 0, middle, middle+dayMillis) {
				err = errors.Join(err, readErr)
				n++
			}
			return n, err
		}},
		{quarters, 96, func() (int, error) {
			return count(smartmeter.Power, middle, middle+dayMillis, rollup.Quarter)
		}},
		{hours, 24 * b.days, func() (int, error) { return count(smartmeter.Power, from, to, rollup.Hour) }},
		{all, 24 * b.days, func() (int, error) { return count(smartmeter.AllQuantities, from, to, rollup.Hour) }},
	} {
		for range asks {
			begin := time.Now()
			n, err := q.ask()
			q.f.add(milliseconds(time.Since(begin)))
			if err != nil || n != q.want {
				return nil, fmt.Errorf("%s: %d, want %d: %w", q.f.name, n, q.want, err)
			}
		}
	}
	used, err := b.askYearsEnergy(ctx, p, node, from, to)
	return append([]*figure{day, quarters, hours, all}, used...), err
}
