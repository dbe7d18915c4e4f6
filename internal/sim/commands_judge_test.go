package sim_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// tally counts what a campaign met, so that one that met nothing fails.
type tally struct {
	moves, done, looks, segments             int
	texts                                    int // sent to nodes that know better
	leaseEnds, protected, powerCuts          int
	retained, duplicates, stale, lateRenewal int // deliveries that must have no effect
}

// judge stands beside one node and knows the rules of docs/protocol.md. It
// hears all that reaches the node, and holds every movement of the relay to a
// reason: a command that was fresh, or the node's own protection.
type judge struct {
	*sim.Station
	world *campaign

	boot     smartmeter.BootID
	position bool
	lease    smartmeter.Millis // when the ON ends, on the node's clock; 0 for never
	order    *order            // the ON that holds
	granted  time.Duration     // when the hub last granted anything of its lease
	renewal  time.Duration     // when the hub last sent one
	renewed  string            // and what it was
	replays  map[string]bool   // renewals that come again
	obeyed   map[string]bool   // ids of this boot
	policy   bool              // ON belongs after power-up

	hears     *smartmeter.Message // while the node deals with it
	booting   bool
	wish      wish // what it allows
	overload  time.Duration
	disturbed time.Duration // when anything went wrong between node and hub
	history   history
}

// wish is what a message asks for that a node must obey.
type wish struct {
	valid, on bool
	lease     smartmeter.Millis
	id        string
}

// see takes what happens at the station.
func (j *judge) see(s sim.Sight) {
	switch s.What {
	case sim.Boots:
		j.boot, j.booting, j.lease, j.order = s.Boot, true, 0, nil
		clear(j.obeyed)
		if j.Fielded {
			j.moved(true) // as someone left it
		}
	case sim.Hears:
		j.booting = false
		j.hears, j.wish = &s.Message, wish{}
		j.weigh(s)
	case sim.Wakes:
		j.booting = false
	case sim.Moves:
		j.moves(s)
	case sim.Says:
		j.says(s)
	case sim.Rests:
		j.rests(s)
	case sim.LosesLife:
		j.world.powerCuts++
		j.moved(false)
	}
}

// weigh decides what a message allows the node to do.
func (j *judge) weigh(s sim.Sight) {
	kind := s.Message.Topic[strings.Index(s.Message.Topic, "/")+1:]
	kind = kind[strings.Index(kind, "/")+1:]
	switch {
	case s.Message.Retained:
		if kind == "relay/commands" {
			j.world.retained++
		}
	case kind == "relay/commands":
		j.weighCommand(s)
	case kind == "relay/lease":
		lease, err := wire.DecodeLease(s.Message.Payload)
		running := j.position && j.lease != 0 && s.T < j.lease
		switch {
		case err != nil || lease.Boot != j.boot || !running:
			j.world.lateRenewal++
		case lease.LeaseUntilT > j.lease:
			j.lease, j.granted = lease.LeaseUntilT, j.renewal
			if j.replays[string(s.Message.Payload)] {
				j.order = nil // it may be of an ON before, with another lease
			}
		}
	}
}

func (j *judge) weighCommand(s sim.Sight) {
	c, err := wire.DecodeCommand(s.Message.Payload)
	switch {
	case err != nil:
	case c.Text:
		j.wish = wish{valid: true, on: c.On}
	case c.Boot != j.boot || s.T >= c.BeforeT:
		j.world.stale++
	case j.obeyed[c.ID]:
		j.world.duplicates++
	default:
		j.wish = wish{valid: !c.On || c.LeaseUntilT == 0 || s.T < c.LeaseUntilT, on: c.On, lease: c.LeaseUntilT, id: c.ID}
	}
}

// moves looks for the reason of a movement.
func (j *judge) moves(s sim.Sight) {
	j.world.note("%s moves %v at %d", j.ID, s.On, s.T)
	commanded := j.hears != nil && j.wish.valid && j.wish.on == s.On
	ends := !s.On && j.lease != 0 && s.T >= j.lease
	protects := !s.On && j.Node.Limits.Current != 0 && j.world.agenda.Now()-j.overload < 10*time.Second
	tooLong := !s.On && j.Node.Relay.MaxOn != 0
	switch {
	case commanded && j.wish.id != "": // its answer says more
	case commanded, j.Fielded:
		j.history.moved(j.now(), s.On)
	case j.booting && s.On == j.policy:
		j.history.moved(j.now(), s.On)
	case ends:
		j.world.leaseEnds++
		j.history.moved(j.now(), s.On)
	case protects || tooLong:
		j.world.protected++
		j.history.moved(j.now(), s.On)
	default:
		j.fail("its relay moved to %v for no reason; it hears %s", s.On, j.hearing())
	}
	j.echoed(s)
	j.world.moves++
	j.position = s.On
	if !s.On {
		j.lease, j.order = 0, nil
	}
	j.policy = j.afterPowerUp()
}

