package mqtt

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// A conn is one network connection, from accept to the end of its client's
// session. Its reader is the goroutine that runs serve; it handles one packet
// after the other and, in the end, cleans up. Nobody else does: to end a
// connection is to kill it and let its reader find out.
type conn struct {
	broker  *Broker
	net     net.Conn
	raw     syscall.RawConn // the socket of net; nil if it is no plain one
	address string          // network address without port
	in      frameReader
	out     outbox

	// claimed is the client id asked for, from the moment it is known; guarded
	// by the broker's lock, so that Disconnect finds also a client that is
	// still being authenticated.
	claimed string
	session *session // nil until admitted
	will    *Message
	topics  topicCache
	pace    pacer

	grace  time.Duration // 1.5 times the keep-alive, 0 for none
	readAt time.Time     // last time that bytes came
	heard  time.Time     // since when the client owes us a packet
	paused time.Time     // since when it owes us the rest of one; zero if it does not
	packet frame         // being handled

	ended atomic.Uint32 // Reason, once there is one
	dead  chan struct{} // closed by kill
	done  chan struct{} // closed when everything is cleaned up
}

func newConn(b *Broker, network net.Conn) *conn {
	c := &conn{
		broker:  b,
		net:     network,
		address: host(network.RemoteAddr()),
		dead:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	if plain, ok := network.(syscall.Conn); ok {
		c.raw, _ = plain.SyscallConn()
	}
	c.in = frameReader{source: c, limit: min(b.limits.ConnectBytes, b.limits.PacketBytes)}
	c.out.changed.L = &c.out.mu
	return c
}

// host returns what ConnectionsPerAddress counts by.
func host(a net.Addr) string {
	if a == nil {
		return ""
	}
	if h, _, err := net.SplitHostPort(a.String()); err == nil {
		return h
	}
	return a.String()
}

// reason returns why the connection is over, or reasonNone.
func (c *conn) reason() Reason { return Reason(c.ended.Load()) }

// kill ends the connection, without waiting for it, unless something else
// already has, and returns the reason that counts. The reader cleans up.
func (c *conn) kill(r Reason) Reason {
	if !c.ended.CompareAndSwap(uint32(reasonNone), uint32(r)) {
		return c.reason()
	}
	close(c.dead)
	// A TLS connection would wait for its peer to take a farewell.
	if t, ok := c.net.(interface{ NetConn() net.Conn }); ok {
		_ = t.NetConn().Close()
	} else {
		_ = c.net.Close()
	}
	return r
}

// serve is the reader.
func (c *conn) serve() {
	defer c.finish()
	defer func() {
		if r := recover(); r != nil {
			c.broker.contained("connection", r, "client", c.name(), "remote", c.net.RemoteAddr(), "packet", c.packet.dump())
			c.kill(ReasonPanic)
		}
	}()
	err := c.run()
	reason := c.kill(c.reasonFor(err))
	c.broker.logEnd(c, reason, err)
}

// run admits the client and handles its packets until something ends that.
func (c *conn) run() error {
	if err := c.connect(); err != nil {
		return err
	}
	for c.reason() == reasonNone {
		f, err := c.in.next()
		if err != nil {
			return err
		}
		c.heard, c.packet = c.readAt, f
		if err := c.handle(f); err != nil {
			return err
		}
		c.packet = frame{}
	}
	return nil
}

// Read feeds the frame reader. Before it waits, it sends the answers to what
// the client has sent so far.
func (c *conn) Read(p []byte) (int, error) {
	c.flush()
	if err := c.listen(); err != nil {
		return 0, err
	}
	for {
		n, err := c.net.Read(p)
		if n > 0 {
			c.readAt = time.Now()
			c.broker.counters.bytesReceived.Add(uint64(n))
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || c.overdue() {
			return n, err
		}
		if err := c.net.SetReadDeadline(c.due()); err != nil {
			return 0, err
		}
	}
}

// listen notes what the client owes us from now on. Handling its last packets
// may have taken longer than it is given, so its time starts here.
//
// The read deadline is moved forward only when it expires, which spares a timer
// operation for every packet; it is moved back for the rest of a packet.
func (c *conn) listen() error {
	switch {
	case c.session == nil: // the time to connect is running
		return nil
	case c.in.end == 0:
		c.heard, c.paused = time.Now(), time.Time{}
		return nil
	default:
		c.paused = time.Now()
		return c.net.SetReadDeadline(c.due())
	}
}

// due returns when the client must be heard of, or zero.
func (c *conn) due() (t time.Time) {
	if c.grace > 0 {
		t = c.heard.Add(c.grace)
	}
	if c.paused.IsZero() {
		return t
	}
	if rest := c.paused.Add(c.broker.limits.PacketTimeout); t.IsZero() || rest.Before(t) {
		t = rest
	}
	return t
}

func (c *conn) overdue() bool {
	due := c.due()
	return c.session == nil || !due.IsZero() && !time.Now().Before(due)
}

// reasonFor translates what ended run.
func (c *conn) reasonFor(err error) Reason {
	var ce *closeError
	switch {
	case errors.As(err, &ce):
		return ce.reason
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return ReasonLost
	case c.session == nil:
		return ReasonConnectTimeout
	case !c.paused.IsZero():
		return ReasonPacketTimeout
	default:
		return ReasonKeepAlive
	}
}

// finish cleans up: no more writer, no more session, then the will, and only
// when all that is done may another connection take the client id.
func (c *conn) finish() {
	reason := c.kill(ReasonLost)
	c.out.stop()
	if c.session != nil {
		c.broker.leave(c, reason)
	}
	c.broker.counters.closed[reason].Add(1)
	c.broker.forget(c)
	close(c.done)
}

// sleep waits, but not longer than the connection lives.
func (c *conn) sleep(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-c.dead:
	}
}

// A pacer spreads what a client publishes over time: it lets one second's
// worth pass at once, then one message every interval (the generic cell rate
// algorithm). The zero value starts full.
type pacer struct {
	next time.Time // when the next message would be due at an even rate
}

// wait returns how long to wait before the next message.
func (p *pacer) wait(now time.Time, rate int) time.Duration {
	const burst = time.Second
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Second / time.Duration(rate))
	return p.next.Sub(now) - burst
}
