package hub

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// What the hub did not ask for may come as fast as somebody likes, and must not
// fill the disk: of a node the history has twenty movements at once and one more
// every thirty seconds, of all nodes together two hundred, and one more every
// five. How many were left out the next one says.
const (
	movesAtOnce    = 20
	moveEvery      = 30 * time.Second
	allMovesAtOnce = 200
	anyMoveEvery   = 5 * time.Second
)

// errMoves is for movements beyond that.
var errMoves = errors.New("more movements of a relay than its history keeps")

// budget is what may be spent at once, and comes back bit by bit. The zero
// value has spent nothing.
type budget struct {
	spent int
	since time.Time // from when on it comes back
}

// spend reports whether one more is left.
func (b *budget) spend(now time.Time, most int, every time.Duration) bool {
	back := int(now.Sub(b.since) / every)
	if b.spent = max(0, b.spent-back); b.spent == 0 {
		b.since = now
	} else {
		b.since = b.since.Add(time.Duration(back) * every)
	}
	if b.spent == most {
		return false
	}
	b.spent++
	return true
}

// keepMove keeps a movement that the hub did not ask for, unless there are too
// many, and reports whether it did.
func (h *Hub) keepMove(c *channel, command *smartmeter.Command, now time.Time) bool {
	past := &c.node.history
	if !past.budget.spend(now, movesAtOnce, moveEvery) || !h.moves.spend(now, allMovesAtOnce, anyMoveEvery) {
		past.unkept++
		h.refused.add(c.node.id, errMoves, smartmeter.Message{Topic: h.topics.Topic(c.node.id, wire.KindRelayState, 0)}, now)
		return false
	}
	if past.unkept > 0 {
		if command.Reason != "" {
			command.Reason += "; "
		}
		command.Reason += fmt.Sprintf("%d movements before this one were too many to keep", past.unkept)
	}
	past.unkept = 0
	h.putMove(c, *command, now)
	return true
}

// putMove keeps a movement as it is now, and tells. If nothing happened since,
// it is what moved the relay last.
func (h *Hub) putMove(c *channel, command smartmeter.Command, now time.Time) {
	h.persist(c)
	h.note(h.store.PutCommand(command))
	if last := c.node.lastCommand; last == nil || last.ID == command.ID || last.AskedAt <= command.AskedAt && last.State.Final() {
		c.node.lastCommand = &command
		if command.State == smartmeter.CommandAcknowledged {
			c.verdict = expect(command, now)
		}
	}
	h.events.publish(smartmeter.EventCommand, c.status(), &command)
}

// ours is what the hub told a node lately, to tell it from what others did: the
// broker gives the hub's own words back.
type ours struct {
	ids   []string // of commands
	texts []text   // commands in the fielded form that did not come back yet
}

type text struct {
	on bool
	at time.Time
}

// maxOurs is more than a node can be asked before its first answer is due.
const maxOurs = 32

// told notes a command of ours on its way to the broker.
func (o *ours) told(p *pending, now time.Time) {
	if p.text {
		o.texts = append(o.texts, text{p.command.On, now})
	} else {
		o.ids = append(o.ids, p.command.ID)
	}
	o.ids = o.ids[max(0, len(o.ids)-maxOurs):]
	o.texts = o.texts[max(0, len(o.texts)-maxOurs):]
}

// knows reports whether a command is the hub's own. The broker inside names
// every client but the hub; another one names nobody.
func (o *ours) knows(order wire.Command, from smartmeter.Identity, now time.Time) bool {
	if from.ClientID != "" {
		return false
	}
	if !order.Text {
		return slices.Contains(o.ids, order.ID)
	}
	o.texts = slices.DeleteFunc(o.texts, func(t text) bool { return now.Sub(t.at) > commandValid })
	i := slices.IndexFunc(o.texts, func(t text) bool { return t.on == order.On })
	if i >= 0 {
		o.texts = slices.Delete(o.texts, i, i+1)
	}
	return i >= 0
}

// takePlace notes that a command takes one of the places for ids that a node
// has.
func (n *node) takePlace(now time.Time) {
	n.asked[n.places%maxValidCommands] = now
	n.places++
}

// whyEnded says which end of an ON it was that its node tells of.
func (n *node) whyEnded(e wire.NodeEvent) string {
	switch l := n.granted; {
	case l.boot != e.Boot || l.until == 0:
		return ""
	case e.T >= l.end:
		return "the time that it was given was over"
	default:
		return "the hub did not renew it in time"
	}
}
