package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// restartWithYear kills a hub with a year behind it, and the readings of a day
// and an hour in its log, again and again, and measures how long the next one
// takes from its start until it has acknowledged a sample.
func (b *bench) restartWithYear(ctx context.Context, dir string) ([]*figure, error) {
	if err := b.openDay(ctx, dir, yearly); err != nil {
		return nil, err
	}
	behind := fmt.Sprintf("after kill -9, %d days of %d devices behind", b.days, yearly)
	p50 := &figure{name: "hub: start to first sample taken, " + behind + ", median", unit: "ms", target: below(300)}
	p99 := &figure{name: "hub: the same, 99th percentile", unit: "ms", target: below(300)}
	var took []float64
	for range b.kills {
		ms, err := b.restart(ctx, dir)
		if err != nil {
			return nil, err
		}
		took = append(took, ms)
	}
	p50.add(quantile(took, 0.50))
	p99.add(quantile(took, 0.99))
	p99.note = fmt.Sprintf("of %d kills", b.kills)
	return []*figure{p50, p99}, nil
}

// openDay adds readings until now that no hub has sealed: as many as there ever
// are, just before a day is.
func (b *bench) openDay(ctx context.Context, dir string, devices int) (err error) {
	now := time.Now()
	from := smartmeter.InstantOf(now.Add(-min(25*time.Hour, time.Duration(b.days)*24*time.Hour)))
	p, err := openPast(ctx, store.Config{Dir: dir}, from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	meters := make([]series, devices)
	for i := range meters {
		m := newNoisyMeter(i, from)
		m.Boot += smartmeter.BootID(devices)
		meters[i] = m
	}
	return p.live(ctx, meters, from, smartmeter.InstantOf(now)-tickMillis)
}

// syncTicks is how many samples of a meter become durable together.
const syncTicks = 2

// live takes readings of all meters, with a Sync every 10 s.
func (p *past) live(ctx context.Context, meters []series, from, to smartmeter.Instant) error {
	for at := from; at < to; at += syncTicks * tickMillis {
		p.clock.Store(int64(at))
		for range syncTicks {
			for _, m := range meters {
				if err := p.AppendReadings(m.next()); err != nil {
					return err
				}
			}
		}
		if err := p.Sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// restart starts a hub, has a node tell it a sample, and kills it.
func (b *bench) restart(ctx context.Context, dir string) (_ float64, err error) {
	begin := time.Now()
	hub, err := b.startHub(ctx, dir)
	if err != nil {
		return 0, err
	}
	nodes, err := join(ctx, hub.addresses["mqtt"], "late", 1)
	if err == nil {
		err = nodes.burst(1, 1, numbered)
		nodes.leave()
	}
	took := time.Since(begin)
	return milliseconds(took), errors.Join(err, hub.kill())
}
