package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/store"
)

// measureDay starts a hub on a data directory that holds a day of many meters,
// asks for it, and has all of them go on publishing.
func measureDay(ctx context.Context, b *bench) ([]*figure, error) {
	dir, err := b.newDir()
	if err != nil {
		return nil, err
	}
	if err := b.writeDay(ctx, dir, time.Now()); err != nil {
		return nil, fmt.Errorf("write a day of readings: %w", err)
	}
	held, live := fmt.Sprintf("%d devices with a day of 5 s samples", b.meters), fmt.Sprintf("%d devices every second", b.meters)
	d := &dayFigures{
		start:  figure{name: "hub: start to ready, " + held, unit: "ms", target: below(500)},
		memory: figure{name: "hub: resident memory, " + held + ", queried and publishing", unit: "MB", target: below(80)},
		peak:   figure{name: "hub: resident memory, the same, peak", unit: "MB"},
		p50:    figure{name: "hub: publish to event, median, " + live, unit: "ms"},
		p99:    figure{name: "hub: publish to event, 99th percentile, " + live, unit: "ms", target: below(50)},
	}
	for range b.repeat {
		if err := b.liveOn(ctx, dir, d); err != nil {
			return nil, err
		}
	}
	return []*figure{&d.start, &d.memory, &d.peak, &d.p50, &d.p99}, nil
}

// dayFigures are taken from the same hub.
type dayFigures struct{ start, memory, peak, p50, p99 figure }

// queried is how many devices are asked for their whole day.
const queried = 10

func (b *bench) liveOn(ctx context.Context, dir string, d *dayFigures) (err error) {
	hub, err := b.startHub(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hub.stop()) }()
	d.start.add(milliseconds(hub.ready))
	api := client{hub.addresses["http"]}
	for i := range min(queried, b.meters) {
		day, err := api.readings(ctx, meterID(i), time.Now().Add(-48*time.Hour), "power")
		if err != nil {
			return err
		}
		if len(day.T) < b.day {
			return fmt.Errorf("%s has %d readings, want at least %d", meterID(i), len(day.T), b.day)
		}
	}
	latencies, err := b.latencies(ctx, hub)
	if err != nil {
		return err
	}
	d.p50.add(quantile(latencies, 0.50))
	d.p99.add(quantile(latencies, 0.99))
	now, err := memory(hub.pid(), resident)
	d.memory.add(megabytes(now))
	peak, peakErr := memory(hub.pid(), residentPeak)
	d.peak.add(megabytes(peak))
	return errors.Join(err, peakErr)
}

// meterName is what join names the meters after.
const meterName = "meter"

func meterID(i int) string { return fmt.Sprintf("%s-%05d", meterName, i) }

// writeDay fills a data directory with what a hub keeps of the day before now,
// hour by hour as it came.
func (b *bench) writeDay(ctx context.Context, dir string, now time.Time) (err error) {
	s, err := store.Open(ctx, store.Config{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	meters := make([]pastMeter, b.meters)
	for i := range meters {
		meters[i] = newPastMeter(i, now.Add(-time.Duration(b.day)*sampleInterval))
		d := smartmeter.Device{ID: smartmeter.DeviceID(meterID(i)), Name: meterID(i), Kind: smartmeter.Generic, Node: meters[i].Node}
		if err := s.PutDevice(d); err != nil {
			return err
		}
	}
	perHour := int(time.Hour / sampleInterval)
	for done := 0; done < b.day; done += perHour {
		for range min(perHour, b.day-done) {
			for i := range meters {
				if err := s.AppendReadings(meters[i].next()); err != nil {
					return err
				}
			}
		}
		if err := s.Sync(ctx); err != nil {
			return err
		}
	}
	return nil
}

// pastMeter makes up the readings of a meter whose load comes and goes, with
// the noise that real ones have.
type pastMeter struct {
	smartmeter.Reading
	chance   *rand.Rand
	load     float64 // W
	register float64 // Wh
}

func newPastMeter(i int, from time.Time) pastMeter {
	return pastMeter{
		Reading: smartmeter.Reading{
			Node:        smartmeter.NodeID(meterID(i)),
			At:          smartmeter.InstantOf(from),
			Boot:        smartmeter.BootID(i + 1),
			Measurement: smartmeter.Measurement{Has: smartmeter.AllQuantities},
		},
		chance: rand.New(rand.NewPCG(1, uint64(i))),
	}
}

// next returns the reading after the last one.
func (m *pastMeter) next() smartmeter.Reading {
	if m.chance.IntN(200) == 0 {
		m.load = float64(m.chance.IntN(2)) * (50 + 2000*m.chance.Float64())
	}
	noise := func(width float64) float64 { return width * (m.chance.Float64() - 0.5) }
	volts, watts := 230+noise(4), max(m.load+noise(0.01*m.load), 0)
	m.register += watts * sampleInterval.Hours()
	m.At += smartmeter.Instant(sampleInterval.Milliseconds())
	m.Seq++
	m.Voltage = smartmeter.Decivolt(10 * volts)
	m.Power = smartmeter.Deciwatt(10 * watts)
	m.Current = smartmeter.Milliamp(1000 * watts / volts / 0.95)
	m.Energy = smartmeter.WattHour(m.register)
	m.Frequency = smartmeter.Decihertz(500 + noise(2))
	m.PowerFactor = 95
	return m.Reading
}
