package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measureBurst sends to the broker alone as fast as it takes messages, and to
// Mosquitto as well.
func measureBurst(ctx context.Context, b *bench) ([]*figure, error) {
	var all []*figure
	for qos, target := range []target{atLeast(40_000), atLeast(30_000)} {
		from := fmt.Sprintf("from %s connections, QoS %d", count(b.connections), qos)
		ours := &figure{name: fmt.Sprintf("internal/mqtt alone: messages, %s", from), unit: "/s", target: target}
		theirs := &figure{name: fmt.Sprintf("Mosquitto: messages, %s", from), unit: "/s"}
		lost := &figure{name: fmt.Sprintf("internal/mqtt alone: messages lost, %s", from), target: exactly(0)}
		for range b.repeat {
			if err := b.burstBoth(ctx, byte(qos), ours, theirs, lost); err != nil {
				return all, err
			}
		}
		all = append(all, ours, theirs, lost)
	}
	return all, nil
}

func (b *bench) burstBoth(ctx context.Context, qos byte, ours, theirs, lost *figure) error {
	broker, err := b.startBroker(ctx)
	if err != nil {
		return err
	}
	perSecond, err := b.burstTo(ctx, broker, qos)
	if err = errors.Join(err, broker.close()); err != nil {
		return err
	}
	ours.add(perSecond)
	var took int
	if _, err := fmt.Sscanf(broker.last, "took %d", &took); err != nil {
		return fmt.Errorf("read how many messages the broker took: %w", err)
	}
	lost.add(float64(b.connections*b.burst - took))
	mosquitto, err := b.startMosquitto(ctx)
	if err != nil {
		return err
	}
	perSecond, err = b.burstTo(ctx, mosquitto, qos)
	theirs.add(perSecond)
	return errors.Join(err, mosquitto.close())
}

func (b *bench) burstTo(ctx context.Context, c *contender, qos byte) (perSecond float64, err error) {
	nodes, err := join(ctx, c.mqtt, "node", b.connections)
	if err != nil {
		return 0, err
	}
	defer nodes.leave()
	begin, n := time.Now(), b.connections*b.burst
	if err := nodes.burst(b.burst, qos, fielded); err != nil {
		return 0, err
	}
	if err := c.drained(int64(n)); err != nil {
		return 0, err
	}
	return float64(n) / time.Since(begin).Seconds(), nil
}
