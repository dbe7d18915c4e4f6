package node_test

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// configure has a configuration accepted; what says all but the revision.
func (l *lab) configure(what string) *lab {
	l.Helper()
	l.receive(topicConfig, `{"rev":1,`+what+`}`)
	if l.node.Status().Config.Rev != 1 {
		l.Fatal("not accepted: ", what)
	}
	return l
}

// order sends a command of our form that is valid for 10 s, under an id that
// never came before, and returns the answer.
func (l *lab) order(on bool, lease smartmeter.Millis) wire.CommandAck {
	l.Helper()
	l.orders++
	c := wire.Command{ID: strconv.Itoa(l.orders), Boot: boot, BeforeT: l.now + 10*second, On: on, LeaseUntilT: lease}
	sent := l.receive(topicRelayCommands, string(wire.AppendCommand(nil, &c)))
	ack, err := wire.DecodeCommandAck(sent[0].Payload)
	if err != nil {
		l.Fatal(texts(sent), err)
	}
	return ack
}

// renew sends a renewal of the lease.
func (l *lab) renew(of smartmeter.BootID, until smartmeter.Millis) {
	l.receive(topicLease, string(wire.AppendLease(nil, wire.Lease{Boot: of, LeaseUntilT: until})))
}

func TestLeases(t *testing.T) {
	lease := func(until smartmeter.Millis) func(*lab) {
		return func(l *lab) { l.order(true, until) }
	}
	renewal := func(until smartmeter.Millis) func(*lab) {
		return func(l *lab) { l.renew(boot, until) }
	}
	type step struct {
		at smartmeter.Millis
		do func(*lab)
	}
	tests := []struct {
		name   string
		config string
		steps  []step
		want   []move // after power-up
	}{
		{"runs out", "", []step{{0, lease(120_000)}}, []move{{0, true}, {120_000, false}}},
		{"is renewed", "", []step{{0, lease(120_000)}, {60_000, renewal(180_000)}}, []move{{0, true}, {180_000, false}}},
		{"renewed in the last millisecond", "", []step{{0, lease(120_000)}, {119_999, renewal(180_000)}}, []move{{0, true}, {180_000, false}}},
		{"renewed too late", "", []step{{0, lease(120_000)}, {120_000, renewal(180_000)}}, []move{{0, true}, {120_000, false}}},
		{"renewed long after", "", []step{{0, lease(120_000)}, {150_000, renewal(180_000)}}, []move{{0, true}, {120_000, false}}},
		{"renewals that overtake each other", "", []step{{0, lease(120_000)}, {60_000, renewal(200_000)}, {61_000, renewal(160_000)}}, []move{{0, true}, {200_000, false}}},
		{"renewal for another boot", "", []step{{0, lease(120_000)}, {60_000, func(l *lab) { l.renew(7, 180_000) }}}, []move{{0, true}, {120_000, false}}},
		{"retained renewal", "", []step{{0, lease(120_000)}, {60_000, func(l *lab) {
			l.node.Receive(l.now, topicLease, wire.AppendLease(nil, wire.Lease{Boot: boot, LeaseUntilT: 180_000}), true)
		}}}, []move{{0, true}, {120_000, false}}},
		{"renewal without a lease gives none", "", []step{{0, lease(0)}, {60_000, renewal(180_000)}}, []move{{0, true}}},
		{"renewal does not switch on", "", []step{{60_000, renewal(180_000)}}, nil},
		{"OFF ends it", "", []step{{0, lease(120_000)}, {60_000, func(l *lab) { l.order(false, 0) }}, {61_000, renewal(180_000)}}, []move{{0, true}, {60_000, false}}},
		{"ON without one takes it away", "", []step{{0, lease(120_000)}, {60_000, lease(0)}}, []move{{0, true}}},
		{"ON with another replaces it", "", []step{{0, lease(120_000)}, {60_000, lease(90_000)}}, []move{{0, true}, {90_000, false}}},
		{"text has none", "", []step{{0, lease(120_000)}, {60_000, func(l *lab) { l.receive(topicRelayCommands, "RELAY_ON") }}}, []move{{0, true}}},
		{"falls back to on", `"relay":{"fallback":"on"}`, []step{{0, lease(120_000)}}, []move{{0, true}}},
		{"without a broker", "", []step{{0, lease(120_000)}, {1000, (*lab).disconnect}}, []move{{0, true}, {120_000, false}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t).connect()
			if tt.config != "" {
				l.configure(tt.config)
			}
			got := l.moves()
			for _, s := range tt.steps {
				l.run(s.at - l.now)
				s.do(l)
			}
			l.run(5 * minute)
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Errorf("relay (-want +got):\n%s", diff)
			}
		})
	}
}

// move is a movement of the relay.
type move struct {
	T  smartmeter.Millis
	On bool
}

// moves collects the movements from now on.
func (l *lab) moves() *[]move {
	all := new([]move)
	l.relay.moved = func(on bool) { *all = append(*all, move{l.now, on}) }
	return all
}

// The node may be busy with its meter when a lease ends, and find the renewal
// first.
func TestLateRenewalThatIsReadFirst(t *testing.T) {
	l := newLab(t).connect()
	l.order(true, 120_000)
	l.now = 120_000
	l.renew(boot, 180_000)
	if l.relay.on() {
		t.Error("still on after the lease")
	}
}

