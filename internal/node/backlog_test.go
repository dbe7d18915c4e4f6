package node_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// span is the samples of one message of the backlog.
type span struct {
	T           smartmeter.Millis // when it was sent, to the second
	From, To, N uint32
	First       uint32 // as the last of them says
}

// backlog lets d pass and returns the messages of the backlog that came in it.
func (l *lab) backlog(d smartmeter.Millis) []span {
	l.Helper()
	var all []span
	for end := l.now + d; l.now < end; {
		from := len(l.link.on(topicBacklog))
		l.run(second)
		for _, m := range l.link.on(topicBacklog)[from:] {
			samples, err := wire.DecodeBacklog(m.Payload, nil)
			if err != nil || m.Retained {
				l.Fatal(string(m.Payload), m.Retained, err)
			}
			last := samples[len(samples)-1]
			all = append(all, span{l.now, samples[0].Seq, last.Seq, uint32(len(samples)), last.First})
		}
	}
	return all
}

// acknowledge lets a receipt arrive.
func (l *lab) acknowledge(of smartmeter.BootID, seq uint32) {
	l.receive(topicAck, string(wire.AppendAck(nil, wire.Ack{Boot: of, Seq: seq})))
}

func TestBacklogAfterAnOutage(t *testing.T) {
	l := newLab(t).run(6*minute - second) // 72 samples
	l.connect()
	want := []span{
		{6*minute + second, 1, 32, 32, 1}, // 1 s after the connect, and a bit by chance
		{6*minute + 2*second, 33, 64, 32, 1},
		{6*minute + 3*second, 65, 72, 8, 1},
	}
	if diff := cmp.Diff(want, l.backlog(10*second)); diff != "" {
		t.Errorf("backlog (-want +got):\n%s", diff)
	}
	live := l.samples()
	if len(live) != 2 || live[0].T != 6*minute || live[1].T != 6*minute+5*second {
		t.Errorf("live meanwhile: %v", live)
	}
	l.acknowledge(boot, 74)
	if got := l.backlog(minute); len(got) != 1 || got[0].From != 75 { // nobody acknowledges those that follow
		t.Errorf("after the receipt came %v", got)
	}
}

func TestReceiptForAnOldBacklogComesFirst(t *testing.T) {
	l := newLab(t).run(minute).connect()
	l.acknowledge(boot, 10) // as a hub repeats it when info arrives
	want := []span{{minute + 2*second, 11, 13, 3, 11}}
	if diff := cmp.Diff(want, l.backlog(4*second)); diff != "" {
		t.Errorf("backlog (-want +got):\n%s", diff)
	}
}

func TestUnacknowledgedIsSentAgain(t *testing.T) {
	l := newLab(t).connect()
	want := []span{
		{30 * second, 1, 1, 1, 1}, // the others were sent less than 30 s ago
		{90 * second, 1, 13, 13, 1},
		{210 * second, 1, 32, 32, 1},
		{211 * second, 33, 37, 5, 1},
	}
	if diff := cmp.Diff(want, l.backlog(4*minute)); diff != "" {
		t.Errorf("backlog (-want +got):\n%s", diff)
	}
}

// A hub that gives no receipts gets a window's worth of samples, and again ever
// more rarely.
func TestNobodyGivesReceipts(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Buffer = new(wide) }).run(2 * 60 * minute).connect()
	got := l.backlog(29 * second)
	if len(got) != 16 || got[15].To != 16*32 {
		t.Errorf("%d messages, the last is %v; want 16", len(got), got[len(got)-1])
	}
	l.backlog(60 * minute)
	if got := l.backlog(60 * minute); len(got) != 6*16 {
		t.Errorf("%d messages in an hour, want 16 every 10 minutes", len(got))
	}
	l.acknowledge(boot, 100)
	if got := l.backlog(2 * second); len(got) != 3 || got[0].From != 513 {
		t.Errorf("after a receipt came %v", got)
	}
}

