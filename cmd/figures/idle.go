package main

import (
	"context"
	"errors"
	"time"
)

// rest is how long a program is left alone before its memory is read.
const rest = time.Second

// measureIdleHub starts a hub without a past, and leaves it alone.
func measureIdleHub(ctx context.Context, b *bench) ([]*figure, error) {
	start := &figure{name: "hub: start to ready, empty directory", unit: "ms", target: below(500)}
	idle := &figure{name: "hub: resident memory, idle, empty directory", unit: "MB", target: below(80)}
	for range b.repeat {
		if err := b.idleHub(ctx, start, idle); err != nil {
			return nil, err
		}
	}
	return []*figure{start, idle}, nil
}

func (b *bench) idleHub(ctx context.Context, start, idle *figure) (err error) {
	hub, err := b.startFreshHub(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, hub.stop()) }()
	start.add(milliseconds(hub.ready))
	time.Sleep(rest)
	size, err := memory(hub.pid(), resident)
	idle.add(megabytes(size))
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func megabytes(bytes float64) float64 { return bytes / 1e6 }
