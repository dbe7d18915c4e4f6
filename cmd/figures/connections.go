package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// spareFiles is what a program has open beside its connections.
const spareFiles = 100

// measureIdleConnections holds connections that say nothing.
func measureIdleConnections(ctx context.Context, b *bench) ([]*figure, error) {
	none := &figure{name: "internal/mqtt alone: resident memory, no connection", unit: "MB", target: atMost(12)}
	many := &figure{
		name:   fmt.Sprintf("internal/mqtt alone: resident memory, %s idle connections", count(b.idle)),
		unit:   "MB",
		target: atMost(100),
	}
	limit, err := fileLimit()
	if err != nil {
		return nil, err
	}
	room := limit.Cur >= uint64(b.idle+spareFiles)
	if !room {
		many.note = fmt.Sprintf("this user may open only %d files; raise the hard limit to measure it", limit.Cur)
	}
	for range b.repeat {
		if err := b.holdIdle(ctx, room, none, many); err != nil {
			return nil, err
		}
	}
	return []*figure{none, many}, nil
}

func (b *bench) holdIdle(ctx context.Context, room bool, none, many *figure) (err error) {
	broker, err := b.startBroker(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.close()) }()
	if err := addMemory(broker.process, none); err != nil || !room {
		return err
	}
	nodes, err := join(ctx, broker.mqtt, "idle", b.idle)
	if err != nil {
		return err
	}
	defer nodes.leave()
	return addMemory(broker.process, many)
}

// addMemory lets a program rest and adds its memory to f.
func addMemory(p *process, f *figure) error {
	time.Sleep(rest)
	size, err := memory(p.pid(), resident)
	f.add(megabytes(size))
	return err
}