// A hub that returns beside a broker that lived on says once more what it has.
// That is nothing new, but somebody listens again.
func TestHubThatReturnsIsSentTheBacklogAtOnce(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Buffer = new(wide) }).run(2 * 60 * minute).connect()
	l.backlog(10 * second)
	l.acknowledge(boot, 100)
	l.backlog(90 * minute)
	l.acknowledge(boot, 100)
	if got := l.backlog(2 * second); len(got) == 0 {
		t.Error("nothing is sent: the node waits for up to 10 min")
	}
}

// A hub gives a receipt every ten seconds or so. The backlog does not wait for
// it.
func TestReceiptsKeepTheBacklogGoing(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Buffer = new(wide) }).run(3 * 60 * minute).connect()
	var sent []span
	for range 5 {
		sent = append(sent, l.backlog(12*second)...)
		l.acknowledge(boot, sent[len(sent)-1].To)
	}
	if last := sent[len(sent)-1]; len(sent) != 59 || last.To != 59*32 { // the first after a second
		t.Errorf("%d messages in a minute, the last is %v", len(sent), last)
	}
}

// A host with a file sends more often, and as long without a receipt. Its live
// samples go out as ever.
func TestBacklogAtTheRateOfAFile(t *testing.T) {
	const pause = 250
	l := newLab(t, func(c *node.Config) { c.Buffer, c.BacklogPause = new(wide), pause }).run(10 * 60 * minute).connect()
	sent := l.backlog(30 * second)
	if len(sent) != 64 {
		t.Errorf("%d messages without a receipt, want those of 16 s", len(sent))
	}
	for range 3 {
		l.acknowledge(boot, sent[len(sent)-1].To)
		sent = append(sent, l.backlog(12*second)...)
	}
	if last := sent[len(sent)-1]; len(sent) < 64+3*48 || last.To != uint32(len(sent))*32 {
		t.Errorf("%d messages, the last is %v; want 128 samples a second", len(sent), last)
	}
	for i, s := range l.samples() {
		if want := 10*60*minute + smartmeter.Millis(i+1)*5*second; s.T != want {
			t.Fatalf("live sample %d was measured at %d, want %d", i, s.T, want)
		}
	}
}

// Nodes that return at the same moment do not send in step.
func TestNodesBeginAtDifferentTimes(t *testing.T) {
	begins := map[smartmeter.Millis]bool{}
	for id := smartmeter.BootID(1); id <= 2000; id += 97 {
		l := newLab(t, func(c *node.Config) { c.Boot = id }).run(minute - 1)
		l.connect()
		for len(l.link.on(topicBacklog)) == 0 && l.now < 2*minute {
			l.run(1)
		}
		if l.now < minute-1+second || l.now >= minute-1+2*second {
			t.Errorf("boot %d begins at %d", id, l.now)
		}
		begins[l.now] = true
	}
	if len(begins) < 20 {
		t.Errorf("21 nodes begin at only %d times", len(begins))
	}
}

// A hub that returns beside its broker says what it has, which is nothing new.
// The node does not wait any longer.
func TestReceiptThatSaysNothingNewEndsTheWaiting(t *testing.T) {
	l := newLab(t).connect().run(minute)
	l.acknowledge(boot, 5)
	l.run(60 * minute) // by now it tries every 10 minutes
	at := l.now
	l.acknowledge(boot, 5)
	got := l.backlog(40 * second)
	if len(got) == 0 || got[0].T > at+31*second {
		t.Fatalf("after the hub's word came %v", got)
	}
	from := len(l.link.on(topicBacklog))
	for range 60 { // but one whose disk is full does not get all of it again and again
		l.acknowledge(boot, 5)
		l.run(second)
	}
	if more := len(l.link.on(topicBacklog)) - from; more > 32 {
		t.Errorf("%d messages in a minute to a hub that keeps none of them", more)
	}
}

func TestLiveSampleThatIsNotTakenJoinsTheBacklog(t *testing.T) {
	l := newLab(t).connect().run(10 * second) // samples 1 to 3
	l.acknowledge(boot, 3)
	l.link.full = true
	l.run(5 * second)
	l.link.full = false
	want := []span{{16 * second, 4, 4, 1, 4}}
	if diff := cmp.Diff(want, l.backlog(4*second)); diff != "" {
		t.Errorf("backlog (-want +got):\n%s", diff)
	}
}

