package hub

import (
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// idlePower is what a load that is off may still seem to draw: the meter's
// noise and a snubber across the contacts.
const idlePower smartmeter.Deciwatt = 10

// settleTime is how long after the node's answer a sample may still show the
// time before it; offPatience how many samples may contradict an OFF before
// the watts are said to disagree (a motor runs down, a capacitor empties).
const (
	settleTime  = time.Second
	offPatience = 3
)

// verdict compares the last acknowledged command with the power that is
// measured after it. The zero value waits for nothing.
type verdict struct {
	command smartmeter.Command
	since   smartmeter.Instant
	against int // samples that contradict an OFF
	open    bool
}

func expect(c smartmeter.Command, acknowledged time.Time) verdict {
	return verdict{command: c, since: smartmeter.InstantOf(acknowledged.Add(settleTime)), open: true}
}

// judge takes one reading and returns the verdict, "" as long as there is none.
// An ON without watts proves nothing: thermostats idle.
func (v *verdict) judge(r smartmeter.Reading) smartmeter.WattsVerdict {
	if !v.open || r.At < v.since || !r.Has.Has(smartmeter.Power) {
		return ""
	}
	draws := r.Power > idlePower
	switch {
	case draws == v.command.On:
		return smartmeter.WattsAgree
	case v.command.On:
		return smartmeter.WattsCannotTell
	}
	v.against++
	if v.against < offPatience {
		return ""
	}
	return smartmeter.WattsDisagree
}

// judgeWatts lets a reading speak on the last command. The caller holds mu.
func (h *Hub) judgeWatts(c *channel, r smartmeter.Reading) {
	watts := c.verdict.judge(r)
	last := c.node.lastCommand
	if watts == "" {
		return
	}
	c.verdict.open = false
	if last == nil || last.ID != c.verdict.command.ID {
		return
	}
	judged := *last
	judged.Watts = watts
	c.node.lastCommand = &judged
	h.note(h.store.PutCommand(judged))
	h.events.publish(smartmeter.EventCommand, c.status(), &judged)
}
