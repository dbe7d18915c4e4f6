package node_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// command spells a command in our form.
func command(id, set string, of smartmeter.BootID, before smartmeter.Millis) string {
	c := wire.Command{ID: id, Boot: of, BeforeT: before, On: set == "on"}
	return string(wire.AppendCommand(nil, &c))
}

func TestCommands(t *testing.T) {
	onTen := command("c1", "on", boot, 20_000)
	tests := []struct {
		name     string
		payloads []string
		want     []string // published in answer, the first answer aside where there are two payloads
		set      []bool   // beyond the one at power-up
	}{
		{
			"on",
			[]string{onTen},
			[]string{`relay/ack {"id":"c1","result":"done","state":1}`, "relay/state 1 (retained)"},
			[]bool{true},
		},
		{
			"off while off",
			[]string{command("c2", "off", boot, 20_000)},
			[]string{`relay/ack {"id":"c2","result":"done","state":0}`, "relay/state 0 (retained)"},
			[]bool{false},
		},
		{
			"twice the same",
			[]string{onTen, onTen},
			[]string{`relay/ack {"id":"c1","result":"duplicate","state":1}`},
			[]bool{true},
		},
		{
			"the last millisecond",
			[]string{command("c3", "on", boot, 10_001)},
			[]string{`relay/ack {"id":"c3","result":"done","state":1}`, "relay/state 1 (retained)"},
			[]bool{true},
		},
		{
			"too late",
			[]string{command("c4", "on", boot, 10_000)},
			[]string{`relay/ack {"id":"c4","result":"expired","state":0,"reason":"came too late"}`},
			nil,
		},
		{
			"for another boot",
			[]string{command("c5", "on", 0x12345678, 20_000)},
			[]string{`relay/ack {"id":"c5","result":"expired","state":0,"reason":"meant for another boot"}`},
			nil,
		},
		{
			"with a lease",
			[]string{`{"id":"c6","boot":"0badcafe","before_t":20000,"set":"on","lease_until_t":99000}`},
			[]string{`relay/ack {"id":"c6","result":"done","state":1}`, "relay/state 1 (retained)"},
			[]bool{true},
		},
		{
			"with a lease that is over",
			[]string{`{"id":"c6","boot":"0badcafe","before_t":20000,"set":"on","lease_until_t":10000}`},
			[]string{`relay/ack {"id":"c6","result":"rejected","state":0,"reason":"its lease is over"}`},
			nil,
		},
		{
			"off with a lease",
			[]string{`{"id":"c7","boot":"0badcafe","before_t":20000,"set":"off","lease_until_t":99000}`},
			[]string{`relay/ack {"id":"c7","result":"done","state":0}`, "relay/state 0 (retained)"},
			[]bool{false},
		},
		{"text on", []string{"RELAY_ON"}, []string{"relay/state 1 (retained)"}, []bool{true}},
		{"text in any case", []string{"relay_On"}, []string{"relay/state 1 (retained)"}, []bool{true}},
		{"text on and off", []string{"RELAY_ON", "RELAY_OFF"}, []string{"relay/state 0 (retained)"}, []bool{true, false}},
		{"no toggle", []string{"RELAY_TOGGLE"}, nil, nil},
		{"the state's own form", []string{"1"}, nil, nil},
		{"no id", []string{`{"boot":"0badcafe","before_t":20000,"set":"on"}`}, nil, nil},
		{"no boot", []string{`{"id":"c8","before_t":20000,"set":"on"}`}, nil, nil},
		{"no expiry", []string{`{"id":"c9","boot":"0badcafe","set":"on"}`}, nil, nil},
		{"empty", []string{""}, nil, nil},
		{"one byte", []string{"\xff"}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t).connect().run(10 * second)
			var got []smartmeter.Message
			for _, p := range tt.payloads {
				got = l.receive(topicRelayCommands, p)
			}
			if diff := cmp.Diff(tt.want, texts(got)); diff != "" {
				t.Errorf("published (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]bool{false}, tt.set...), l.relay.set); diff != "" {
				t.Errorf("relay (-want +got):\n%s", diff)
			}
			if understood := tt.want != nil; understood == (l.node.Status().Counts.Undecodable > 0) {
				t.Errorf("counts %+v", l.node.Status().Counts)
			}
		})
	}
}

func TestCommandWithoutRelay(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Relay = nil }).connect()
	want := []string{`relay/ack {"id":"c1","result":"rejected","reason":"this node has no relay"}`}
	if diff := cmp.Diff(want, texts(l.receive(topicRelayCommands, command("c1", "on", boot, 1000)))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if got := l.receive(topicRelayCommands, "RELAY_ON"); len(got) != 0 {
		t.Errorf("answered a text with %v", texts(got))
	}
}

