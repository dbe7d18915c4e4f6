// Package session is one connection of a node on a microcontroller to its broker:
// MQTT 3.1.1 with natiu-mqtt, over whatever carries bytes. It is tried on the host
// against the hub's own broker.
//
// The library speaks QoS 0 only, so a command is sent to the node once. That
// suffices: what the node does not confirm in time the hub calls unknown, and
// samples, events and relay/state are offered again by the core. There is no TLS.
package session

import (
	"context"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	mqtt "github.com/soypat/natiu-mqtt"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	// patience is how long the broker may take to answer a new node, or to take a
	// message.
	patience = 10 * time.Second
	// keepAlive is how long a session may be silent for the broker, and pingAfter
	// how long before we say something.
	keepAlive = 30 * time.Second
	pingAfter = 10 * time.Second
	// longestMessage bounds what comes; the hub's configuration has some 400 bytes.
	longestMessage = 2 << 10
)

// Peer is the node that a session is for.
type Peer struct {
	ID              smartmeter.NodeID
	Username, Token string // "" for none
	Will            smartmeter.Message
	Subscriptions   []string
	Outbox          *Outbox
	// Connected is called once the subscriptions are made, and Disconnected after
	// it when the session is over.
	Connected, Disconnected func()
	// Receive must not keep payload.
	Receive func(topic string, payload []byte, retained bool)
}

var (
	errSilent  = errors.New("session: the broker is silent")
	errRefused = errors.New("session: the broker refuses a subscription")
)

// session is what one connection has.
type session struct {
	*Peer
	conn   *line
	client *mqtt.Client
	inbox  [longestMessage]byte
}

// Run introduces p to the broker at the other end of conn, and serves it until
// the connection is over; it closes conn. The error says why it ended.
func Run(conn net.Conn, p *Peer) error {
	s := &session{Peer: p, conn: &line{Conn: conn}}
	defer conn.Close()
	s.conn.heard()
	s.client = mqtt.NewClient(mqtt.ClientConfig{Decoder: mqtt.DecoderNoAlloc{UserBuffer: make([]byte, 256)}, OnPub: s.receive})
	if err := s.introduce(); err != nil {
		return err
	}
	p.Outbox.set(true)
	p.Connected()
	defer p.Disconnected()
	defer p.Outbox.set(false)
	over := make(chan error, 1)
	go func() { over <- s.listen() }()
	err := s.speak(over)
	conn.Close()
	return err
}

// introduce connects and subscribes.
func (s *session) introduce() error {
	hello := mqtt.VariablesConnect{
		KeepAlive: uint16(keepAlive / time.Second), Username: []byte(s.Username), Password: []byte(s.Token),
		WillTopic: []byte(s.Will.Topic), WillMessage: s.Will.Payload, WillRetain: s.Will.Retained, WillQoS: mqtt.QoSLevel(s.Will.QoS),
	}
	hello.SetDefaultMQTT([]byte(s.ID))
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	if err := s.client.Connect(ctx, s.conn, &hello); err != nil {
		return err
	}
	wanted := mqtt.VariablesSubscribe{PacketIdentifier: 1}
	for _, topic := range s.Subscriptions {
		wanted.TopicFilters = append(wanted.TopicFilters, mqtt.SubscribeRequest{TopicFilter: []byte(topic), QoS: mqtt.QoS0})
	}
	if err := s.client.Subscribe(ctx, wanted); err != nil {
		return err
	}
	if !s.client.IsConnected() || len(s.client.SubscribedTopics()) != len(s.Subscriptions) {
		return errRefused
	}
	return s.conn.SetDeadline(time.Time{})
}

// listen takes what comes until the connection is over.
func (s *session) listen() error {
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(keepAlive + patience)); err != nil {
			return err
		}
		if err := s.client.HandleNext(); err != nil {
			return err
		}
		if s.conn.silence() > keepAlive {
			return errSilent
		}
	}
}

// speak sends what is in the outbox, and a ping now and then, until listen ends.
func (s *session) speak(over <-chan error) error {
	ping := time.NewTicker(pingAfter)
	defer ping.Stop()
	for {
		select {
		case err := <-over:
			return err
		case <-ping.C:
			if err := s.ping(); err != nil {
				return err
			}
		case <-s.Outbox.wake:
			if err := s.send(); err != nil {
				return err
			}
		}
	}
}

// ping asks the broker whether it is there; that it did not answer the last times
// ends the session.
func (s *session) ping() error {
	if s.conn.silence() > keepAlive {
		return errSilent
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return s.client.StartPing()
}

// send empties the outbox.
func (s *session) send() error {
	for {
		m, ok := s.Outbox.peek()
		if !ok {
			return nil
		}
		flags, err := mqtt.NewPublishFlags(mqtt.QoS0, false, m.Retained)
		if err != nil {
			return err
		}
		if err := s.conn.SetWriteDeadline(time.Now().Add(patience)); err != nil {
			return err
		}
		about := mqtt.VariablesPublish{TopicName: []byte(m.Topic), PacketIdentifier: 1} // asked for, though QoS 0 has none
		if err := s.client.PublishPayload(flags, about, m.Payload); err != nil {
			return err
		}
		s.Outbox.sent()
	}
}

// receive takes a message. One that is longer than anything the node understands
// is read and forgotten.
func (s *session) receive(head mqtt.Header, about mqtt.VariablesPublish, payload io.Reader) error {
	n, err := io.ReadFull(payload, s.inbox[:])
	if err == nil {
		rest, err := io.Copy(io.Discard, payload)
		if err != nil || rest > 0 {
			return err
		}
	} else if !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	s.Receive(string(about.TopicName), s.inbox[:n], head.Flags().Retain())
	return nil
}

// line is a connection whose Read fills what it is given: the library takes a
// short read for a whole one. It remembers when something came last.
type line struct {
	net.Conn
	last atomic.Int64 // Unix, in ns
}

func (l *line) Read(p []byte) (int, error) {
	n, err := io.ReadFull(l.Conn, p)
	if n > 0 {
		l.heard()
	}
	return n, err
}

func (l *line) heard() { l.last.Store(time.Now().UnixNano()) }

// silence is for how long nothing has come.
func (l *line) silence() time.Duration { return time.Duration(time.Now().UnixNano() - l.last.Load()) }
