package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/nodehost"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// returner is a node that comes back after an outage: the core and the connection
// of `smartmeter node`, with what it measured meanwhile in memory instead of a
// file, and a meter that counts its reads.
type returner struct {
	id         smartmeter.NodeID
	core       *node.Node
	kept       *backlog
	connection *nodehost.Connection
	begin      time.Time
	said       func(s *smartmeter.Sample) // told of each live sample that is sent

	inbox chan func()
	ended chan struct{} // closed when nobody listens to inbox any more
}

// newReturner returns a node that has kept count samples of the boot before.
func newReturner(id smartmeter.NodeID, count int, said func(s *smartmeter.Sample)) (*returner, error) {
	boot := smartmeter.BootID(time.Now().UnixNano()) | 1 // and one below it is the boot before
	r := &returner{
		id: id, kept: newBacklog(boot-1, count), begin: time.Now(), said: said,
		inbox: make(chan func(), 64), ended: make(chan struct{}),
	}
	var err error
	r.core, err = node.New(node.Config{
		ID: id, Boot: boot, Meter: &countingMeter{register: smartmeter.WattHour(count)}, Link: r,
		Buffer: r.kept, BacklogPause: nodehost.FilePause, Firmware: "figures", Model: "returner",
	})
	return r, err
}

// run connects the node and lets it live until ctx ends or its backlog is home.
func (r *returner) run(ctx context.Context, broker string) error {
	var err error
	r.connection, err = nodehost.Connect(nodehost.Broker{URL: "mqtt://" + broker, Logger: slog.New(slog.DiscardHandler)}, r)
	if err != nil {
		return err
	}
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for ctx.Err() == nil && !r.kept.home() {
		select {
		case <-ctx.Done():
		case <-alarm.C:
		case tell := <-r.inbox:
			tell()
		}
		next := r.core.Step(r.now(), smartmeter.InstantOf(time.Now()))
		alarm.Reset(time.Duration(next-r.now()) * time.Millisecond)
	}
	close(r.ended)
	return r.connection.Close()
}

func (r *returner) now() smartmeter.Millis {
	return smartmeter.Millis(time.Since(r.begin).Milliseconds())
}

// Publish is the core's way out.
func (r *returner) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	about, err := wire.Topics{}.Parse(topic)
	if err == nil && about.Kind == wire.KindMetrics {
		var s smartmeter.Sample
		if wire.DecodeMetrics(payload, &s) == nil {
			r.said(&s)
		}
	}
	return r.connection.Publish(topic, payload, qos, retained)
}

// ID and what follows make it a nodehost.Peer.
func (r *returner) ID() smartmeter.NodeID    { return r.id }
func (r *returner) Will() smartmeter.Message { return r.core.Will() }
func (r *returner) Subscriptions() []string  { return r.core.Subscriptions() }
func (r *returner) Connected()               { r.tell(func() { r.core.Connected(r.now()) }) }
func (r *returner) Disconnected()            { r.tell(func() { r.core.Disconnected(r.now()) }) }

func (r *returner) Receive(m smartmeter.Message) {
	r.tell(func() { r.core.Receive(r.now(), m.Topic, m.Payload, m.Retained) })
}

func (r *returner) tell(f func()) {
	select {
	case r.inbox <- f:
	case <-r.ended:
	}
}

// countingMeter has its register count reads.
type countingMeter struct{ register smartmeter.WattHour }

func (m *countingMeter) Read(into *smartmeter.Measurement) error {
	m.register++
	*into = counted(m.register)
	return nil
}

// counted is what a meter says whose register has counted so far.
func counted(register smartmeter.WattHour) smartmeter.Measurement {
	return smartmeter.Measurement{
		Has: smartmeter.AllQuantities, Voltage: 2301, Current: smartmeter.Milliamp(456 + register%100), Power: 987,
		Energy: register, Frequency: 500, PowerFactor: 94,
	}
}

// backlog is a node.Buffer in memory that begins with what the boot before has
// left behind.
type backlog struct {
	samples []smartmeter.Sample
	first   uint64
	past    uint64 // up to there it is of the boot before
}

func newBacklog(boot smartmeter.BootID, count int) *backlog {
	b := &backlog{past: uint64(count)}
	from := time.Now().Add(-time.Duration(count) * sampleInterval)
	for i := range count {
		since := time.Duration(i) * sampleInterval
		b.samples = append(b.samples, smartmeter.Sample{
			Measurement: counted(smartmeter.WattHour(i + 1)), Boot: boot, Seq: uint32(i + 1),
			T: smartmeter.Millis(since.Milliseconds()), At: smartmeter.InstantOf(from.Add(since)),
		})
	}
	return b
}

func (b *backlog) Bounds() (first, next uint64) { return b.first, uint64(len(b.samples)) }
func (b *backlog) Put(s *smartmeter.Sample)     { b.samples = append(b.samples, *s) }
func (b *backlog) Forget(before uint64)         { b.first = max(b.first, before) }

func (b *backlog) Get(position uint64, into *smartmeter.Sample) bool {
	*into = b.samples[position]
	return true
}

// home reports whether the hub has said of all of the past that it is durable.
func (b *backlog) home() bool { return b.first >= b.past }
