package node

import (
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

const (
	// BacklogPause is the time between two messages of the backlog, unless the
	// configuration says another: 32 samples a second, which empties a Ring in a
	// few of them and asks little of a small radio.
	BacklogPause smartmeter.Millis = 1000
	// backlogWait is the time from a connect to the first message of the backlog:
	// by then the hub may have said what it has.
	backlogWait smartmeter.Millis = 1000
	// backlogWindow is for how long messages go out without a receipt in between.
	// The hub gives one about every ten seconds: shorter, and the backlog would
	// stand still until it comes.
	backlogWindow smartmeter.Millis = 16_000
	// resendAfter is how long a sample stays unacknowledged until it is sent
	// again. It doubles up to resendAtMost while no receipt comes at all: then
	// most likely nobody listens who gives any.
	resendAfter  smartmeter.Millis = 30_000
	resendAtMost smartmeter.Millis = 600_000
)

// outbox is what the node knows of the samples on their way to the hub. They
// are sent live once, then again as backlog until they are acknowledged.
type outbox struct {
	// begin is the buffer's position of this boot's first sample.
	begin uint64
	// seq is the number of the newest sample, acked the highest that the hub
	// has acknowledged.
	seq, acked uint32
	// at is where the backlog goes on: what is kept from there on, but before
	// live, is still to be sent in this connection.
	at   place
	live uint64
	// pause is the time between two messages, and window how many may go out until
	// a receipt comes.
	pause  smartmeter.Millis
	window int
	// since is when the last message of the backlog was sent, or when the oldest
	// sample kept became another one; patience later that is sent again.
	since, patience smartmeter.Millis

	minutes minutes
	lost    uint32
	// batch is where a message of the backlog is put together.
	batch [wire.MaxBacklog]smartmeter.Sample
}

// place is a place in what is kept.
type place struct {
	minute int64  // among the minutes, then
	cursor uint64 // in the buffer
	// boot is the earlier boot at cursor, if any, and first its oldest sample.
	boot  smartmeter.BootID
	first uint32
}

// keep numbers a sample and keeps it.
func (n *Node) keep(s *smartmeter.Sample) {
	before, _ := n.buffer.Bounds()
	n.out.seq++
	s.Seq = n.out.seq
	n.buffer.Put(s)
	n.out.minutes.note(s)
	after, _ := n.buffer.Bounds()
	n.out.lost += uint32(after - before)
}

// sendLive publishes the sample that was just kept. If it is not taken, it
// becomes part of the backlog.
func (n *Node) sendLive(s *smartmeter.Sample, t smartmeter.Millis) {
	if !n.connected {
		return
	}
	o := &n.out
	s.First = n.oldestKept()
	taken := n.link.Publish(n.topics.metrics, wire.AppendMetrics(n.payload[:0], s), 0, false)
	first, next := n.buffer.Bounds()
	switch {
	case !taken:
		n.counts.NotTaken++
		if o.at.cursor >= o.live {
			o.at.cursor = next - 1
		}
		o.live = next
	case next-first == 1:
		o.since = t
	}
}

// seqAt returns the number of this boot's sample at a position.
func (o *outbox) seqAt(position uint64) uint32 {
	return uint32(max(position, o.begin)-o.begin) + 1
}

// oldestKept returns the number of the oldest sample of this boot that is kept,
// whole or thinned; when there is none, the one to come.
func (n *Node) oldestKept() uint32 {
	o := &n.out
	first, _ := n.buffer.Bounds()
	oldest := o.seqAt(first)
	if at := o.minutes.from(o.minutes.oldest); at <= o.minutes.newest {
		oldest = min(oldest, o.minutes.of(at).seq)
	}
	return oldest
}

// rewind makes all that is kept the backlog, up to a position.
func (n *Node) rewind(t smartmeter.Millis, live uint64) {
	o := &n.out
	first, _ := n.buffer.Bounds()
	o.at = place{minute: o.minutes.oldest, cursor: first}
	o.live = live
	o.refill()
	o.since = t
}

// refill has messages go out without a receipt once more.
func (o *outbox) refill() { o.window = int(backlogWindow / o.pause) }

// sendBacklog sends the next part of the backlog, if it is its time.
func (n *Node) sendBacklog(t smartmeter.Millis) {
	n.sendAgain(t)
	if t < n.due.backlog || n.out.window == 0 {
		return
	}
	n.due.backlog = t + n.out.pause
	batch, after := n.nextBatch()
	if len(batch) > 0 {
		if !n.link.Publish(n.topics.backlog, wire.AppendBacklog(n.payload[:0], batch), 1, false) {
			return
		}
		n.out.window--
		n.out.since = t
	}
	n.out.at = after
}

// sendAgain makes a backlog of what stays unacknowledged for too long.
func (n *Node) sendAgain(t smartmeter.Millis) {
	o := &n.out
	first, next := n.buffer.Bounds()
	if first == next || t < o.since+o.patience {
		return
	}
	live := next // but not those that were sent just now
	for live > max(first, o.begin) && n.buffer.Get(live-1, &o.batch[0]) && o.batch[0].T > t-resendAfter {
		live--
	}
	n.rewind(t, live)
	o.patience = min(2*o.patience, resendAtMost)
}

// nextBatch returns the next samples of the backlog, oldest first, and the
// place after them. The minutes come first that are older than all that the
// buffer holds. A message is of one boot: which of its samples a node has lost,
// the last one says for all.
func (n *Node) nextBatch() (batch []smartmeter.Sample, at place) {
	o := &n.out
	batch, at = o.batch[:0], o.at
	first, _ := n.buffer.Bounds()
	for at.cursor = max(at.cursor, first); len(batch) < len(o.batch); at.minute++ {
		if at.minute = o.minutes.from(at.minute); !n.minuteWaits(at.minute) {
			break
		}
		batch = append(batch, o.minutes.thinned(at.minute, n.boot))
	}
	for ; at.cursor < o.live && len(batch) < len(o.batch); at.cursor++ {
		s := &o.batch[len(batch)]
		if !n.buffer.Get(at.cursor, s) {
			continue
		}
		if len(batch) > 0 && s.Boot != batch[0].Boot {
			break
		}
		batch = o.batch[:len(batch)+1]
		s.First = n.firstOf(s, &at)
	}
	return batch, at
}

// minuteWaits reports whether a minute, as minutes.from returned it, is
// remembered and older than what the buffer holds of this boot.
func (n *Node) minuteWaits(at int64) bool {
	m := &n.out.minutes
	first, _ := n.buffer.Bounds()
	return at <= m.newest && m.of(at).seq < n.out.seqAt(first)
}

// firstOf returns the oldest sample kept of the boot that s is of. Earlier boots
// are sent from their oldest sample on, which is remembered at their place.
func (n *Node) firstOf(s *smartmeter.Sample, at *place) uint32 {
	if s.Boot == n.boot {
		return n.oldestKept()
	}
	if s.Boot != at.boot {
		at.boot, at.first = s.Boot, s.Seq
	}
	return at.first
}

// receiveAck forgets samples that are durable at the hub.
func (n *Node) receiveAck(t smartmeter.Millis, payload []byte) error {
	ack, err := wire.DecodeAck(payload)
	if err != nil {
		return err
	}
	o := &n.out
	before, _ := n.buffer.Bounds()
	acked := o.acked
	if ack.Boot == n.boot && ack.Seq <= o.seq { // a higher one was never given
		o.acked = max(o.acked, ack.Seq)
		o.minutes.acknowledge(o.acked)
	}
	n.forget(ack)
	first, _ := n.buffer.Bounds()
	away := o.patience > resendAfter // nobody gave any for long
	if away {
		n.tellTrouble()
	}
	if away || first > before || o.acked > acked {
		o.patience = resendAfter
		o.refill()
	}
	if first > before { // not for this boot's when an earlier one's are the oldest
		o.since = t
	}
	return nil
}

// forget drops what is acknowledged from the buffer's oldest end: samples of
// earlier boots one by one, those of this one at once.
func (n *Node) forget(ack wire.Ack) {
	o := &n.out
	position, next := n.buffer.Bounds()
	for s := &o.batch[0]; position < min(next, o.begin); position++ {
		if n.buffer.Get(position, s) && (s.Boot != ack.Boot || s.Seq > ack.Seq) {
			break
		}
	}
	if position >= o.begin {
		position = max(position, o.begin+uint64(o.acked))
	}
	n.buffer.Forget(position)
}

// backlogWake returns when sendBacklog has something to do next.
func (n *Node) backlogWake() smartmeter.Millis {
	o := &n.out
	first, next := n.buffer.Bounds()
	if first == next {
		return wire.MaxMillis
	}
	again := o.since + o.patience
	if o.window > 0 && (max(o.at.cursor, first) < o.live || n.minuteWaits(o.minutes.from(o.at.minute))) {
		return min(n.due.backlog, again)
	}
	return again
}
