package sim

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// slowBroker takes a number of messages and then none until it is told to go
// on.
type slowBroker struct {
	t     *testing.T
	peers []Peer
	room  atomic.Int64
	last  atomic.Int64 // the newest sample's time since boot
	seqs  map[smartmeter.NodeID]uint32
}

func (b *slowBroker) connect(p Peer) (Link, error) {
	b.peers = append(b.peers, p)
	return slowLink{b}, nil
}

type slowLink struct{ *slowBroker }

func (l slowLink) Publish(topic string, payload []byte, _ uint8, _ bool) bool {
	if l.room.Add(-1) < 0 {
		l.room.Add(1)
		return false
	}
	a, err := wire.Topics{}.Parse(topic)
	if err != nil || a.Kind != wire.KindMetrics {
		return true
	}
	var s smartmeter.Sample
	if err := wire.DecodeMetrics(payload, &s); err != nil || s.At != 0 || s.Seq != l.seqs[a.Node]+1 {
		l.t.Errorf("%s %s follows %d, %v", topic, payload, l.seqs[a.Node], err)
	}
	l.seqs[a.Node] = s.Seq
	l.last.Store(int64(s.T))
	return true
}

func (slowLink) Close() error { return nil }

func TestFastHouseRunsAheadAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &slowBroker{t: t, seqs: map[smartmeter.NodeID]uint32{}}
		b.room.Store(10_000)
		h, err := New(Config{
			Seed: 1, Start: testStart, Interval: time.Second, Fast: true,
			Connect: b.connect, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		for _, p := range b.peers[1:] {
			p.Connected()
		}
		synctest.Wait()
		if b.last.Load() != 0 || b.room.Load() != 10_000-3*8 {
			t.Errorf("time went on to %d while a node was not connected, there is room for %d", b.last.Load(), b.room.Load())
		}
		b.peers[0].Connected()
		begin := time.Now()
		for b.room.Load() > 0 {
			time.Sleep(time.Millisecond)
		}
		synctest.Wait()
		stopped := b.last.Load()
		if stopped < 900_000 || time.Since(begin) > time.Second {
			t.Errorf("the world came to %d ms in %v", stopped, time.Since(begin))
		}
		time.Sleep(time.Minute)
		if now := b.last.Load(); now != stopped {
			t.Errorf("it went on to %d although nothing was taken", now)
		}
		b.room.Store(1000)
		time.Sleep(time.Second)
		if now := b.last.Load(); now <= stopped {
			t.Errorf("it stayed at %d", now)
		}
		cancel() // while a message waits
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestFastHouseDropsWhatALostConnectionWouldNotTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &slowBroker{t: t, seqs: map[smartmeter.NodeID]uint32{}}
		h, err := New(Config{
			Devices: 1, Seed: 1, Start: testStart, Interval: time.Second, Fast: true,
			Connect: b.connect, Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		for _, p := range b.peers {
			p.Connected()
		}
		time.Sleep(time.Second)
		for _, p := range b.peers {
			p.Disconnected()
		}
		time.Sleep(time.Second)
		synctest.Wait() // it waits for a connection, not for the link
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