func TestLeaseThatRanOutIsTold(t *testing.T) {
	for fallback, want := range map[string]smartmeter.RelayState{"off": smartmeter.RelayOff, "on": smartmeter.RelayOn} {
		l := newLab(t).connect().configure(`"relay":{"fallback":"` + fallback + `"}`)
		l.order(true, 120_000)
		l.disconnect()
		l.run(10 * minute)
		l.connect()
		events := []wire.NodeEvent{{Kind: wire.NodeLeaseExpired, Boot: boot, T: 120_000, Relay: want}}
		if diff := cmp.Diff(events, l.events()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if got := l.node.Status(); got.Relay != want || got.LeaseUntil != 0 {
			t.Errorf("status %+v", got)
		}
	}
}

// No lease outlives its boot: with the policy "last", a heater that was on
// until further notice must not be on for ever after a power cut.
func TestLeaseIsNotForgottenByAPowerCut(t *testing.T) {
	for fallback, want := range map[string]bool{"off": false, "on": true} {
		l := newLab(t).connect().configure(`"relay":{"power_up":"last","fallback":"` + fallback + `"}`)
		l.order(true, 120_000)
		l.boot()
		if l.relay.on() != want {
			t.Errorf("fallback %s: the relay is on: %v", fallback, l.relay.on())
		}
	}
}

func TestTimesOfTheRelay(t *testing.T) {
	on := func(l *lab) string { return l.order(true, 0).Reason }
	off := func(l *lab) string { return l.order(false, 0).Reason }
	text := func(payload string) func(*lab) string {
		return func(l *lab) string {
			sent := l.receive(topicRelayCommands, payload)
			return string(sent[len(sent)-1].Payload) // the state is the answer
		}
	}
	type step struct {
		at   smartmeter.Millis
		do   func(*lab) string
		want string
	}
	tests := []struct {
		name, config string
		steps        []step
	}{
		{"minimum off-time", `"min_off_s":300`, []step{
			{0, on, "must stay off for another 300 s"}, // nobody knows since when it has been off
			{299_999, on, "must stay off for another 1 s"},
			{300_000, on, ""},
			{310_000, off, ""},
			{320_000, off, ""}, // again, and nothing begins anew
			{320_001, on, "must stay off for another 290 s"},
			{320_002, text("RELAY_ON"), "0"},
			{610_000, on, ""},
		}},
		{"minimum on-time", `"min_on_s":60`, []step{
			{1000, on, ""},
			{2000, on, ""},
			{30_000, off, "must stay on for another 31 s"},
			{61_000, off, ""},
			{62_000, on, ""},
			{63_000, text("RELAY_OFF"), "0"}, // OFF always wins
		}},
		{"switches per minute", `"max_switches_per_min":3`, []step{
			{0, on, ""},
			{1000, off, ""},
			{2000, on, ""},
			{3000, off, ""}, // a fourth, for OFF always wins
			{4000, on, "switched too often: wait another 57 s"},
			{59_999, text("RELAY_ON"), "0"},
			{61_000, on, ""}, // the second is a minute ago
			{61_500, on, ""},
			{61_600, off, ""},
			{61_700, on, "switched too often: wait another 2 s"},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t).connect().configure(`"relay":{` + tt.config + `}`)
			for _, s := range tt.steps {
				l.run(s.at - l.now)
				if got := s.do(l); got != s.want {
					t.Errorf("at %d: %q, want %q", s.at, got, s.want)
				}
			}
		})
	}
}

func TestLongestTimeOn(t *testing.T) {
	l := newLab(t).connect().configure(`"relay":{"max_on_s":60}`)
	moves := l.moves()
	l.order(true, 0)
	l.run(30 * second)
	l.order(true, 0) // saying it again does not make it longer
	l.run(60 * second)
	l.order(true, 70_000)
	if diff := cmp.Diff([]move{{0, true}, {60_000, false}}, *moves); diff != "" {
		t.Errorf("relay (-want +got):\n%s", diff)
	}
	want := []wire.NodeEvent{{Kind: wire.NodeMaxOn, Boot: boot, T: 60_000, Relay: smartmeter.RelayOff}}
	if diff := cmp.Diff(want, l.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestCompressorRestsAfterPowerUp(t *testing.T) {
	for name, tt := range map[string]struct {
		during func(*lab)
		want   []move
	}{
		"and runs again":               {func(*lab) {}, []move{{300_000, true}}},
		"unless somebody wants it off": {func(l *lab) { l.receive(topicRelayCommands, "RELAY_OFF") }, nil},
		"even if somebody wants it on": {func(l *lab) { l.receive(topicRelayCommands, "RELAY_ON") }, []move{{300_000, true}}},
		"also after another cut":       {func(l *lab) { l.boot() }, []move{{300_000, true}}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t).connect()
			l.receive(topicRelayCommands, "RELAY_ON")
			l.configure(`"relay":{"power_up":"last","min_off_s":300}`)
			l.relay.set = nil
			l.boot()
			l.connect().run(minute)
			moves := l.moves()
			tt.during(l)
			l.run(10 * minute)
			if diff := cmp.Diff(tt.want, *moves); diff != "" {
				t.Errorf("relay (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRelayThatDoesNotOpenIsTriedAgain(t *testing.T) {
	l := newLab(t).connect()
	l.order(true, 120_000)
	l.run(119 * second)
	l.relay.err = errBroken
	l.run(10 * second)
	moves := l.moves()
	if got := l.node.Status(); got.Relay != smartmeter.RelayOn || got.Counts.RelayFailed != 19 {
		t.Errorf("status %+v", got)
	}
	l.relay.err = nil
	l.run(second)
	if diff := cmp.Diff([]move{{129_500, false}}, *moves); diff != "" {
		t.Errorf("relay (-want +got):\n%s", diff)
	}
	want := []wire.NodeEvent{{Kind: wire.NodeLeaseExpired, Boot: boot, T: 129_500, Relay: smartmeter.RelayOff}}
	if diff := cmp.Diff(want, l.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}
