package node_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// draw has the meter measure another current and power.
func (l *lab) draw(current smartmeter.Milliamp, power smartmeter.Deciwatt) {
	l.slave.Update(func(m *smartmeter.Measurement) { m.Current, m.Power = current, power })
}

func TestCutOff(t *testing.T) {
	const limits = `"metrics":3600000,"limits":{"current_ma":16000,"power_dw":36000,"hold_ms":2000}`
	type step struct {
		at      smartmeter.Millis
		current smartmeter.Milliamp
		power   smartmeter.Deciwatt
		err     error
	}
	cut := func(kind wire.NodeEventKind, t smartmeter.Millis, current smartmeter.Milliamp, power smartmeter.Deciwatt) []wire.NodeEvent {
		return []wire.NodeEvent{{Kind: kind, Boot: boot, T: t, Relay: smartmeter.RelayOff, Current: current, Power: power}}
	}
	tests := []struct {
		name  string
		limit string
		steps []step
		want  []wire.NodeEvent
	}{
		{"just within", limits, []step{{10_000, 16_000, 36_000, nil}}, nil},
		{"too much current", limits, []step{{10_000, 16_001, 36_000, nil}}, cut(wire.NodeOvercurrent, 12_000, 16_001, 0)},
		{"too much power", limits, []step{{10_000, 16_000, 36_001, nil}}, cut(wire.NodeOverpower, 12_000, 0, 36_001)},
		{"current counts first", limits, []step{{10_000, 17_000, 37_000, nil}}, cut(wire.NodeOvercurrent, 12_000, 17_000, 0)},
		{"an inrush", limits, []step{{10_000, 90_000, 36_000, nil}, {11_600, 1000, 2000, nil}}, nil},
		{"two inrushes", limits, []step{{10_000, 90_000, 100, nil}, {11_600, 1000, 100, nil}, {12_100, 90_000, 100, nil}, {13_800, 1000, 100, nil}}, nil},
		{"a read fails meanwhile", limits, []step{{10_000, 20_000, 100, nil}, {11_000, 20_000, 100, pzem.ErrCRC}, {11_600, 20_000, 100, nil}}, cut(wire.NodeOvercurrent, 12_000, 20_000, 0)},
		{"no limit", `"limits":{"current_ma":0,"power_dw":0}`, []step{{10_000, 90_000, 200_000, nil}}, nil},
		{"at once", `"limits":{"current_ma":16000,"hold_ms":0}`, []step{{10_000, 20_000, 100, nil}}, cut(wire.NodeOvercurrent, 10_000, 20_000, 0)},
		{"power at a bad power factor", `"limits":{"power_dw":36000}`, []step{{10_000, 90_000, 35_000, nil}}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t).connect().configure(tt.limit)
			l.draw(1000, 2000)
			l.order(true, 0)
			for _, s := range tt.steps {
				l.run(s.at - 1 - l.now)
				l.draw(s.current, s.power)
				l.meter.err = s.err
			}
			l.run(10 * second)
			if diff := cmp.Diff(tt.want, l.events()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
			if wantOn := tt.want == nil; l.relay.on() != wantOn {
				t.Errorf("the relay is on: %v", l.relay.on())
			}
		})
	}
}

// overloaded returns a node that has cut off.
func overloaded(t *testing.T, more string) *lab {
	t.Helper()
	l := newLab(t).connect().configure(`"limits":{"current_ma":16000}` + more)
	l.draw(1000, 2000)
	l.order(true, 0)
	l.draw(20_000, 40_000)
	l.run(second)
	l.draw(0, 0)
	if l.relay.on() || l.node.Status().CutOff.Kind != wire.NodeOvercurrent {
		t.Fatalf("did not cut off: %+v", l.node.Status())
	}
	return l
}

// reset sends a reset and returns the answer.
func (l *lab) reset(r wire.Reset) string {
	sent := l.receive(topicReset, string(wire.AppendReset(nil, &r)))
	if len(sent) == 0 {
		return ""
	}
	return string(sent[0].Payload)
}

