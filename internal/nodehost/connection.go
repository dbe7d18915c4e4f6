package nodehost

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/iot-smart-meter/smartmeter"
)

// Broker says where a broker is and how to reach it.
type Broker struct {
	// URL is mqtt://host or mqtt://host:port, or mqtts:// for TLS.
	URL string
	// TLS is how to speak it; nil trusts what the system trusts.
	TLS *tls.Config
	// Username and Password are "" for none.
	Username, Password string
	// KeepAlive is how long the connection may be silent; 0 means 30 s.
	KeepAlive time.Duration
	// Backoff returns how long to wait before the next attempt, after failed
	// ones without a good connection in between. Nil means DefaultBackoff.
	Backoff func(failed int) time.Duration
	// Logger must not be nil.
	Logger *slog.Logger
}

// Peer is the node that a Connection is for. The methods from Connected on are
// called by the connection's goroutines, in the order of what happened.
type Peer interface {
	ID() smartmeter.NodeID
	// Will is published by the broker when the connection breaks, and by Close.
	Will() smartmeter.Message
	// Subscriptions are made at every connect, with QoS 1.
	Subscriptions() []string
	// Connected follows the subscriptions.
	Connected()
	Disconnected()
	// Receive must not block. It may be called just before Connected.
	Receive(smartmeter.Message)
}

const (
	defaultKeepAlive = 30 * time.Second
	// patience is how long a broker may take to answer, or to read on.
	patience = 10 * time.Second
	// goodConnection is how long a connection must have lasted to count as no
	// failure: two nodes with one id throw each other out at once.
	goodConnection = time.Minute
	// farewell is how long Close waits for the broker.
	farewell = time.Second
	// handover is how long the library may take to accept a message before we
	// look whether there still is a session; its own default is half a minute,
	// also for a connection that is lost.
	handover = 100 * time.Millisecond
	// maxQueued bounds the messages that wait for a slow broker.
	maxQueued = 64
	// bulky is from how many bytes on a message with QoS 1 is bulk. Of that one at
	// most is on its way: what is measured now waits for no more than one message
	// of what was, however slow the line or the hub.
	bulky = 1024
)

// DefaultBackoff waits at least 1 s, and at most 2 s, 4 s and so on up to 60 s,
// at random: nodes that lost their broker together must not return together.
func DefaultBackoff(failed int) time.Duration {
	longest := min(time.Minute, 2*time.Second<<min(max(failed, 1)-1, 5))
	return time.Second + rand.N(longest-time.Second+1)
}

// Connection keeps one node connected, with MQTT 3.1.1 and a clean session.
// Make one with Connect.
type Connection struct {
	broker  Broker
	address string
	peer    Peer
	log     *slog.Logger

	ctx     context.Context // its end cuts everything off
	cancel  context.CancelFunc
	closing chan struct{}
	done    chan struct{}

	mu    sync.Mutex
	queue chan smartmeter.Message // of the present session; nil without one
	bulk  <-chan struct{}         // closed when the bulk on its way has arrived
}

// Connect returns at once and connects in the background, again and again
// until Close. It fails only if broker is wrong in itself.
func Connect(broker Broker, peer Peer) (*Connection, error) {
	address, err := broker.address()
	if err != nil {
		return nil, err
	}
	if broker.Logger == nil {
		return nil, errors.New("nodehost: Broker.Logger must be given")
	}
	if broker.KeepAlive == 0 {
		broker.KeepAlive = defaultKeepAlive
	}
	if broker.Backoff == nil {
		broker.Backoff = DefaultBackoff
	}
	c := &Connection{
		broker:  broker,
		address: address,
		peer:    peer,
		log:     broker.Logger.With("node", peer.ID(), "broker", address),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	go c.run()
	return c, nil
}

// ports are the schemes of a broker's URL, and where brokers listen.
var ports = map[string]string{"mqtt": "1883", "tcp": "1883", "mqtts": "8883"}

// address returns host:port of the broker.
func (b *Broker) address() (string, error) {
	u, err := url.Parse(b.URL)
	if err != nil || u.Hostname() == "" || ports[u.Scheme] == "" {
		return "", smartmeter.NewError(smartmeter.Invalid, "broker", "a broker is given as mqtt://host or mqtt://host:port, or with mqtts:// for TLS")
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), ports[u.Scheme])), nil
}

// encrypted reports whether the URL asks for TLS.
func (b *Broker) encrypted() bool { return strings.HasPrefix(b.URL, "mqtts:") }

// Publish takes a message for the broker, see node.Link: it returns false
// while there is no broker, or when it does not keep up.
func (c *Connection) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := smartmeter.Message{Topic: topic, Payload: payload, QoS: qos, Retained: retained}
	if c.queue == nil || len(c.queue) == cap(c.queue) || isBulk(&m) && c.busy() {
		return false
	}
	if isBulk(&m) {
		c.bulk = make(chan struct{}) // until it is handed over
	}
	m.Payload = bytes.Clone(payload)
	c.queue <- m
	return true
}