func TestMinutesOutlastTheRing(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Minutes = node.WeekOfMinutes })
	for range 60 {
		l.slave.Update(func(m *smartmeter.Measurement) { m.Energy += 10 })
		l.run(minute)
	}
	l.link.sent = nil
	l.connect()
	// 721 samples, of which the ring holds the last 128: from 594 on. Before it
	// the first sample of each minute is 1, 13, 25 and so on, up to 589.
	want := []span{
		{3602 * second, 1, 373, 32, 373},
		{3603 * second, 385, 607, 32, 1},
		{3604 * second, 608, 639, 32, 1},
		{3605 * second, 640, 671, 32, 1},
		{3606 * second, 672, 703, 32, 1},
		{3607 * second, 704, 721, 18, 1},
	}
	got := l.backlog(7 * second)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("backlog (-want +got):\n%s", diff)
	}
	samples, _ := wire.DecodeBacklog(l.link.on(topicBacklog)[0].Payload, nil)
	thinned := smartmeter.Sample{
		Measurement: smartmeter.Measurement{Has: smartmeter.Energy, Energy: measuring().Energy + 10 - 1<<32},
		Boot:        boot, Seq: 13, First: 13, T: minute,
	}
	if diff := cmp.Diff(thinned, samples[1]); diff != "" {
		t.Errorf("the second minute (-want +got):\n%s", diff)
	}
	l.acknowledge(boot, 589)
	l.run(5 * second)
	if live := l.samples(); live[len(live)-1].First != 596 {
		t.Errorf("after the receipt the oldest is %d, want 596", live[len(live)-1].First)
	}
}

