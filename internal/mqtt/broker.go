package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"
)

// Config is what a Broker needs.
type Config struct {
	// Logger gets what a person may want to know: at debug level the coming
	// and going of clients, at info level clients that were cut off, at error
	// level contained panics. It never gets a password. It must not be nil.
	Logger *slog.Logger

	Hooks  Hooks
	Limits Limits
}

// A Broker serves MQTT clients and the program it lives in. Its methods may be
// called by several goroutines at once.
//
// It has no clock to inject: its deadlines are those of the network
// connections, which go by the runtime's clock, and so does testing/synctest.
type Broker struct {
	log      *slog.Logger
	hooks    Hooks
	limits   Limits
	topics   topics
	counters counters

	mu        sync.Mutex
	closed    bool
	listeners map[net.Listener]struct{}
	conns     map[*conn]struct{}
	addresses map[string]int   // how many of conns
	clients   map[string]*conn // admitted, by client id
	running   sync.WaitGroup   // Serve calls and connections
}

// New returns a Broker that serves nobody yet.
func New(cfg Config) *Broker {
	b := &Broker{
		log:       cfg.Logger,
		hooks:     cfg.Hooks,
		limits:    cfg.Limits.withDefaults(),
		listeners: make(map[net.Listener]struct{}),
		conns:     make(map[*conn]struct{}),
		addresses: make(map[string]int),
		clients:   make(map[string]*conn),
	}
	b.topics.limits = &b.limits
	return b
}

// Serve admits clients that connect to l, which may be a TLS listener, until
// Close, and then returns nil; at once, if that was before. It may be called
// for several listeners. It closes l; should someone else have done so, it
// returns an error.
func (b *Broker) Serve(l net.Listener) error {
	if !b.listen(l) {
		return l.Close()
	}
	defer b.unlisten(l)
	var pause time.Duration
	for {
		network, err := l.Accept()
		if b.closing() {
			if err == nil {
				_ = network.Close()
			}
			return nil
		}
		switch {
		case err == nil:
			pause = 0
			b.accept(network)
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept MQTT connections: %w", err)
		default:
			// Most likely out of file descriptors: some will come free.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			b.log.Warn("cannot accept connections, trying again", "error", err, "in", pause)
			time.Sleep(pause)
		}
	}
}

func (b *Broker) listen(l net.Listener) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.listeners[l] = struct{}{}
	b.running.Add(1)
	return true
}

func (b *Broker) unlisten(l net.Listener) {
	_ = l.Close()
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.listeners, l)
	b.running.Done()
}

// accept starts serving a network connection, within the limits.
func (b *Broker) accept(network net.Conn) {
	b.counters.connections.Add(1)
	c := newConn(b, network)
	if reason := b.enter(c); reason != reasonNone {
		c.kill(reason)
		b.counters.closed[reason].Add(1)
		b.logEnd(c, reason, nil)
		return
	}
	go c.serve()
}

// enter counts c in, or says why not.
func (b *Broker) enter(c *conn) Reason {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return ReasonShutdown
	case len(b.conns) >= b.limits.Connections:
		return ReasonConnectionLimit
	case b.addresses[c.address] >= b.limits.ConnectionsPerAddress:
		return ReasonAddressLimit
	}
	b.conns[c] = struct{}{}
	b.addresses[c.address]++
	b.running.Add(1)
	return reasonNone
}

// forget counts c out.
func (b *Broker) forget(c *conn) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.conns, c)
	if b.addresses[c.address]--; b.addresses[c.address] == 0 {
		delete(b.addresses, c.address)
	}
	b.running.Done()
}

// claim notes the client id that c asks for.
func (b *Broker) claim(c *conn, clientID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.claimed = clientID
}

// admit gives c a session under its client id. A connection that has it now is
// ended first, to the very end: its will, which may say that the client is
// offline, is published before the client can say that it is online (MQTT
// 3.1.1 section 3.1.4).
func (b *Broker) admit(c *conn, who Identity) error {
	timeout := time.NewTimer(b.limits.ConnectTimeout)
	defer timeout.Stop()
	for {
		previous, err := b.enlist(c, who)
		if previous == nil {
			return err
		}
		previous.kill(ReasonTakenOver)
		select {
		case <-previous.done:
		case <-c.dead:
			return errKilled
		case <-timeout.C:
			return errUnavailable
		}
	}
}

// enlist gives c a session unless another connection has its client id, which
// it returns.
func (b *Broker) enlist(c *conn, who Identity) (previous *conn, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.reason() != reasonNone {
		return nil, errKilled
	}
	if previous := b.clients[who.ClientID]; previous != nil {
		return previous, nil
	}
	b.clients[who.ClientID] = c
	c.session = &session{conn: c, client: who}
	return nil, nil
}

// leave ends the session of c. Whatever goes wrong in one step, the others
// follow, or the client id would be taken for ever.
func (b *Broker) leave(c *conn, reason Reason) {
	who := c.session.client
	b.guard("end of a session", func() { b.topics.leave(c.session) })
	if c.will != nil && reason.leavesWill() {
		b.guard("will", func() { b.publishWill(*c.will) })
	}
	if disconnected := b.hooks.Disconnected; disconnected != nil {
		b.guard("disconnected hook", func() { disconnected(who, reason) })
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.clients, who.ClientID)
}

// Disconnect ends the connections of a client id, those still being
// authenticated included, and reports whether there was any. It does not wait:
// from now on nothing of this client is handled and nothing is delivered to
// it; its will and Hooks.Disconnected follow at once. So that a revoked client
// stays out, revoke what Hooks.Authenticate goes by before calling Disconnect.
func (b *Broker) Disconnect(clientID string) bool {
	found := false
	for _, c := range b.connections() {
		if c.id == clientID {
			c.conn.kill(ReasonRevoked)
			found = true
		}
	}
	return found
}

type claimedConn struct {
	conn *conn
	id   string
}

func (b *Broker) connections() []claimedConn {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := make([]claimedConn, 0, len(b.conns))
	for c := range b.conns {
		all = append(all, claimedConn{c, c.claimed})
	}
	return all
}

// connected returns how many connections there are, and how many of them have
// been admitted.
func (b *Broker) connected() (connections, clients int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.conns), len(b.clients)
}

func (b *Broker) closing() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// closeTimeout is how long Close waits for hooks and handlers under way.
const closeTimeout = 2 * time.Second

// Close ends all listeners and connections and waits until they are cleaned
// up, or 2 s; then a hook or handler is stuck, and the error says so. Wills
// are not published: the clients did nothing wrong. Hooks.Disconnected is
// called for each. A hook or handler must not call it, or it would wait for
// itself. Closing again does nothing.
func (b *Broker) Close() error {
	if !b.shut() {
		return nil
	}
	for _, c := range b.connections() {
		c.conn.kill(ReasonShutdown)
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	go func() {
		b.running.Wait()
		cancel()
	}()
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("broker closed, but a hook or handler did not return within %v", closeTimeout)
	}
	return nil
}

// shut closes the door and reports whether it was open.
func (b *Broker) shut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.closed = true
	for l := range b.listeners {
		_ = l.Close()
	}
	return true
}