func TestCutOffStaysUntilItIsReset(t *testing.T) {
	l := overloaded(t, "")
	const reason = "cut off by its own protection: reset that first"
	if ack := l.order(true, 0); ack.Result != wire.ResultRejected || ack.Reason != reason {
		t.Errorf("ON is answered %+v", ack)
	}
	l.receive(topicRelayCommands, "RELAY_ON")
	l.run(24 * 60 * minute)
	if l.relay.on() {
		t.Error("on again without a reset")
	}
	for _, tt := range []struct {
		reset wire.Reset
		want  string
	}{
		{wire.Reset{ID: "r1", Boot: 7, BeforeT: l.now + 1}, `{"id":"r1","result":"expired","state":0,"reason":"meant for another boot"}`},
		{wire.Reset{ID: "r2", Boot: boot, BeforeT: l.now}, `{"id":"r2","result":"expired","state":0,"reason":"came too late"}`},
		{wire.Reset{ID: "r3", Boot: boot, BeforeT: l.now + 1}, `{"id":"r3","result":"done","state":0}`},
		{wire.Reset{ID: "r3", Boot: boot, BeforeT: l.now + 1}, `{"id":"r3","result":"duplicate","state":0}`},
		{wire.Reset{ID: "r4", Boot: boot, BeforeT: l.now + 1}, `{"id":"r4","result":"rejected","state":0,"reason":"nothing was cut off"}`},
		{wire.Reset{ID: "r5", Boot: boot}, `{"id":"r5","result":"expired","state":0,"reason":"came too late"}`},
	} {
		if got := l.reset(tt.reset); got != tt.want {
			t.Errorf("answered %s\nwant     %s", got, tt.want)
		}
	}
	if events := l.events(); events[len(events)-1].Kind != wire.NodeReset || l.relay.on() {
		t.Errorf("events %v; the relay is on: %v", events, l.relay.on())
	}
	if ack := l.order(true, 0); ack.Result != wire.ResultDone {
		t.Errorf("ON after the reset is answered %+v", ack)
	}
	l.boot()
	if got := l.node.Status().CutOff.Kind; got != "" {
		t.Errorf("cut off again after a power cut: %s", got)
	}
}

func TestCutOffSurvivesPowerCuts(t *testing.T) {
	for _, policy := range []string{"off", "on", "last"} {
		l := overloaded(t, `,"relay":{"power_up":"`+policy+`"}`)
		before := l.events()
		l.relay.set = nil
		l.boot(func(c *node.Config) { c.Boot = 7 })
		if slices.Contains(l.relay.set, true) {
			t.Errorf("%s: the relay was set to %v", policy, l.relay.set)
		}
		l.link.sent = nil
		l.connect() // and whoever listens now is told
		if diff := cmp.Diff(before, l.events()); diff != "" {
			t.Errorf("%s: events (-want +got):\n%s", policy, diff)
		}
	}
}

// A hub that was away while its broker lived on has missed what happened, and
// nobody connects anew. Its first receipt says that it is back.
func TestTroubleIsToldAgainToAHubThatReturns(t *testing.T) {
	l := newLab(t).connect().configure(`"limits":{"current_ma":16000}`)
	l.order(true, 0)
	l.acknowledge(boot, l.node.Status().Latest.Seq)
	l.draw(20_000, 100)
	l.run(10 * minute) // nobody gives receipts
	l.link.sent = nil
	l.acknowledge(boot, 2)
	l.run(second)
	if got := l.events(); len(got) != 1 || got[0].Kind != wire.NodeOvercurrent {
		t.Errorf("told %v, want that it cut off", got)
	}
	l.acknowledge(boot, 3)
	l.run(second)
	if got := l.events(); len(got) != 1 {
		t.Errorf("told %v, want nothing more", got)
	}
}

func TestUnreadableCutOffIsOne(t *testing.T) {
	l := newLab(t)
	l.settings[node.SavedCutOff] = []byte(`{"kind":"overc`)
	l.settings[node.SavedConfig] = []byte(`{"rev":1,"relay":{"power_up":"on"}}`)
	l.relay.set = nil
	l.boot()
	if s := l.node.Status(); s.CutOff.Kind == "" || s.Settings == nil || l.relay.on() {
		t.Errorf("status %+v", s)
	}
}

func TestCutOffThatCannotBeKept(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Settings = &forgetful{memory: memory{}} }).connect()
	l.configure(`"limits":{"current_ma":16000}`)
	l.order(true, 0)
	l.run(second)
	if s := l.node.Status(); s.CutOff.Kind == "" || s.Settings != errBroken || l.relay.on() {
		t.Errorf("status %+v", s)
	}
}

// forgetful keeps a configuration and nothing else.
type forgetful struct{ memory }

func (f *forgetful) Save(name string, data []byte) error {
	if name != node.SavedConfig {
		return errBroken
	}
	return f.memory.Save(name, data)
}

// Saying ON again and again must not postpone the cut-off.
func TestRepeatedCommandsDoNotPostponeTheCutOff(t *testing.T) {
	l := newLab(t).connect().configure(`"limits":{"current_ma":16000,"hold_ms":2000}`)
	for range 30 {
		if ack := l.order(true, 0); ack.Result == wire.ResultRejected {
			return
		}
		l.run(100)
	}
	t.Error("not cut off within 3 s")
}

