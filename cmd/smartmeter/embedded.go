package main

import (
	"context"
	"net"
	"strings"

	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"golang.org/x/sync/errgroup"
)

// embeddedBus is the bus with the broker that it goes through, and where that
// remembers what it retains.
type embeddedBus struct {
	*bus.Embedded
	broker *mqtt.Broker
	doors  []net.Listener // nil where there is none
	memory *store.Store
}

// Run serves MQTT clients until ctx ends.
func (b *embeddedBus) Run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	for _, door := range b.doors {
		if door != nil {
			parts.Go(func() error { return b.broker.Serve(door) })
		}
	}
	parts.Go(func() error { return b.Keep(ctx, b.memory, changesOnEveryBeat) })
	parts.Go(func() error {
		<-ctx.Done()
		return b.broker.Close()
	})
	return parts.Wait()
}

// changesOnEveryBeat are the topics whose retained messages are not kept over a
// restart, to spare the disk: the registers, and what the fielded sketch retains
// by accident.
func changesOnEveryBeat(topic string) bool {
	return strings.HasSuffix(topic, "/heartbeat") || strings.Contains(topic, "/pzem/")
}
