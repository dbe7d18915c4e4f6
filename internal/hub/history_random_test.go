package hub_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// Whoever moves a relay, and however the network and the hub fail meanwhile:
// the history has every movement of the contact, at its time, and none that
// there was not.
func TestHistoryHasEveryMovement(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			newLab(t, func(t *testing.T, l *lab) {
				c := crowd{lab: l, node: l.wireNode("n1", 0xbeef), chance: rand.New(rand.NewPCG(seed, 7))}
				time.Sleep(10 * time.Second)
				l.change("n1", hub.DeviceChange{Settings: &smartmeter.Settings{
					Current: new(smartmeter.Milliamp(5000)), MaxOn: new(smartmeter.Millis(900_000)),
				}})
				time.Sleep(10 * time.Second)
				for range 60 {
					c.act()
					time.Sleep(time.Minute + time.Duration(c.chance.Int64N(int64(time.Minute))))
					synctest.Wait()
				}
				c.check()
				c.node.off()
			})
		})
	}
}

// crowd are the people and programs around one relay.
type crowd struct {
	*lab
	node   *realNode
	chance *rand.Rand
	sent   int
}

// act has one of them do something.
func (c *crowd) act() {
	on := c.chance.IntN(3) > 0
	switch c.chance.IntN(9) {
	case 0, 1:
		req := hub.SwitchRequest{Device: "n1", On: on, Cause: smartmeter.CauseAPI, Wait: time.Second}
		if on && c.chance.IntN(2) == 0 {
			req.For = time.Duration(1+c.chance.IntN(200)) * time.Second
		}
		_, _ = c.Switch(c.t.Context(), req) // a cut-off may stand in the way
	case 2:
		c.tell("relay/commands", map[bool]string{true: wire.TextOn, false: wire.TextOff}[on])
	case 3:
		c.sent++
		c.tell("relay/commands", command(fmt.Sprint("theirs-", c.sent), on))
	case 4:
		c.touch()
	case 5: // too much for the limit, and somebody resets it
		c.node.set(func() { c.node.heavy = true })
		time.Sleep(10 * time.Second)
		c.node.set(func() { c.node.heavy = false })
		_ = c.ResetProtection(c.t.Context(), "n1", time.Second)
	case 6: // the network is gone for a while, and the button is not
		c.node.link(false)
		time.Sleep(time.Minute)
		c.touch()
		time.Sleep(time.Minute)
		c.node.link(true)
	case 7: // the hub begins anew, beside a node that did not notice
		c.restart()
		c.bus.answer = c.node.hear
		c.kept("n1/info", `{"proto":1,"boot":"0000beef","t":0,"config_rev":1,"caps":["backlog","relay","lease","limits"]}`)
		c.kept("n1/relay/state", map[bool]string{true: "1", false: "0"}[c.node.isOn()])
	}
}

// tell is another client at the broker.
func (c *crowd) tell(topic, payload string) {
	m := smartmeter.Message{Topic: "dev/n1/" + topic, Payload: []byte(payload), From: smartmeter.Identity{ClientID: "phone"}}
	c.bus.deliver(m)
	c.node.hear(m)
}

// touch is a person at the node's button.
func (c *crowd) touch() {
	c.node.inbox <- func(t smartmeter.Millis) { c.node.core.Button(t, true) }
	time.Sleep(200 * time.Millisecond)
	c.node.inbox <- func(t smartmeter.Millis) { c.node.core.Button(t, false) }
}

// check holds the history against what the contact did.
func (c *crowd) check() {
	c.t.Helper()
	commands, err := c.Commands(c.t.Context(), "n1", 1000)
	if err != nil {
		c.t.Fatal(err)
	}
	slices.SortStableFunc(commands, func(a, b smartmeter.Command) int { return int(a.AskedAt - b.AskedAt) })
	var told []time.Time
	on := false
	for _, k := range commands {
		if k.State == smartmeter.CommandAcknowledged && k.On != on {
			on = k.On
			told = append(told, k.AskedAt.Time())
		}
	}
	moves := c.node.moves
	c.t.Logf("%d movements, %d entries", len(moves), len(commands))
	for i := range max(len(told), len(moves)) {
		if i >= len(told) || i >= len(moves) || told[i].Sub(moves[i]).Abs() > 3*time.Second {
			for _, k := range commands {
				c.t.Logf("%v %v %s %s (%s)", k.AskedAt.Time(), smartmeter.RelayStateOf(k.On), k.Cause, k.State, k.Reason)
			}
			c.t.Fatalf("movement %d of %d is not told as it was; told are %d\nmoves %v", i, len(moves), len(told), moves)
		}
	}
}
