package bus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// Embedded is the bus through a broker in the same process. The zero value is
// of no use; make one with NewEmbedded.
type Embedded struct {
	broker *mqtt.Broker
}

// NewEmbedded returns the bus through broker, which must not be nil and stays
// its owner's to close.
func NewEmbedded(broker *mqtt.Broker) *Embedded {
	return &Embedded{broker: broker}
}

// Publish hands m to the broker, which has delivered it to in-process
// subscribers and queued it for all others when Publish returns.
func (b *Embedded) Publish(m smartmeter.Message) error {
	return b.broker.Publish(mqtt.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: m.Retained})
}

// Subscribe calls handle for every message that matches filter, kept ones
// first, on its publisher's time and in its order, until the broker closes.
func (b *Embedded) Subscribe(filter string, handle func(smartmeter.Message)) error {
	_, err := b.broker.Subscribe(filter, func(m mqtt.Message) { handle(fromBroker(m)) })
	return err
}

func fromBroker(m mqtt.Message) smartmeter.Message {
	return smartmeter.Message{
		Topic:    m.Topic,
		Payload:  m.Payload,
		QoS:      m.QoS,
		Retained: m.Retain,
		From:     smartmeter.Identity{ClientID: m.From.ClientID},
	}
}

// Memory keeps the broker's retained messages over a restart.
type Memory interface {
	// PutRetained replaces all that was kept.
	PutRetained([]smartmeter.Message) error
	// Retained returns all that is kept.
	Retained(context.Context) ([]smartmeter.Message, error)
}

// saveEvery is how often changes are saved, at the most.
const saveEvery = 2 * time.Second

// Restore gives the broker back what memory kept. Call it before the broker
// serves, so that the first subscriber finds all of it.
func (b *Embedded) Restore(ctx context.Context, memory Memory) error {
	kept, err := memory.Retained(ctx)
	if err != nil {
		return fmt.Errorf("read the broker's retained messages: %w", err)
	}
	messages := make([]mqtt.Message, 0, len(kept))
	for _, m := range kept {
		messages = append(messages, mqtt.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retain: true})
	}
	return b.broker.Restore(messages)
}

// Keep saves what the broker retains to memory, until ctx ends and then once
// more. Topics for which skip is true are not kept: they change on every beat
// and mean nothing after a restart.
func (b *Embedded) Keep(ctx context.Context, memory Memory, skip func(topic string) bool) error {
	tick := time.NewTicker(saveEvery)
	defer tick.Stop()
	saver := saver{bus: b, memory: memory, skip: skip}
	for {
		select {
		case <-ctx.Done():
			return saver.save()
		case <-tick.C:
			if err := saver.save(); err != nil {
				return err
			}
		}
	}
}

// saver writes what changed since it last wrote.
type saver struct {
	bus     *Embedded
	memory  Memory
	skip    func(topic string) bool
	changes uint64
	saved   []smartmeter.Message
}

func (s *saver) save() error {
	changes := s.bus.broker.RetainedChanges()
	if changes == s.changes {
		return nil
	}
	now := make([]smartmeter.Message, 0, len(s.saved))
	for m := range s.bus.broker.Retained() {
		if !s.skip(m.Topic) {
			now = append(now, smartmeter.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retained: true})
		}
	}
	if !slices.EqualFunc(now, s.saved, sameMessage) {
		if err := s.memory.PutRetained(now); err != nil {
			return fmt.Errorf("keep the broker's retained messages: %w", err)
		}
	}
	s.changes, s.saved = changes, now
	return nil
}

func sameMessage(a, b smartmeter.Message) bool {
	return a.Topic == b.Topic && a.QoS == b.QoS && string(a.Payload) == string(b.Payload)
}