// Minutes wrap around, and those in which the meter was silent are missing.
func TestMinutesWrapAround(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Minutes = 30 }).run(59 * minute)
	l.meter.err = pzem.ErrSilent
	l.run(3 * minute) // the minutes 60 and 61 are missing
	l.meter.err = nil
	l.run(15 * minute)
	l.connect().run(2 * second)
	batch, err := wire.DecodeBacklog(l.link.on(topicBacklog)[0].Payload, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []int
	for _, s := range batch {
		if s.Has == smartmeter.Energy {
			got = append(got, int(s.T/minute))
		}
	}
	for m := 48; m <= 66; m++ { // the newest 30, but for those that the ring has
		if m != 60 && m != 61 {
			want = append(want, m)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("minutes (-want +got):\n%s", diff)
	}
}

// TestEarlierBoots lets a buffer survive power cuts.
func TestEarlierBoots(t *testing.T) {
	buffer := new(node.Ring)
	boots := []smartmeter.BootID{0xA, 0xB, 0xC}
	l := newLab(t)
	for _, b := range boots {
		l.boot(func(c *node.Config) { c.Buffer, c.Boot = buffer, b })
		l.run(minute) // 13 samples
	}
	l.connect().backlog(4 * second)
	count := func() map[smartmeter.BootID]int {
		sent := map[smartmeter.BootID]int{}
		for _, m := range l.link.on(topicBacklog) {
			samples, err := wire.DecodeBacklog(m.Payload, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range samples {
				sent[s.Boot]++
				if s.First != 1 {
					t.Errorf("sample %d of boot %d says that it is kept from %d on", s.Seq, s.Boot, s.First)
				}
			}
		}
		return sent
	}
	if diff := cmp.Diff(map[smartmeter.BootID]int{0xA: 13, 0xB: 13, 0xC: 13}, count()); diff != "" {
		t.Errorf("backlog (-want +got):\n%s", diff)
	}
	l.acknowledge(0xC, 13) // the youngest first: the others must stay
	l.acknowledge(0xB, 13)
	if got := l.node.Status().Unacknowledged; got != 39 {
		t.Errorf("%d kept, want all 39", got)
	}
	l.acknowledge(0xA, 13)
	if got := l.node.Status().Unacknowledged; got != 26 {
		t.Errorf("%d kept, want 26", got)
	}
	l.acknowledge(0xB, 12)
	if got := l.node.Status().Unacknowledged; got != 14 {
		t.Errorf("%d kept, want 14", got)
	}
	l.acknowledge(0xB, 13)
	if got := l.node.Status().Unacknowledged; got != 0 {
		t.Errorf("%d kept, though all is acknowledged", got)
	}
}

// What a power cut has torn out of an earlier boot is gone for good, and only that
// boot's own samples say so, the last of them, too.
func TestMessageIsOfOneBoot(t *testing.T) {
	buffer := &wide{bad: func(position uint64) bool { return position == 11 }}
	l := newLab(t, func(c *node.Config) { c.Buffer, c.Boot = buffer, 7 }).run(minute) // 13 samples
	l.boot(func(c *node.Config) { c.Buffer = buffer })
	l.run(minute).connect().backlog(30 * second)
	l.acknowledge(7, 11)
	for range 5 { // receipts for what is measured now are no receipt for that
		l.backlog(9 * second)
		live := l.samples()
		l.acknowledge(boot, live[len(live)-1].Seq)
	}
	var firsts []uint32
	for _, m := range l.link.on(topicBacklog) {
		samples, err := wire.DecodeBacklog(m.Payload, nil)
		last := samples[len(samples)-1]
		if err != nil || samples[0].Boot != last.Boot {
			t.Errorf("%s, %v", m.Payload, err)
		}
		if last.Boot == 7 {
			firsts = append(firsts, last.First)
		}
	}
	if diff := cmp.Diff([]uint32{1, 13}, firsts); diff != "" {
		t.Errorf("what it says to keep of the earlier boot (-want +got):\n%s", diff)
	}
}

// wide is a buffer that never forgets by itself, and cannot read what bad says.
type wide struct {
	samples []smartmeter.Sample
	first   uint64
	bad     func(uint64) bool
}

func (w *wide) Bounds() (first, next uint64) { return w.first, uint64(len(w.samples)) }
func (w *wide) Put(s *smartmeter.Sample)     { w.samples = append(w.samples, *s) }
func (w *wide) Forget(before uint64)         { w.first = max(w.first, before) }

func (w *wide) Get(position uint64, into *smartmeter.Sample) bool {
	if w.bad != nil && w.bad(position) {
		return false
	}
	*into = w.samples[position]
	return true
}

func TestBufferWithBadSpots(t *testing.T) {
	buffer := &wide{bad: func(position uint64) bool { return position < 3 || position == 7 }}
	newLab(t, func(c *node.Config) { c.Buffer = buffer }).run(minute)
	l := newLab(t, func(c *node.Config) { c.Buffer, c.Boot = buffer, 7 }) // and now those are of an earlier boot
	l.connect()
	want := []span{{2 * second, 4, 13, 9, 4}}
	if diff := cmp.Diff(want, l.backlog(2*second)); diff != "" {
		t.Errorf("backlog (-want +got):\n%s", diff)
	}
	l.acknowledge(boot, 7)
	l.run(minute)                      // the hub misses the eighth, and is told that it is gone
	backlog := l.link.on(topicBacklog) // the last message is of this boot
	samples, err := wire.DecodeBacklog(backlog[len(backlog)-2].Payload, nil)
	if err != nil || samples[0].Boot != boot || samples[0].Seq != 9 || samples[0].First != 9 {
		t.Errorf("sent again %v, %v", samples[0], err)
	}
	l.acknowledge(boot, 13)
	if buffer.first != 13 {
		t.Errorf("keeps from %d on, want 13", buffer.first)
	}
}

// modelHub keeps what a hub would, and gives the receipts it would.
type modelHub struct {
	has   map[uint32]smartmeter.Sample
	first uint32 // all below is received or gone for good
	acked uint32
	seen  int // of the link's messages
}

// listen takes up what was published, of which a lossy line keeps some.
func (h *modelHub) listen(l *lab, lost func() bool) {
	for ; h.seen < len(l.link.sent); h.seen++ {
		m := l.link.sent[h.seen]
		var samples []smartmeter.Sample
		switch m.Topic {
		case topicMetrics:
			samples = make([]smartmeter.Sample, 1)
			if err := wire.DecodeMetrics(m.Payload, &samples[0]); err != nil {
				l.Fatal(err)
			}
		case topicBacklog:
			var err error
			if samples, err = wire.DecodeBacklog(m.Payload, nil); err != nil {
				l.Fatal(err)
			}
		}
		if lost() {
			continue
		}
		for _, s := range samples {
			h.first = max(h.first, s.First)
			if _, known := h.has[s.Seq]; !known {
				h.has[s.Seq] = s
			}
		}
	}
	for ; ; h.acked++ {
		if _, known := h.has[h.acked+1]; !known && h.acked+1 >= h.first {
			return
		}
	}
}

// TestEverySampleArrives runs a node and a hub with outages, a link that is
// full, and messages and receipts that are lost. In the end the hub has every
// sample that the node did not have to drop, and the node knows it.
func TestEverySampleArrives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		buffer := &wide{}
		l := newLab(rt, func(c *node.Config) { c.Buffer = buffer })
		hub := &modelHub{has: map[uint32]smartmeter.Sample{}}
		loss := rapid.IntRange(0, 3).Draw(rt, "loss")
		lost := func() bool { return rapid.IntRange(0, 3).Draw(rt, "lost") < loss }
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			l.link.full = rapid.IntRange(0, 5).Draw(rt, "full") == 0
			if rapid.IntRange(0, 3).Draw(rt, "outage") == 0 {
				l.disconnect()
			}
			l.run(smartmeter.Millis(rapid.IntRange(0, 200).Draw(rt, "seconds")) * second)
			hub.listen(l, lost)
			if hub.acked > 0 && !lost() {
				l.acknowledge(boot, hub.acked)
			}
			if !l.node.Status().Connected {
				l.connect()
			}
		}
		l.link.full = false
		for range 200 { // half an hour without trouble, receipts every 10 s
			l.run(10 * second)
			hub.listen(l, func() bool { return false })
			l.acknowledge(boot, hub.acked)
		}
		for seq := range uint32(len(buffer.samples)) {
			kept := buffer.samples[seq]
			got, ok := hub.has[seq+1]
			if got.First = 0; !ok || got != kept {
				rt.Fatalf("the hub has %+v, the node kept %+v", got, kept)
			}
		}
		if s := l.node.Status(); s.Unacknowledged > 0 || s.Counts.Lost > 0 {
			rt.Fatalf("status %+v", s)
		}
	})
}

