package bus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/iot-smart-meter/smartmeter"
)

const (
	keepAlive = 30 * time.Second
	// patience is how long a broker may take to admit us, to answer a ping, or
	// to read on.
	patience = 10 * time.Second
	// grantTime is how long it may take to answer a subscription: what it
	// keeps comes first, and there may be much of that.
	grantTime = 30 * time.Second
	// handover is how long the MQTT library may take to accept a message before
	// we look whether there still is a connection; it does not notice itself.
	handover = 100 * time.Millisecond
	// farewell is how long the end of a connection may take.
	farewell = time.Second
)

// session is one connection to the broker.
type session struct {
	bus    *External
	link   *link
	client paho.Client
	lost   chan error
	queue  chan smartmeter.Message
	asked  int // so many of the bus's subscriptions were made

	delivering sync.Mutex
	over       bool // nothing is delivered any more
}

// connect makes a connection that delivers nothing yet.
func (b *External) connect(ctx context.Context) (*session, error) {
	conn, err := b.dial(ctx)
	if err != nil {
		return nil, plainly(err)
	}
	s := &session{
		bus:   b,
		link:  newLink(conn, b.log),
		lost:  make(chan error, 1),
		queue: make(chan smartmeter.Message, maxQueued),
	}
	s.client = paho.NewClient(s.options())
	defer context.AfterFunc(ctx, func() { s.link.Close() })()
	if token := s.client.Connect(); token.Wait() && token.Error() != nil {
		s.link.Close()
		return nil, plainly(token.Error())
	}
	return s, nil
}

// options sets the MQTT library to what the hub needs: a clean session, no
// reconnecting of its own, messages in order.
func (s *session) options() *paho.ClientOptions {
	return paho.NewClientOptions().
		AddBroker("tcp://" + s.bus.address).
		SetCustomOpenConnectionFn(func(*url.URL, paho.ClientOptions) (net.Conn, error) { return s.link, nil }).
		SetClientID(s.bus.clientID).
		SetUsername(s.bus.username).
		SetPassword(s.bus.password).
		SetProtocolVersion(4). // 3.1.1, and no falling back to 3.1
		SetCleanSession(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetOrderMatters(true).
		SetConnectTimeout(patience).
		SetKeepAlive(keepAlive).
		SetPingTimeout(patience).
		SetWriteTimeout(handover).
		SetDefaultPublishHandler(s.deliver).
		SetConnectionLostHandler(func(_ paho.Client, err error) { s.lost <- plainly(err) })
}

// deliver takes a message of the broker, which is acknowledged when it returns.
func (s *session) deliver(_ paho.Client, m paho.Message) {
	s.delivering.Lock()
	defer s.delivering.Unlock()
	if s.over {
		return
	}
	s.bus.dispatch(smartmeter.Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained()})
}

// subscribe makes those of the bus's subscriptions that are new, one by one.
func (s *session) subscribe(ctx context.Context) error {
	for _, fresh := range s.bus.since(s.asked) {
		s.asked++
		token := s.client.Subscribe(fresh.filter, 1, nil).(*paho.SubscribeToken)
		select {
		case <-token.Done():
			if err := granted(token); err != nil {
				return err
			}
		case <-time.After(grantTime):
			return errors.New("it does not answer a subscription")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// granted says why a subscription was not.
func granted(token *paho.SubscribeToken) error {
	for filter, code := range token.Result() {
		if code > 2 { // MQTT 3.1.1 section 3.9.3
			return fmt.Errorf("it refuses the subscription to %s: let the hub's user read that", filter)
		}
	}
	return token.Error()
}

// carry sends what is published until the connection is lost or ctx ends.
func (s *session) carry(ctx context.Context) error {
	for {
		select {
		case m := <-s.queue:
			if err := s.publish(ctx, m); err != nil {
				return err
			}
		case <-s.bus.subscribed:
			if err := s.subscribe(ctx); err != nil {
				return err
			}
		case err := <-s.lost:
			return err
		case <-ctx.Done():
			s.flush()
			return ctx.Err()
		}
	}
}

// publish hands a message to the MQTT library, and keeps trying while the
// network is busy with those before it. It does not wait for the broker's
// receipt. The error says why the session is over.
func (s *session) publish(ctx context.Context, m smartmeter.Message) error {
	for s.client.Publish(m.Topic, m.QoS, m.Retained, m.Payload).Error() != nil {
		select {
		case err := <-s.lost:
			return err
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(handover):
		}
	}
	return nil
}

// flush sends what was taken, as far as there is time.
func (s *session) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	for len(s.queue) > 0 && s.publish(ctx, <-s.queue) == nil {
	}
}

// end leaves the broker, if it is still there, and returns when no handler runs
// and none will be called.
func (s *session) end() {
	s.client.Disconnect(uint(farewell.Milliseconds()))
	s.link.Close()
	s.delivering.Lock()
	s.over = true
	s.delivering.Unlock()
}

// plainly says in a person's words why there is no connection, for a sentence
// that names the broker.
func plainly(err error) error {
	if both, ok := err.(interface{ Unwrap() []error }); ok { // the library's own words, and the cause
		causes := both.Unwrap()
		err = causes[len(causes)-1]
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // the address is in the sentence
	}
	switch {
	case errors.Is(err, packets.ErrorRefusedBadUsernameOrPassword), errors.Is(err, packets.ErrorRefusedNotAuthorised):
		return errors.New("it refuses the hub's user name or password")
	case errors.Is(err, packets.ErrorRefusedBadProtocolVersion):
		return errors.New("it does not speak MQTT 3.1.1")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it closed the connection")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return errors.New("it does not answer")
	}
	return err
}