func TestRelayThatDoesNotOpenAtACutOff(t *testing.T) {
	l := newLab(t).connect().configure(`"limits":{"current_ma":16000}`)
	l.order(true, 0)
	l.relay.err = errBroken
	l.run(5 * second)
	if got := l.reset(wire.Reset{ID: "r1", Boot: boot, BeforeT: l.now + 1}); got != `{"id":"r1","result":"rejected","state":1,"reason":"the relay does not open"}` {
		t.Errorf("a reset is answered %s", got)
	}
	l.relay.err = nil
	l.run(second)
	if l.relay.on() || len(l.events()) != 1 {
		t.Errorf("on: %v, events %v", l.relay.on(), l.events())
	}
}

func TestLimitsNeedARelay(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Relay = nil }).connect()
	want := `config/ack {"rev":1,"ok":false,"field":"limits","reason":"this node has no relay to cut off with"}`
	if got := texts(l.receive(topicConfig, `{"rev":1,"limits":{"current_ma":16000}}`))[0]; got != want {
		t.Errorf("answered %s", got)
	}
}

func TestRegister(t *testing.T) {
	const whole = 1_000_000
	tests := []struct {
		name      string
		registers []smartmeter.WattHour // every 5 s, in which at most 38 Wh can be used
		missing   []int
	}{
		{"counts", []smartmeter.WattHour{whole, whole, whole + 1, whole + 38}, nil},
		{"jumps once", []smartmeter.WattHour{whole, 0xFFFFFFFF, whole + 1}, []int{1}},
		{"jumps about", []smartmeter.WattHour{whole, 0xFFFFFFFF, 12, whole + 1}, []int{1, 2}},
		{"is reset", []smartmeter.WattHour{whole, 0, 1, 2}, []int{1}},
		{"rolls over", []smartmeter.WattHour{9_999_989, 3, 5}, []int{1}},
		{"falls for a moment", []smartmeter.WattHour{whole, whole - 1000, whole}, []int{1}},
		{"jumps for good", []smartmeter.WattHour{whole, 2 * whole, 2 * whole}, []int{1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t).connect()
			for i, register := range tt.registers {
				l.slave.Update(func(m *smartmeter.Measurement) { m.Energy = register })
				l.run(smartmeter.Millis(i)*5*second - l.now)
			}
			for i, s := range l.samples() {
				missing := slices.Contains(tt.missing, i)
				if s.Has.Has(smartmeter.Energy) == missing || !missing && s.Energy != tt.registers[i] || !s.Has.Has(smartmeter.Power) {
					t.Errorf("sample %d: %+v", i, s)
				}
			}
		})
	}
}

func TestRegisterOfAMeterThatWarmsUp(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.WarmUp = 4000 }).connect().run(minute)
	for _, s := range l.samples() {
		if s.T < 4*second || s.Has.Has(smartmeter.Energy) != (s.T >= 30*second) {
			t.Errorf("at %d: %+v", s.T, s)
		}
	}
	if energy := l.link.on(topicEnergy); len(energy) != 1 {
		t.Errorf("energy %v, want one", texts(energy))
	}
	l.meter.err = pzem.ErrSilent // the mains fails, and is back
	l.run(minute)
	l.meter.err = nil
	l.link.sent = nil
	l.run(minute)
	for _, s := range l.samples() { // it goes on from where it was
		if !s.Has.Has(smartmeter.Energy) {
			t.Errorf("at %d: %+v", s.T, s)
		}
	}
}

func TestMeterThatHasItsMainsForLong(t *testing.T) {
	for poweredFor, want := range map[smartmeter.Millis][2]smartmeter.Millis{ // the first sample, and the first register
		0:       {4000, 30_000},
		3999:    {4000, 30_000},
		4000:    {0, 30_000},
		20_000:  {0, 10_000},
		30_000:  {0, 0},
		1 << 40: {0, 0},
	} {
		l := newLab(t, func(c *node.Config) { c.WarmUp, c.PoweredFor = 4000, poweredFor }).connect().run(minute)
		samples := l.samples()
		counted := slices.IndexFunc(samples, func(s smartmeter.Sample) bool { return s.Has.Has(smartmeter.Energy) })
		if got := [2]smartmeter.Millis{samples[0].T, samples[counted].T}; got != want {
			t.Errorf("powered for %d: %v, want %v", poweredFor, got, want)
		}
	}
}