// TestLongOutageKeepsTheEnergyOfEachMinute is the same with the ring and the
// minutes behind it, and outages that outlast the ring.
func TestLongOutageKeepsTheEnergyOfEachMinute(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(rt, func(c *node.Config) { c.Minutes = node.WeekOfMinutes })
		hub := &modelHub{has: map[uint32]smartmeter.Sample{}}
		for range rapid.IntRange(1, 4).Draw(rt, "outages") {
			l.run(smartmeter.Millis(rapid.IntRange(0, 6*60*60).Draw(rt, "seconds")) * second)
			l.connect()
			for range rapid.IntRange(1, 40).Draw(rt, "receipts") {
				l.run(5 * second)
				hub.listen(l, func() bool { return false })
				l.acknowledge(boot, hub.acked)
			}
			l.disconnect()
		}
		l.connect()
		for range 60 {
			l.run(5 * second)
			hub.listen(l, func() bool { return false })
			l.acknowledge(boot, hub.acked)
		}
		minutes := map[smartmeter.Millis]bool{}
		for _, s := range hub.has {
			minutes[s.T/minute] = true
		}
		for m := range l.now / minute {
			if !minutes[m] {
				rt.Fatalf("nothing of minute %d arrived", m)
			}
		}
		if s := l.node.Status(); s.Unacknowledged > 0 {
			rt.Fatalf("status %+v", s)
		}
	})
}
