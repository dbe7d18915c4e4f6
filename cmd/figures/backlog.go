package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/iot-smart-meter/smartmeter"
)

// measureBacklog has nodes with files return together after an outage, and
// watches what becomes of what they measure meanwhile.
func measureBacklog(ctx context.Context, b *bench) ([]*figure, error) {
	from := fmt.Sprintf("from %s nodes that return", count(b.meters))
	rate := &figure{name: "hub: readings of backlog, publish to durable, " + from, unit: "/s", target: atLeast(10_000)}
	live := &figure{name: "hub: live readings beside it, publish to event, the latest", unit: "ms", target: below(1000)}
	perSecond, latencies, err := b.comeHome(ctx)
	if err != nil {
		return nil, err
	}
	rate.add(perSecond)
	live.add(slices.Max(latencies))
	return []*figure{rate, live}, nil
}

// comeHome counts from the moment when the first node looks for its broker to
// the receipt for the last sample of all: by then all is on the hub's disk.
func (b *bench) comeHome(ctx context.Context) (perSecond float64, latencies []float64, err error) {
	hub, err := b.startFreshHub(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, hub.stop()) }()
	w, err := watch(ctx, client{hub.addresses["http"]})
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	nodes := make([]*returner, b.meters)
	for i := range nodes {
		id := smartmeter.NodeID(meterID(i))
		said := func(s *smartmeter.Sample) { w.expect(message{string(id), int64(s.Energy)}) }
		if nodes[i], err = newReturner(id, b.backlog, said); err != nil {
			return 0, nil, err
		}
	}
	begin := time.Now()
	var homecoming errgroup.Group
	for _, n := range nodes {
		homecoming.Go(func() error { return n.run(ctx, hub.addresses["mqtt"]) })
	}
	if err := errors.Join(homecoming.Wait(), ctx.Err()); err != nil {
		return 0, nil, err
	}
	took := time.Since(begin)
	latencies, err = w.await()
	return float64(b.meters*b.backlog) / took.Seconds(), latencies, err
}
