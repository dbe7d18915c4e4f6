package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// noBus is the bus of a hub that is only asked about the past.
type noBus struct{}

func (noBus) Publish(smartmeter.Message) error                 { return nil }
func (noBus) Subscribe(string, func(smartmeter.Message)) error { return nil }

// timed asks something some times and adds how long each took to a figure, in
// ms. Half of them come before, so that all is where it is in a hub that runs.
func timed(f *figure, ask func() error) error {
	for i := range asks + asks/2 {
		begin := time.Now()
		if err := ask(); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
		if i >= asks/2 {
			f.add(milliseconds(time.Since(begin)))
		}
	}
	return nil
}

// energyOf asks a hub over a store what devices used, and checks that there are
// so many buckets of each and that they used something.
func energyOf(ctx context.Context, p *past, f *figure, q hub.EnergyQuery, devices, buckets int) error {
	h, err := hub.New(ctx, hub.Config{Bus: noBus{}, Store: p.Store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return timed(f, func() error {
		answer, err := h.Energy(ctx, q)
		if err != nil {
			return err
		}
		used := smartmeter.WattHour(0)
		for _, d := range answer.Devices {
			for _, b := range d.Buckets {
				used += b.Energy
			}
			if len(d.Buckets) != buckets {
				return fmt.Errorf("%d buckets, want %d", len(d.Buckets), buckets)
			}
		}
		if len(answer.Devices) != devices || used == 0 {
			return fmt.Errorf("%d devices used %d Wh, want %d devices and something", len(answer.Devices), used, devices)
		}
		return nil
	})
}

// askYearsEnergy asks what a device used in each hour of a year, and what all did.
func (b *bench) askYearsEnergy(ctx context.Context, p *past, node smartmeter.NodeID, from, to smartmeter.Instant) ([]*figure, error) {
	one := &figure{name: fmt.Sprintf("hub: %d days of a device's energy by hour", b.days), unit: "ms", target: atMost(5)}
	house := &figure{name: fmt.Sprintf("hub: the same of %d devices and the house", yearly), unit: "ms"}
	q := hub.EnergyQuery{From: from, To: to, Step: ledger.StepHour, Zone: time.UTC, Devices: []smartmeter.DeviceID{smartmeter.DeviceID(node)}}
	err := energyOf(ctx, p, one, q, 1, 24*b.days)
	if q.Devices = nil; err == nil {
		err = energyOf(ctx, p, house, q, yearly, 24*b.days)
	}
	return []*figure{one, house}, err
}

const (
	monthDays   = 30
	monthEnergy = "one month's energy of %d devices"
)

// measureMonth seals a month of many devices, which measure once a minute, and
// asks what they used.
func measureMonth(ctx context.Context, b *bench) (_ []*figure, err error) {
	days := min(b.days, monthDays)
	whole := &figure{name: fmt.Sprintf("hub: "+monthEnergy+", one sum each", b.meters), unit: "ms", target: atMost(5)}
	daily := &figure{name: "hub: the same, day by day", unit: "ms", target: atMost(5)}
	latest := &figure{name: fmt.Sprintf("store: latest of %d devices", b.meters), unit: "ms", target: atMost(0.1)}
	dir, err := b.newDir()
	if err != nil {
		return nil, err
	}
	from := smartmeter.InstantOf(time.Now())/dayMillis*dayMillis - smartmeter.Instant(days)*dayMillis
	p, err := openPast(ctx, store.Config{Dir: dir}, from)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	meters := make([]series, b.meters)
	for i := range meters {
		meters[i] = &minutely{newNoisyMeter(i, from)}
		d := smartmeter.Device{ID: smartmeter.DeviceID(meterID(i)), Name: meterID(i), Room: fmt.Sprint("room ", i%8), Kind: smartmeter.Generic, Node: smartmeter.NodeID(meterID(i))}
		if err := p.PutDevice(d); err != nil {
			return nil, err
		}
	}
	for day := range smartmeter.Instant(days) {
		if _, err := p.liveDay(ctx, meters, from+day*dayMillis); err != nil {
			return nil, err
		}
	}
	q := hub.EnergyQuery{From: from, To: from + smartmeter.Instant(days)*dayMillis, Step: ledger.StepWhole, Zone: time.UTC}
	if err := energyOf(ctx, p, whole, q, b.meters, 1); err != nil {
		return nil, err
	}
	q.Step = ledger.StepDay
	if err := energyOf(ctx, p, daily, q, b.meters, days); err != nil {
		return nil, err
	}
	err = timed(latest, func() error {
		all, err := p.Latest(ctx)
		if err == nil && len(all) != b.meters {
			err = fmt.Errorf("%d readings, want %d", len(all), b.meters)
		}
		return err
	})
	return []*figure{whole, daily, latest}, err
}

// minutely is a meter of which every twelfth reading is taken.
type minutely struct{ *noisyMeter }

func (*minutely) every() time.Duration { return time.Minute }

func (m *minutely) next() smartmeter.Reading {
	for range time.Minute/sampleInterval - 1 {
		m.noisyMeter.next()
	}
	return m.noisyMeter.next()
}
