package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// listener is a client that takes every message and only counts them.
type listener struct {
	link *link
	got  atomic.Int64
	done chan error
}

// listen subscribes to everything with QoS 0, which costs the broker least.
func listen(ctx context.Context, address string) (*listener, error) {
	l, err := dial(ctx, address, "listener")
	if err != nil {
		return nil, err
	}
	l.buf = appendSubscribe(l.buf[:0], "#")
	if err := l.ask(subackLength, packetSuback); err != nil {
		return nil, errors.Join(err, l.conn.Close())
	}
	s := &listener{link: l, done: make(chan error, 1)}
	go func() { s.done <- s.count() }()
	return s, nil
}

func (s *listener) count() error {
	in := bufio.NewReaderSize(s.link.conn, 64<<10)
	for {
		kind, err := in.ReadByte()
		if err != nil {
			return err
		}
		length, err := binary.ReadUvarint(in)
		if err != nil {
			return err
		}
		if _, err := in.Discard(int(length)); err != nil {
			return err
		}
		if kind&packetTypeMask == packetPublish {
			s.got.Add(1)
		}
	}
}

// await returns when n messages have come, or says how many are missing.
func (s *listener) await(n int64) error {
	for deadline := time.Now().Add(patience); s.got.Load() < n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("the listener got %d of %d messages", s.got.Load(), n)
		}
	}
	return nil
}

func (s *listener) leave() error {
	err := s.link.conn.Close()
	<-s.done
	return err
}
