package sim_test

import (
	"fmt"
	"math"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// act lets somebody do something, or something go wrong, and puts down when it
// is next.
func (c *campaign) act() {
	if c.over {
		return
	}
	j := c.somebody()
	switch n := c.people.IntN(10_000); {
	case n < 9000:
		c.askAnything(j)
	case n < 9100:
		c.burst(j)
	case n < 9150:
		c.renewAgain()
	case n < 9400:
		j.history.looked(c.agenda.Now(), j.On())
		c.looks++
	default:
		c.mishap(j, n-9400)
	}
	j.checkHistory(64)
	c.agenda.After(c.upTo(600*time.Millisecond), c.act)
}

// somebody chooses a node: most are asked all the time, the last ones so seldom
// that what they were asked for has its end.
func (c *campaign) somebody() *judge {
	busy := len(c.judges) - 4
	if c.people.IntN(100) < 3 {
		return c.judges[busy+c.people.IntN(4)]
	}
	return c.judges[c.people.IntN(busy)]
}

// askAnything asks for any position, with any end.
func (c *campaign) askAnything(j *judge) {
	lasts, lease := time.Duration(0), time.Duration(0)
	on := c.people.IntN(5) > 1
	if on && !j.Fielded && c.people.IntN(2) == 0 {
		lasts = (time.Second + c.someTime()).Truncate(time.Second)
	}
	if on && !j.Fielded && c.people.IntN(3) == 0 {
		lease = 2*time.Minute + c.upTo(3*time.Minute).Truncate(time.Second)
	}
	c.ask(j, on, lasts, lease)
}

// burst is somebody impatient.
func (c *campaign) burst(j *judge) {
	for range 3 + c.people.IntN(25) {
		c.agenda.After(c.upTo(5*time.Second), func() { c.askAnything(j) })
	}
}

// mishap lets something go wrong.
func (c *campaign) mishap(j *judge, n int) {
	d := c.someTime()
	j.disturbed = max(j.disturbed, c.agenda.Now()+d)
	switch {
	case n < 150:
		j.Cut(d)
	case n < 200:
		c.publish(j, "relay/commands", c.text(), false) // somebody's old script
	case n < 260:
		c.retain(j)
	case n < 320:
		c.overload(j)
	case n < 420:
		c.reset(j)
	case n < 460:
		c.cutPower(j, d)
	case n < 490:
		c.cutPower(j, 200*time.Millisecond) // a brown-out
	case n < 540:
		fault := []sim.MeterFault{sim.MeterSilent, sim.MeterNoisy}[c.people.IntN(2)]
		j.Spoil(fault)
		c.agenda.After(d, func() { j.Spoil(sim.MeterWell) })
	case n < 550:
		j.Weld(true)
		c.agenda.After(d, func() { j.Weld(false) })
	case n < 560:
		c.wall.Add(int64(c.upTo(48*time.Hour) - 24*time.Hour))
	case n < 580:
		c.restartHub(d)
	default:
		c.restartBroker(d, c.people.IntN(4) == 0)
	}
}

// restartHub kills the hub for a while, in every second case with the broker.
func (c *campaign) restartHub(d time.Duration) {
	if c.hub == nil {
		return
	}
	c.killHub()
	if c.people.IntN(2) == 0 {
		c.restartBroker(d, false)
	}
	c.agenda.After(d, func() {
		if c.hub == nil {
			c.startHub()
		}
	})
}

func (c *campaign) restartBroker(d time.Duration, forget bool) {
	for _, j := range c.judges {
		j.disturbed = max(j.disturbed, c.agenda.Now()+d)
	}
	c.broker.Kill(forget)
	c.agenda.After(d, c.broker.Revive)
}

// retain has somebody retain a command, a copy of what nodes understand.
func (c *campaign) retain(j *judge) {
	payload := c.text()
	if t, runs := j.Clock(); runs && c.people.IntN(2) == 0 {
		payload = string(wire.AppendCommand(nil, &wire.Command{ID: c.name("retained"), Boot: j.boot, BeforeT: t + 10_000, On: true}))
	}
	c.publish(j, "relay/commands", payload, true)
	c.agenda.After(c.someTime(), func() { c.publish(j, "relay/commands", "", true) })
}

// renewAgain has the network deliver somebody's last renewal once more, late.
func (c *campaign) renewAgain() {
	first := c.people.IntN(len(c.judges))
	for i := range c.judges {
		j := c.judges[(first+i)%len(c.judges)]
		if again := j.renewed; again != "" {
			j.replays[again] = true
			c.agenda.After(c.someTime(), func() { c.publish(j, "relay/lease", again, false) })
			return
		}
	}
}

// overload lets too much current flow for a moment.
func (c *campaign) overload(j *judge) {
	if j.Fielded {
		return
	}
	j.Draw(load(20_000))
	j.overload = c.agenda.Now() + time.Hour
	c.agenda.After(3*time.Second, func() {
		j.Draw(load(3000))
		j.overload = c.agenda.Now()
	})
}

// reset clears a cut-off.
func (c *campaign) reset(j *judge) {
	if t, runs := j.Clock(); runs {
		reset := wire.Reset{ID: c.name("reset"), Boot: j.boot, BeforeT: t + 10_000}
		c.publish(j, "protection/reset", string(wire.AppendReset(nil, &reset)), false)
	}
}

// cutPower takes a node's power away, and brings it back.
func (c *campaign) cutPower(j *judge, d time.Duration) {
	j.PowerOff()
	j.Spoil(sim.MeterNoisy)
	c.agenda.After(d, func() {
		c.check(j.PowerOn())
		c.agenda.After(4*time.Second, func() { j.Spoil(sim.MeterWell) })
	})
}

// publish is another client at the broker.
func (c *campaign) publish(j *judge, what, payload string, retained bool) {
	c.broker.Publish(smartmeter.Message{Topic: "dev/" + string(j.ID) + "/" + what, Payload: []byte(payload), QoS: 1, Retained: retained})
}

func (c *campaign) text() string {
	return []string{wire.TextOn, wire.TextOff}[c.people.IntN(2)]
}

// name returns an id that nothing else has.
func (c *campaign) name(what string) string { return fmt.Sprintf("%s-%d", what, c.agenda.Now()) }

// upTo draws a duration, someTime one of which most are short: up to ten
// minutes.
func (c *campaign) upTo(d time.Duration) time.Duration {
	return time.Duration(1 + c.people.Int64N(int64(d)))
}

func (c *campaign) someTime() time.Duration {
	return time.Duration(math.Exp2(10*c.people.Float64()-0.8) * float64(time.Second))
}

// checkHistory checks what people saw of a relay, when there is enough of it.
func (j *judge) checkHistory(least int) {
	h := &j.history
	if !h.over(j.now(), least) {
		return
	}
	if !j.Fielded { // whose word may be about another command
		if !h.check() {
			j.fail("what people saw cannot have happened in any order; it began at %v:\n%s", h.began, h)
		}
		j.world.segments++
	}
	h.next(j.On())
}

// lasted is how long the campaign took, in virtual time.
func (c *campaign) lasted() time.Duration { return c.ended }

// note takes something into the digest of a run, which tells whether a replay was
// the same.
func (c *campaign) note(format string, args ...any) {
	c.noting.Lock()
	defer c.noting.Unlock()
	fmt.Fprintf(c.digest, format, args...)
	fmt.Fprintln(c.digest, c.agenda.Now())
}

// check ends the campaign if something cannot fail and does.
func (c *campaign) check(err error) {
	if err != nil {
		c.t.Helper()
		c.t.Fatal(err)
	}
}

// fail notes what must not happen. The first of it ends the campaign.
func (c *campaign) fail(format string, args ...any) {
	if !c.failed {
		c.t.Errorf("after %v, -commands.seed=%d: %s", c.agenda.Now(), c.seed, fmt.Sprintf(format, args...))
	}
	c.failed = true
}
