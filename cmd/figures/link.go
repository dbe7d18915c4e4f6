package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"
)

// fenceEvery is how many messages with QoS 0 a node may be ahead of its broker.
// A fence is a ping: its answer says that all before it was taken.
const fenceEvery = 8

// link is one node's connection.
type link struct {
	conn  net.Conn
	id    string
	topic string // of its metrics
	boot  time.Time
	sent  uint32 // messages
	owed  int    // bytes of the broker's answer that is still to come
	kind  byte   // of that answer
	buf   []byte
	text  []byte // payload
}

func dial(ctx context.Context, address, id string) (*link, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, id: id, topic: "dev/" + id + "/pzem/metrics", boot: time.Now()}
	if err := l.greet(); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return l, nil
}

// greet connects and subscribes. Linger 0 lets thousands of connections end
// without leaving their ports occupied.
func (l *link) greet() error {
	if tcp, ok := l.conn.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return err
		}
	}
	if err := l.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	l.buf = appendConnect(l.buf[:0], l.id)
	if err := l.ask(connackLength, packetConnack); err != nil {
		return err
	}
	l.buf = appendSubscribe(l.buf[:0], "dev/"+l.id+"/relay/commands")
	return errors.Join(l.ask(subackLength, packetSuback), l.conn.SetDeadline(time.Time{}))
}

// publish sends the node's next message. It first collects what the broker
// still owes for an earlier one.
func (l *link) publish(qos byte, form form) error {
	if err := l.collect(); err != nil {
		return err
	}
	l.sent++
	l.text = form(l.text[:0], l)
	if qos == 1 {
		l.buf = appendPublish(l.buf[:0], publishQoS1, l.topic, l.text)
		return l.send(pubackLength, packetPuback)
	}
	l.buf = appendPublish(l.buf[:0], 0, l.topic, l.text)
	if l.sent%fenceEvery == 0 {
		l.buf = append(l.buf, packetPingreq, 0)
		return l.send(pingrespLength, packetPingresp)
	}
	return l.send(0, 0)
}

// retain publishes a message that the broker keeps, and waits for its answer.
func (l *link) retain(topic string, payload []byte) error {
	l.buf = appendPublish(l.buf[:0], publishQoS1|publishRetain, topic, payload)
	return l.ask(pubackLength, packetPuback)
}

// settle returns when the broker has taken all that the node sent.
func (l *link) settle() error {
	if err := l.collect(); err != nil {
		return err
	}
	l.buf = append(l.buf[:0], packetPingreq, 0)
	return l.ask(pingrespLength, packetPingresp)
}

func (l *link) ask(owed int, kind byte) error {
	if err := l.send(owed, kind); err != nil {
		return err
	}
	return l.collect()
}

// send writes buf; owed bytes of the given kind will answer it.
func (l *link) send(owed int, kind byte) error {
	l.owed, l.kind = owed, kind
	_, err := l.conn.Write(l.buf)
	return err
}

// collect reads the answer that is owed.
func (l *link) collect() error {
	if l.owed == 0 {
		return nil
	}
	var answer [subackLength]byte
	if _, err := io.ReadFull(l.conn, answer[:l.owed]); err != nil {
		return fmt.Errorf("wait for the broker's answer to %s: %w", l.id, err)
	}
	if got := answer[0] & packetTypeMask; got != l.kind {
		return fmt.Errorf("the broker answers %s with %#x, want %#x", l.id, got, l.kind)
	}
	l.owed = 0
	return nil
}