// moved notes that the relay moved with the power.
func (j *judge) moved(on bool) {
	if j.position != on {
		j.history.moved(j.now(), on)
	}
	j.position, j.lease, j.order = on, 0, nil
}

// afterPowerUp is where the relay would be after a power cut now.
func (j *judge) afterPowerUp() bool {
	switch j.Node.Relay.PowerUp {
	case wire.PositionOn:
		return true
	case wire.PositionLast:
		return j.position && j.lease == 0
	default:
		return false
	}
}

// echoed catches a fielded node that obeys its own word, when nothing was wrong
// but that two commands were under way at once.
func (j *judge) echoed(sim.Sight) {
	if !j.Fielded || j.hears == nil || !strings.HasSuffix(j.hears.Topic, "relay/state") {
		return
	}
	if j.world.agenda.Now()-j.disturbed > time.Minute {
		j.fail("a fielded node moved its relay by its own word")
	}
}

// says takes the node's answer to a command.
func (j *judge) says(s sim.Sight) {
	if j.Fielded || !strings.HasSuffix(s.Message.Topic, "relay/ack") {
		return
	}
	ack, err := wire.DecodeCommandAck(s.Message.Payload)
	if err != nil {
		j.fail("it answers %s: %v", s.Message.Payload, err)
	}
	if ack.Result != wire.ResultDone || strings.HasPrefix(ack.ID, "reset") {
		return
	}
	if !j.wish.valid || j.wish.id != ack.ID {
		j.fail("it obeyed %s, which was not fresh; it hears %s", ack.ID, j.hearing())
	}
	if j.position != j.wish.on {
		j.fail("it says that it obeyed %s, and the relay is at %v", ack.ID, j.position)
	}
	j.world.done++
	j.obeyed[ack.ID] = true
	j.lease = j.wish.lease
	j.order = j.world.book.obeyed(ack.ID)
	if j.order != nil {
		j.granted = j.order.asked
	} else { // another client's
		j.history.moved(j.now(), j.position)
	}
	j.policy = j.afterPowerUp()
}

// rests checks where the relay is when the node is done for now.
func (j *judge) rests(s sim.Sight) {
	if text := j.hears != nil && j.wish.valid && j.wish.id == ""; text && j.position == j.wish.on {
		j.lease, j.order = 0, nil // an ON in text form has no end
		j.policy = j.afterPowerUp()
	}
	j.hears, j.wish = nil, wish{}
	if j.On() != j.position {
		j.fail("its relay is at %v, and moved to %v", j.On(), j.position)
	}
	if !j.position {
		return
	}
	if j.lease != 0 && s.T >= j.lease {
		j.fail("it is on at %d, past its lease until %d", s.T, j.lease)
	}
	j.checkEnd()
}

// checkEnd holds an ON to what was asked for, by the clock on the wall.
func (j *judge) checkEnd() {
	o := j.order
	if o == nil || j.lease == 0 {
		return
	}
	now := j.now()
	if end := o.asked + o.lasts; o.lasts != 0 && now > end+slack(o.lasts) {
		j.fail("it is on %v after it was to end", now-end)
	}
	if end := j.granted + o.lease; o.lease != 0 && now > end+slack(o.lease) {
		j.fail("it is on %v past the lease that the hub granted last", now-end)
	}
}

// slack is what clocks differ that drift by up to maxDrift, and of which one was
// compared with the other at some time in the last ten minutes.
func slack(d time.Duration) time.Duration {
	return 5*time.Millisecond + 2*(d+10*time.Minute)/1_000_000*maxDrift
}

func (j *judge) now() time.Duration { return j.world.agenda.Now() }

func (j *judge) hearing() string {
	if j.hears == nil {
		return "nothing"
	}
	return fmt.Sprintf("%s %s (retained: %v)", j.hears.Topic, j.hears.Payload, j.hears.Retained)
}

func (j *judge) fail(format string, args ...any) {
	j.world.fail("%s: %s", j.ID, fmt.Sprintf(format, args...))
}
