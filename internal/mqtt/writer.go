package mqtt

import (
	"errors"
	"os"
	"sync"
	"time"
)

// An outbox is the sending side of a connection: the answers to the client's
// own packets, and the state of its writer.
//
// The writer is a goroutine that exists only while there is something to send,
// so that a silent connection costs one goroutine, not two, and everything
// that gathers meanwhile leaves in one write. Answers alone need not even that:
// the reader sends them itself, as far as the socket takes them at once. It
// never waits for the socket, since the client may be waiting to be read.
type outbox struct {
	mu      sync.Mutex
	changed sync.Cond // answers were taken, or the writer ended
	answers []byte    // encoded packets, sent before anything of the session
	pending bool      // there may be something to send
	running bool      // somebody sends: the writer, or the reader for a moment
	closed  bool      // nobody will send again
}

// maxAnswers is how many bytes of answers a client may leave unread before
// the broker reads nothing more from it.
const maxAnswers = 64 << 10

// answer queues the answer to a packet that the reader is handling. It leaves
// when the reader has handled all that it has, or earlier.
func (c *conn) answer(encode func([]byte) []byte) {
	c.out.mu.Lock()
	c.out.answers = encode(c.out.answers)
	c.out.mu.Unlock()
}

// flush sends the answers queued so far on their way, and waits as long as a
// client leaves too many of them unread.
func (c *conn) flush() {
	o := &c.out
	if o.claim() {
		o.unclaim(c.sendNow(o.answers))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.answers) == 0 && !o.pending {
		return
	}
	c.start()
	for len(o.answers) > maxAnswers && !o.closed && c.reason() == reasonNone {
		o.changed.Wait()
	}
}

// sendNow writes as much of b as the socket takes without waiting, and returns
// how much that was. What goes wrong here the writer will find out.
func (c *conn) sendNow(b []byte) int {
	n, err := writeNow(c.raw, b)
	if errors.Is(err, os.ErrDeadlineExceeded) { // of a writer long ago
		if c.net.SetWriteDeadline(time.Time{}) == nil {
			n, _ = writeNow(c.raw, b)
		}
	}
	c.broker.counters.bytesSent.Add(uint64(n))
	return n
}

// wake makes the writer look what there is to send. It does not wait.
func (c *conn) wake() {
	c.out.mu.Lock()
	c.start()
	c.out.mu.Unlock()
}

// start marks the outbox, which must be locked, and starts the writer if there
// is none.
func (c *conn) start() {
	o := &c.out
	o.pending = true
	if !o.running && !o.closed {
		o.running = true
		go c.write()
	}
}

// write is the writer.
func (c *conn) write() {
	defer func() {
		if r := recover(); r != nil {
			c.broker.contained("writer", r, "client", c.name())
			c.kill(ReasonPanic)
			c.out.halt()
		}
	}()
	buf := writeBuffers.Get().(*[]byte)
	for c.out.take(buf) {
		if err := c.writeBatch(buf); err != nil {
			c.kill(writeReason(err))
			c.out.halt()
			break
		}
	}
	if cap(*buf) <= 4*writeBatch {
		writeBuffers.Put(buf)
	}
}

// writeBuffers are shared by all writers, of which few run at a time.
var writeBuffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 4<<10)
	return &b
}}

// writeBatch adds to the answers in buf what the session has, and sends it.
func (c *conn) writeBatch(buf *[]byte) error {
	out, more := c.session.fill(*buf)
	*buf = out
	if more {
		c.wake()
	}
	if len(out) == 0 {
		return nil
	}
	if err := c.net.SetWriteDeadline(time.Now().Add(c.broker.limits.WriteTimeout)); err != nil {
		return err
	}
	n, err := c.net.Write(out)
	c.broker.counters.bytesSent.Add(uint64(n))
	return err
}

func writeReason(err error) Reason {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ReasonWriteTimeout
	}
	return ReasonLost
}

// take moves the answers to buf, replacing what was there, and reports whether
// the writer has anything to do. If not, it must end: from then on it does not
// count as running.
func (o *outbox) take(buf *[]byte) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.pending || o.closed {
		o.running = false
		o.changed.Broadcast()
		return false
	}
	o.pending = false
	*buf = append((*buf)[:0], o.answers...)
	o.answers = o.answers[:0]
	if cap(o.answers) > 1<<10 {
		o.answers = nil
	}
	o.changed.Broadcast()
	return true
}

// claim reports whether there are answers and nobody who sends. They are the
// reader's then until unclaim, and no writer starts.
func (o *outbox) claim() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.answers) == 0 || o.running || o.closed {
		return false
	}
	o.running = true
	return true
}

// unclaim takes note of how many bytes of the answers were sent.
func (o *outbox) unclaim(sent int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.answers = o.answers[:copy(o.answers, o.answers[sent:])]
	o.running = false
}

// halt is the end of a writer that failed.
func (o *outbox) halt() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running, o.closed = false, true
	o.changed.Broadcast()
}

// stop waits until there is no writer, and lets no other start. The network
// connection must be closed.
func (o *outbox) stop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	for o.running {
		o.changed.Wait()
	}
}