func TestCommandToABrokenRelay(t *testing.T) {
	l := newLab(t).connect()
	l.relay.err = errBroken
	on := command("c1", "on", boot, 1000)
	want := []string{`relay/ack {"id":"c1","result":"rejected","state":0,"reason":"the relay failed: broken"}`}
	if diff := cmp.Diff(want, texts(l.receive(topicRelayCommands, on))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	// Whoever asked was told no. The relay must not move when it works again
	// and the broker delivers the command a second time.
	l.relay.err = nil
	want = []string{`relay/ack {"id":"c1","result":"rejected","state":0,"reason":"refused before"}`}
	if diff := cmp.Diff(want, texts(l.receive(topicRelayCommands, on))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if len(l.relay.set) != 1 {
		t.Errorf("the relay was set to %v", l.relay.set)
	}
}

func TestReasonsStayShort(t *testing.T) {
	l := newLab(t).connect()
	l.relay.err = longError{}
	sent := l.receive(topicRelayCommands, command("c1", "on", boot, 1000))
	ack, err := wire.DecodeCommandAck(sent[0].Payload)
	if err != nil || len(ack.Reason) > wire.MaxReasonLen {
		t.Errorf("%d bytes of reason, %v: %s", len(ack.Reason), err, sent[0].Payload)
	}
}

type longError struct{}

func (longError) Error() string { return strings.Repeat("ä", 300) }

func TestRetainedMessagesAreNotObeyed(t *testing.T) {
	l := newLab(t).connect()
	payloads := map[string]string{
		topicRelayCommands: "RELAY_ON",
		topicConfig:        `{"rev":3,"metrics":1000}`,
		topicLegacyConfig:  `{"metrics":1000}`,
		topicAck:           `{"boot":"0badcafe","seq":1}`,
	}
	l.run(second)
	before := l.node.Status()
	heard := len(l.link.sent)
	for topic, payload := range payloads {
		l.node.Receive(l.now, topic, []byte(payload), true)
	}
	after := l.node.Status()
	if after.Counts.Retained != 4 {
		t.Errorf("%d counted, want 4", after.Counts.Retained)
	}
	after.Counts.Retained = 0
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
	if len(l.link.sent) != heard {
		t.Errorf("answered %v", texts(l.link.sent[heard:]))
	}
}

func TestOtherTopicsAreIgnored(t *testing.T) {
	l := newLab(t).connect()
	for _, topic := range []string{
		topicRelayState, "dev/other/relay/commands", "dev/bench-1/relay/command", "relay/commands",
		"dev/bench-1/pzem/1/ack", "dev/bench-1/protection", "",
	} {
		for _, payload := range []string{"1", "RELAY_ON", command("x", "on", boot, 1000)} {
			if got := l.receive(topic, payload); len(got) != 0 {
				t.Errorf("%s: answered %v", topic, texts(got))
			}
		}
	}
	if len(l.relay.set) != 1 {
		t.Errorf("the relay was set to %v", l.relay.set)
	}
}

// TestTransitionsAreAcceptedCommands delivers commands in any order, late,
// twice, retained, to the wrong boot and between reconnects. The relay moves
// when, and only when, a command was accepted; an id is accepted once; an echo
// of the node's own state moves nothing.
func TestTransitionsAreAcceptedCommands(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(rt).connect()
		accepted := map[string]bool{}
		want := []bool{false}
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			l.run(smartmeter.Millis(rapid.IntRange(0, 3000).Draw(rt, "wait")))
			switch rapid.SampledFrom([]string{"command", "command", "text", "retained", "echo", "reconnect"}).Draw(rt, "what") {
			case "command":
				id := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f", "g", "h"}).Draw(rt, "id")
				set := rapid.SampledFrom([]string{"on", "off"}).Draw(rt, "set")
				of := rapid.SampledFrom([]smartmeter.BootID{boot, boot, boot, 7}).Draw(rt, "boot")
				before := l.now + smartmeter.Millis(rapid.IntRange(-1000, 3000).Draw(rt, "before"))
				sent := l.receive(topicRelayCommands, command(id, set, of, max(0, before)))
				ack, err := wire.DecodeCommandAck(sent[0].Payload)
				if err != nil || ack.ID != id {
					rt.Fatalf("answered %q, %v", texts(sent), err)
				}
				if ack.Result == wire.ResultDone {
					if accepted[id] || of != boot || l.now >= before {
						rt.Fatalf("accepted %s, which is old, late or for another boot", id)
					}
					accepted[id] = true
					want = append(want, set == "on")
				}
			case "text":
				want = append(want, true)
				l.receive(topicRelayCommands, wire.TextOn)
			case "retained":
				l.node.Receive(l.now, topicRelayCommands, []byte(wire.TextOff), true)
				l.node.Receive(l.now, topicRelayCommands, []byte(command("r", "on", boot, l.now+1000)), true)
			case "echo":
				for _, state := range l.link.on(topicRelayState) {
					l.node.Receive(l.now, topicRelayState, state.Payload, rapid.Bool().Draw(rt, "flag"))
				}
			default:
				l.disconnect()
				l.connect()
			}
		}
		if diff := cmp.Diff(want, l.relay.set); diff != "" {
			rt.Fatalf("relay (-accepted +set):\n%s", diff)
		}
		states := l.link.on(topicRelayState)
		if last := string(states[len(states)-1].Payload) == "1"; last != want[len(want)-1] {
			rt.Fatalf("the last state published is %v, the relay is %v", last, want[len(want)-1])
		}
	})
}