// isBulk reports whether a message waits for the one before it, see bulky.
func isBulk(m *smartmeter.Message) bool { return m.QoS == 1 && len(m.Payload) >= bulky }

// busy reports whether bulk is on its way. The caller holds mu.
func (c *Connection) busy() bool {
	select {
	case <-c.bulk:
		return false
	default:
		return c.bulk != nil
	}
}

// Close publishes what is queued and then the will, for a broker that was told
// goodbye publishes none. It takes little more than a second at most, however
// the broker behaves, and must be called once.
func (c *Connection) Close() error {
	close(c.closing)
	if !c.inSession() {
		c.cancel()
	}
	select {
	case <-c.done:
	case <-time.After(farewell):
		c.cancel()
		<-c.done
	}
	c.cancel()
	return nil
}

// run connects, serves the session, and begins again when it is lost.
func (c *Connection) run() {
	defer close(c.done)
	for failed := 0; ; {
		begin := time.Now()
		err := c.session()
		if c.closed() {
			return
		}
		if time.Since(begin) >= goodConnection {
			failed = 0
		}
		failed++
		wait := c.broker.Backoff(failed)
		c.log.Log(c.ctx, levelOf(failed), "no connection to the broker", "error", err, "retry", wait)
		if !c.pause(wait) {
			return
		}
	}
}

// levelOf makes a long outage one line in the log, not thousands.
func levelOf(failed int) slog.Level {
	if failed == 1 {
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// pause reports whether d passed without Close being called.
func (c *Connection) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.closing:
		return false
	}
}

func (c *Connection) closed() bool {
	select {
	case <-c.closing:
		return true
	default:
		return false
	}
}

func (c *Connection) inSession() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queue != nil
}

// session is one connection from its beginning to its end, and returns why it
// ended.
func (c *Connection) session() error {
	lost := make(chan error, 1)
	client := paho.NewClient(c.options(lost))
	if token := client.Connect(); token.Wait() && token.Error() != nil { // Wait ends with the dialer's patience
		return token.Error()
	}
	defer client.Disconnect(0)
	queue := c.open()
	defer c.shut()
	if err := c.subscribe(client); err != nil {
		return err
	}
	c.log.Info("connected to the broker")
	c.peer.Connected()
	defer c.peer.Disconnected()
	defer c.shut() // before the peer hears of it: then nothing is taken any more
	for {
		select {
		case m := <-queue:
			token, err := c.publish(client, m, lost)
			if err != nil {
				return err
			}
			if isBulk(&m) {
				c.follow(token.Done())
			}
		case err := <-lost:
			return err
		case <-c.closing:
			return c.leave(client, queue, lost)
		}
	}
}

// open begins to take messages. Each session has a queue of its own: what one
// did not send is old in the next.
func (c *Connection) open() chan smartmeter.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue, c.bulk = make(chan smartmeter.Message, maxQueued), nil
	return c.queue
}

// follow lets the next bulk go when the broker has taken the one before.
func (c *Connection) follow(taken <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bulk = taken
}

// shut takes no more messages.
func (c *Connection) shut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.queue = nil
}

// subscribe makes the peer's subscriptions, all of which must be granted.
func (c *Connection) subscribe(client paho.Client) error {
	filters := map[string]byte{}
	for _, topic := range c.peer.Subscriptions() {
		filters[topic] = 1
	}
	token := client.SubscribeMultiple(filters, nil).(*paho.SubscribeToken)
	if !token.WaitTimeout(patience) {
		return errors.New("the broker does not answer")
	}
	if err := token.Error(); err != nil {
		return err
	}
	for topic, code := range token.Result() {
		if code > 2 { // MQTT 3.1.1 section 3.9.3
			return fmt.Errorf("the broker refuses the subscription to %s: check what this node may read", topic)
		}
	}
	return nil
}

// leave says goodbye: what is queued, the will, and DISCONNECT, after which
// the broker forgets the will.
func (c *Connection) leave(client paho.Client, queue chan smartmeter.Message, lost <-chan error) error {
	c.shut()
	for len(queue) > 0 {
		if _, err := c.publish(client, <-queue, lost); err != nil {
			return err
		}
	}
	will, err := c.publish(client, c.peer.Will(), lost)
	if err != nil {
		return err
	}
	will.WaitTimeout(farewell / 2)
	client.Disconnect(uint(farewell.Milliseconds()) / 2)
	c.log.Info("left the broker")
	return nil
}

// publish hands a message to the client, and keeps trying while the network is
// busy with those before it. It does not wait for the broker's receipt. The
// error says why the session is over.
func (c *Connection) publish(client paho.Client, m smartmeter.Message, lost <-chan error) (paho.Token, error) {
	for {
		token := client.Publish(m.Topic, m.QoS, m.Retained, m.Payload)
		err := token.Error()
		if err == nil || errors.Is(err, paho.ErrNotConnected) {
			return token, err
		}
		select {
		case err := <-lost:
			return nil, err
		case <-c.ctx.Done():
			return nil, c.ctx.Err()
		default:
		}
	}
}
