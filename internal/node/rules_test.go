package node_test

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// postman is a network that delays, repeats, reorders and drops messages.
type postman struct {
	waiting []letter
}

type letter struct {
	at             smartmeter.Millis
	topic, payload string
	retained       bool
}

// send lets a message arrive at a time, or several, or never.
func (p *postman) send(rt *rapid.T, l *lab, topic, payload string) {
	for range rapid.SampledFrom([]int{0, 1, 1, 1, 2, 3}).Draw(rt, "copies") {
		delay := smartmeter.Millis(rapid.SampledFrom([]int{0, 0, 100, 5_000, 20_000, 200_000}).Draw(rt, "delay"))
		retained := rapid.IntRange(0, 9).Draw(rt, "retained") == 0
		p.waiting = append(p.waiting, letter{l.now + delay, topic, payload, retained})
	}
}

// deliver lets what is due arrive.
func (p *postman) deliver(l *lab) {
	var later []letter
	for _, m := range p.waiting {
		if m.at > l.now {
			later = append(later, m)
			continue
		}
		l.node.Receive(l.now, m.topic, []byte(m.payload), m.retained)
		l.next = l.now
	}
	p.waiting = later
}

// TestRelayKeepsItsRules sends everything that moves a relay, through a network
// that does its worst, and watches the relay from outside.
func TestRelayKeepsItsRules(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(rt).connect()
		minOff := smartmeter.Millis(rapid.SampledFrom([]int{0, 0, 10, 60}).Draw(rt, "min_off"))
		most := rapid.SampledFrom([]int{0, 2, 6}).Draw(rt, "most")
		l.configure(`"relay":{"power_up":"last","min_off_s":` + strconv.Itoa(int(minOff)) + `,"max_switches_per_min":` + strconv.Itoa(most) +
			`},"limits":{"current_ma":10000,"hold_ms":1000}`)
		l.slave.Update(func(m *smartmeter.Measurement) { m.Current = 1000 })
		w := &watcher{lab: l, issued: map[string]wire.Command{}, accepted: map[string]bool{}, minOff: minOff * second, most: most}
		w.watch(rt)
		var post postman
		for range rapid.IntRange(1, 80).Draw(rt, "steps") {
			w.act(rt, &post)
			for range rapid.IntRange(0, 30).Draw(rt, "half seconds") {
				l.run(500)
				post.deliver(l)
				w.check(rt)
			}
		}
	})
}

// watcher holds the relay to its rules.
type watcher struct {
	*lab
	issued     map[string]wire.Command
	accepted   map[string]bool
	moves      []move
	lease      smartmeter.Millis // as the last accepted ON says
	minOff     smartmeter.Millis
	most, seen int // seen counts the link's messages that were looked at
	ids        int
}

// act does something that may move the relay.
func (w *watcher) act(rt *rapid.T, post *postman) {
	switch rapid.SampledFrom([]string{"command", "command", "command", "renewal", "overload", "reset", "reconnect", "echo"}).Draw(rt, "what") {
	case "command":
		w.ids++
		c := wire.Command{ID: "c" + strconv.Itoa(w.ids), Boot: boot, BeforeT: w.now + 10*second, On: rapid.Bool().Draw(rt, "on")}
		if c.On && rapid.Bool().Draw(rt, "leased") {
			c.LeaseUntilT = w.now + 30*second
		}
		w.issued[c.ID] = c
		post.send(rt, w.lab, topicRelayCommands, string(wire.AppendCommand(nil, &c)))
	case "renewal":
		post.send(rt, w.lab, topicLease, string(wire.AppendLease(nil, wire.Lease{Boot: boot, LeaseUntilT: w.now + 30*second})))
	case "overload":
		current := rapid.SampledFrom([]smartmeter.Milliamp{1000, 1000, 50_000}).Draw(rt, "current")
		w.slave.Update(func(m *smartmeter.Measurement) { m.Current = current })
	case "reset":
		w.ids++
		r := wire.Reset{ID: "r" + strconv.Itoa(w.ids), Boot: boot, BeforeT: w.now + 10*second}
		post.send(rt, w.lab, topicReset, string(wire.AppendReset(nil, &r)))
	case "reconnect":
		w.disconnect()
		w.connect()
	case "echo":
		post.send(rt, w.lab, topicRelayState, "1")
	}
}

// watch holds every movement to the rules as it happens.
func (w *watcher) watch(rt *rapid.T) {
	w.relay.moved = func(on bool) {
		if on && w.node.Status().CutOff.Kind != "" {
			rt.Fatalf("switched on while cut off")
		}
		if n := len(w.moves); on && n > 0 && w.now < w.moves[n-1].T+w.minOff {
			rt.Fatalf("switched on at %d after %v", w.now, w.moves)
		}
		if n := len(w.moves); on && w.most > 0 && n >= w.most && w.now < w.moves[n-w.most].T+minute {
			rt.Fatalf("switched on at %d, too often: %v", w.now, w.moves)
		}
		w.moves = append(w.moves, move{w.now, on})
	}
}

// check compares what happened with what was answered.
func (w *watcher) check(rt *rapid.T) {
	for ; w.seen < len(w.link.sent); w.seen++ {
		m := w.link.sent[w.seen]
		if m.Topic != topicRelayAck {
			continue
		}
		ack, err := wire.DecodeCommandAck(m.Payload)
		c, ours := w.issued[ack.ID]
		if err != nil || !ours || ack.Result != wire.ResultDone {
			continue
		}
		if w.accepted[c.ID] || w.now >= c.BeforeT {
			rt.Fatalf("at %d obeyed again or too late: %+v", w.now, c)
		}
		w.accepted[c.ID] = true
		w.lease = c.LeaseUntilT
	}
	s := w.node.Status()
	if (s.Relay == smartmeter.RelayOn) != w.relay.on() {
		rt.Fatalf("the relay is on: %v, the node says %v", w.relay.on(), s.Relay)
	}
	if w.relay.on() && (s.LeaseUntil == 0) != (w.lease == 0) || s.LeaseUntil != 0 && (w.now >= s.LeaseUntil || s.LeaseUntil > w.now+30*second) {
		rt.Fatalf("at %d the relay is on until %d; the command said %d", w.now, s.LeaseUntil, w.lease)
	}
	ons := 0
	for _, m := range w.moves {
		if m.On {
			ons++
		}
	}
	if ons > len(w.accepted) {
		rt.Fatalf("switched on %d times for %d commands", ons, len(w.accepted))
	}
}