func TestNodeRemembersSixteenCommands(t *testing.T) {
	l := newLab(t).connect()
	for id := 'a'; id < 'a'+16; id++ {
		l.receive(topicRelayCommands, command(string(id), "on", boot, 1000))
	}
	for id := 'a'; id < 'a'+16; id++ {
		l.receive(topicRelayCommands, command(string(id), "off", boot, 1000))
	}
	if l.relay.transitions() != 1 {
		t.Errorf("the relay was set to %v", l.relay.set)
	}
}

func TestRelayAfterPowerUp(t *testing.T) {
	tests := []struct {
		policy string
		was    string
		want   bool
	}{
		{"off", "RELAY_OFF", false},
		{"off", "RELAY_ON", false},
		{"on", "RELAY_OFF", true},
		{"on", "RELAY_ON", true},
		{"last", "RELAY_OFF", false},
		{"last", "RELAY_ON", true},
	}
	for _, tt := range tests {
		t.Run(tt.policy+" after "+tt.was, func(t *testing.T) {
			l := newLab(t).connect()
			l.receive(topicConfig, `{"rev":1,"relay":{"power_up":"`+tt.policy+`"}}`)
			l.receive(topicRelayCommands, tt.was)
			l.relay.set = nil
			l.boot()
			if diff := cmp.Diff([]bool{tt.want}, l.relay.set); diff != "" {
				t.Errorf("relay before anything else (-want +got):\n%s", diff)
			}
			if got := l.node.Status().Relay; got != smartmeter.RelayStateOf(tt.want) {
				t.Errorf("status says %v", got)
			}
		})
	}
}

func TestPolicyLastKeepsThePositionItBeginsWith(t *testing.T) {
	l := newLab(t).connect()
	l.receive(topicRelayCommands, "RELAY_ON")
	l.receive(topicConfig, `{"rev":1,"relay":{"power_up":"last"}}`)
	l.boot()
	if got := l.node.Status().Relay; got != smartmeter.RelayOn {
		t.Errorf("the relay is %v, want on", got)
	}
}

// countingMemory counts how often each name is saved.
type countingMemory struct {
	memory
	saved map[string]int
}

func (m countingMemory) Save(name string, data []byte) error {
	m.saved[name]++
	return m.memory.Save(name, data)
}

// Flash wears out. What is said again is not saved again.
func TestRepetitionsSpareTheMemory(t *testing.T) {
	m := countingMemory{memory{}, map[string]int{}}
	l := newLab(t, func(c *node.Config) { c.Settings = m }).connect()
	for range 10 {
		l.configure(`"relay":{"power_up":"last"}`)
		l.order(true, 0)
		l.order(true, 0)
	}
	l.order(false, 0)
	want := map[string]int{node.SavedConfig: 1, node.SavedRelay: 3} // off as it was, on, off
	if diff := cmp.Diff(want, m.saved); diff != "" {
		t.Errorf("saved (-want +got):\n%s", diff)
	}
}

func TestPositionThatCouldNotBeKeptIsTriedAgain(t *testing.T) {
	m := &moody{memory: memory{}}
	l := newLab(t, func(c *node.Config) { c.Settings = m }).connect().configure(`"relay":{"power_up":"last"}`)
	m.err = errBroken
	l.order(true, 0)
	m.err = nil
	l.order(true, 0)
	if got := string(m.memory[node.SavedRelay]); got != "1" || l.node.Status().Settings != nil {
		t.Errorf("saved %q, %v", got, l.node.Status().Settings)
	}
}

// moody fails with err while it is set.
type moody struct {
	memory
	err error
}

func (m *moody) Save(name string, data []byte) error {
	if m.err != nil {
		return m.err
	}
	return m.memory.Save(name, data)
}
