package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measureThroughput has many nodes publish numbered readings with QoS 1 and
// asks the API for every one of them.
func measureThroughput(ctx context.Context, b *bench) ([]*figure, error) {
	from := fmt.Sprintf("from %s connections, QoS 1", count(b.connections))
	rate := &figure{name: "hub: readings, publish to query, " + from, unit: "/s", target: atLeast(10_000)}
	lost := &figure{name: "hub: readings lost, " + from, target: exactly(0)}
	for range b.repeat {
		perSecond, missing, err := b.throughput(ctx)
		if err != nil {
			return nil, err
		}
		rate.add(perSecond)
		lost.add(float64(missing))
	}
	return []*figure{rate, lost}, nil
}

// throughput stops its clock when a query that was asked after the last
// acknowledgement has been answered: every query shows all that came before it.
func (b *bench) throughput(ctx context.Context) (perSecond float64, lost int, err error) {
	hub, err := b.startFreshHub(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, hub.stop()) }()
	nodes, err := join(ctx, hub.addresses["mqtt"], "node", b.connections)
	if err != nil {
		return 0, 0, err
	}
	defer nodes.leave()
	if err := introduce(nodes); err != nil {
		return 0, 0, err
	}
	begin, api := time.Now(), client{hub.addresses["http"]}
	if err := nodes.burst(b.readings, 1, numbered); err != nil {
		return 0, 0, err
	}
	last := nodes.links[len(nodes.links)-1]
	if _, err := api.readings(ctx, last.id, begin, "energy_wh"); err != nil {
		return 0, 0, err
	}
	took := time.Since(begin)
	for _, l := range nodes.links {
		missing, err := b.missing(ctx, api, l, begin)
		if err != nil {
			return 0, 0, err
		}
		lost += missing
	}
	return float64(b.connections*b.readings) / took.Seconds(), lost, nil
}

// missing counts the readings of a node that the API does not know; each says
// its number in its register.
func (b *bench) missing(ctx context.Context, api client, l *link, since time.Time) (int, error) {
	found, err := api.readings(ctx, l.id, since.Add(-time.Minute), "energy_wh")
	if err != nil {
		return 0, err
	}
	seen := make(map[int64]bool)
	for _, number := range found.Energy {
		seen[number] = true
	}
	missing := 0
	for number := range int64(b.readings) {
		if !seen[number+1] {
			missing++
		}
	}
	return missing, nil
}
