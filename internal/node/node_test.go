package node_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

func TestNodeIntroducesItself(t *testing.T) {
	l := newLab(t)
	l.run(1234).connect()
	want := []string{
		"status Online (retained)",
		`info {"proto":1,"fw":"1.2","model":"bench","boot":"0badcafe","t":1234,"config_rev":0,"caps":["backlog","relay","lease","limits"],"channels":1} (retained)`,
		"relay/state 0 (retained)",
	}
	if diff := cmp.Diff(want, texts(l.link.sent)); diff != "" {
		t.Errorf("published on connect (-want +got):\n%s", diff)
	}
}

func TestNodeWithoutRelayAnnouncesNone(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.Relay = nil }).connect()
	want := []string{
		"status Online (retained)",
		`info {"proto":1,"fw":"1.2","model":"bench","boot":"0badcafe","t":0,"config_rev":0,"caps":["backlog"],"channels":1} (retained)`,
	}
	if diff := cmp.Diff(want, texts(l.link.sent)); diff != "" {
		t.Errorf("published on connect (-want +got):\n%s", diff)
	}
}

func TestNodeSaysEverythingInTime(t *testing.T) {
	l := newLab(t).connect().run(10 * minute)
	samples := l.samples()
	if len(samples) != 121 {
		t.Fatalf("%d samples in 10 minutes, want 121", len(samples))
	}
	for i, s := range samples {
		want := smartmeter.Sample{
			Measurement: measuring(),
			Boot:        boot, Seq: uint32(i + 1), First: 1,
			T: smartmeter.Millis(i) * 5000, At: dayBegin + smartmeter.Instant(i)*5000,
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Fatalf("sample %d (-want +got):\n%s", i, diff)
		}
	}
	if energy := texts(l.link.on(topicEnergy)); len(energy) != 11 || energy[0] != "pzem/energy 4294967.30 (retained)" {
		t.Errorf("energy %v, want 11 times 4294967.30, retained", energy)
	}
	if beats := texts(l.link.on(topicHeartbeat)); len(beats) != 21 || beats[0] != "heartbeat Alive" {
		t.Errorf("%d heartbeats %v, want 21", len(beats), beats)
	}
}

func TestNodeWithoutClockSaysNothingOfTheTime(t *testing.T) {
	l := newLab(t)
	l.clock = false
	for _, s := range l.connect().run(minute).samples() {
		if s.At != 0 {
			t.Fatalf("sample %d says it is %d", s.Seq, s.At)
		}
	}
}

func TestNodeCatchesUpWithoutABurst(t *testing.T) {
	l := newLab(t).connect().run(0)
	l.next = 62_345 // it was busy for that long
	l.run(63 * second)
	var times []smartmeter.Millis
	for _, s := range l.samples() {
		times = append(times, s.T)
	}
	if diff := cmp.Diff([]smartmeter.Millis{0, 62_345}, times); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
	l.run(5 * second)
	if last := l.samples()[2]; last.T != 65_000 {
		t.Errorf("then a sample at %d, want 65000", last.T)
	}
}

func TestNodeGoesOnWithoutItsBroker(t *testing.T) {
	l := newLab(t).connect().run(minute)
	l.disconnect()
	heard := len(l.link.sent)
	l.run(minute)
	if len(l.link.sent) != heard {
		t.Errorf("published while disconnected: %v", texts(l.link.sent[heard:]))
	}
	l.connect().run(5 * second)
	samples := l.samples()
	if last := samples[len(samples)-1]; last.Seq != 26 || last.First != 1 {
		t.Errorf("after the outage comes sample %d with first %d, want 26 and 1", last.Seq, last.First)
	}
	want := []string{"status Online (retained)", "info", "relay/state 0 (retained)", "pzem/energy", "heartbeat Alive", "pzem/backlog", "pzem/metrics"}
	checkPrefixes(t, texts(l.link.sent[heard:]), want)
}

// checkPrefixes checks that each text begins as wanted.
func checkPrefixes(t *testing.T, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || len(got[i]) < len(want[i]) || got[i][:len(want[i])] != want[i] {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

func TestNodeOffersAgainWhatMustNotBeLost(t *testing.T) {
	l := newLab(t)
	l.link.full = true
	l.connect().run(20 * second)
	if got := l.node.Status().Counts.NotTaken; got != 6 {
		t.Errorf("%d live messages not taken, want 5 samples and the energy", got)
	}
	l.link.full = false
	l.run(500)
	checkPrefixes(t, texts(l.link.sent), []string{"status Online", "info", "relay/state 0", "pzem/backlog"})
}

func TestWillAndSubscriptions(t *testing.T) {
	l := newLab(t)
	want := smartmeter.Message{Topic: topicStatus, Payload: []byte("Offline"), QoS: 1, Retained: true}
	if diff := cmp.Diff(want, l.node.Will()); diff != "" {
		t.Errorf("will (-want +got):\n%s", diff)
	}
	subscriptions := []string{topicRelayCommands, topicConfig, topicLegacyConfig, topicAck, topicLease, topicReset}
	if diff := cmp.Diff(subscriptions, l.node.Subscriptions()); diff != "" {
		t.Errorf("subscriptions (-want +got):\n%s", diff)
	}
}

func TestNewRefuses(t *testing.T) {
	good := node.Config{ID: nodeID, Boot: boot, Meter: new(flakyMeter), Link: new(recordingLink)}
	tests := map[string]func(*node.Config){
		"a bad id":       func(c *node.Config) { c.ID = "a/b" },
		"no boot":        func(c *node.Config) { c.Boot = 0 },
		"no meter":       func(c *node.Config) { c.Meter = nil },
		"no link":        func(c *node.Config) { c.Link = nil },
		"a broken relay": func(c *node.Config) { c.Relay = &recordingRelay{err: errBroken} },
		"a long model":   func(c *node.Config) { c.Model = fmt.Sprintf("%065d", 1) },
	}
	if _, err := node.New(good); err != nil {
		t.Fatal(err)
	}
	for name, change := range tests {
		config := good
		change(&config)
		if _, err := node.New(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestMeterFailures(t *testing.T) {
	tests := []struct {
		name    string
		warmUp  smartmeter.Millis
		err     error
		from    smartmeter.Millis
		to      smartmeter.Millis // the failure, in milliseconds since boot
		missing []uint32          // seconds without a sample, within 40 s
		extra   []uint32          // seconds with one that is off the grid
		events  []wire.NodeEvent
	}{
		{name: "one read fails", err: pzem.ErrCRC, from: 9000, to: 11_000, missing: []uint32{10}},
		{name: "two reads fail", err: pzem.ErrSilent, from: 9000, to: 16_000, missing: []uint32{10, 15}},
		{
			name: "three reads fail", err: pzem.ErrSilent, from: 9000, to: 21_000, missing: []uint32{10, 15, 20},
			events: []wire.NodeEvent{
				{Kind: wire.NodeMeterSilent, Boot: boot, T: 20_000},
				{Kind: wire.NodeMeterBack, Boot: boot, T: 25_000},
			},
		},
		{
			name: "the port is gone", err: errBroken, from: 9000, to: 21_000, missing: []uint32{10, 15, 20},
			events: []wire.NodeEvent{
				{Kind: wire.NodeMeterSilent, Boot: boot, T: 20_000},
				{Kind: wire.NodeMeterBack, Boot: boot, T: 25_000},
			},
		},
		{name: "warming up after silence", warmUp: 4000, err: pzem.ErrSilent, from: 9000, to: 11_000, missing: []uint32{0, 10, 15}, extra: []uint32{4, 19}},
		{name: "no warming up after noise", warmUp: 4000, err: pzem.ErrCRC, from: 9000, to: 11_000, missing: []uint32{0, 10}, extra: []uint32{4}},
		{
			name: "the silence is over when the values can be believed", warmUp: 4000, err: pzem.ErrSilent, from: 9000, to: 21_000,
			missing: []uint32{0, 10, 15, 20, 25}, extra: []uint32{4, 29},
			events: []wire.NodeEvent{
				{Kind: wire.NodeMeterSilent, Boot: boot, T: 20_000},
				{Kind: wire.NodeMeterBack, Boot: boot, T: 29_000},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t, func(c *node.Config) { c.WarmUp = tt.warmUp }).connect()
			l.run(tt.from)
			l.meter.err = tt.err
			l.run(tt.to - tt.from)
			l.meter.err = nil
			l.run(40*second - tt.to)
			var want []smartmeter.Millis
			for s := uint32(0); s <= 40; s++ {
				if s%5 == 0 && !slices.Contains(tt.missing, s) || slices.Contains(tt.extra, s) {
					want = append(want, smartmeter.Millis(s)*second)
				}
			}
			var got []smartmeter.Millis
			for _, s := range l.samples() {
				got = append(got, s.T)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.events, l.events()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestImplausibleValuesAreNotPublished(t *testing.T) {
	l := newLab(t, func(c *node.Config) { c.WarmUp = 4000 }).connect().run(5 * second)
	l.slave.Update(func(m *smartmeter.Measurement) { m.Voltage = 65_535 })
	l.run(5 * second)
	l.slave.Update(func(m *smartmeter.Measurement) { m.Voltage = 2305 })
	l.run(15 * second)
	for _, s := range l.samples() {
		if s.Voltage != 2301 && s.Voltage != 2305 {
			t.Errorf("%d dV at %d ms", s.Voltage, s.T)
		}
	}
	if c := l.node.Status().Counts; c.Implausible != 1 || c.MeterFailed != 1 {
		t.Errorf("counts %+v", c)
	}
}

func TestASilentMeterReadRarelyIsAskedAgainSoon(t *testing.T) {
	l := newLab(t).connect()
	l.receive(topicConfig, `{"rev":1,"metrics":3600000,"energy":3600000}`)
	l.meter.err = pzem.ErrSilent
	l.run(60 * minute)
	if got := l.meter.reads; got != 1 {
		t.Fatalf("%d reads in an hour, want 1", got)
	}
	l.run(11 * second)
	want := []wire.NodeEvent{{Kind: wire.NodeMeterSilent, Boot: boot, T: 3_610_000}}
	if diff := cmp.Diff(want, l.events()); diff != "" {
		t.Fatalf("events (-want +got):\n%s", diff)
	}
	l.meter.err = nil
	l.run(5 * second)
	if s := l.samples(); len(s) != 1 || s[0].T != 3_615_000 {
		t.Errorf("samples %v, want the one that was missed", s)
	}
}

func TestSilenceIsToldToWhoConnectsLater(t *testing.T) {
	l := newLab(t)
	l.meter.err = pzem.ErrSilent
	l.run(minute).connect()
	want := []wire.NodeEvent{{Kind: wire.NodeMeterSilent, Boot: boot, T: 10_000}}
	if diff := cmp.Diff(want, l.events()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if s := l.node.Status(); !s.MeterSilent || s.Latest.Has != 0 {
		t.Errorf("status %+v", s)
	}
	l.disconnect()
	l.meter.err = nil
	l.run(minute)
	l.link.sent = nil
	l.connect()
	if got := l.events(); len(got) != 1 || got[0].Kind != wire.NodeMeterBack {
		t.Errorf("events %v, want that the meter is back", got)
	}
}

func TestStatus(t *testing.T) {
	l := newLab(t).connect().run(7 * second)
	l.receive(topicRelayCommands, "RELAY_ON")
	s := l.node.Status()
	if !s.Connected || s.Relay != smartmeter.RelayOn || s.MeterSilent || s.Latest.Seq != 2 || s.Unacknowledged != 2 {
		t.Errorf("status %+v", s)
	}
	if diff := cmp.Diff(node.DefaultConfig(), s.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}
}

// TestReceiptsAndOverflow compares what the node keeps with a plain list.
func TestReceiptsAndOverflow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(rt).connect().run(0)
		kept, lost := []uint32{1}, uint32(0)
		for next := uint32(2); next < 400; {
			switch rapid.IntRange(0, 3).Draw(rt, "what") {
			case 0: // a receipt, right or wrong
				seq := uint32(rapid.IntRange(0, int(next)+2).Draw(rt, "seq"))
				of := rapid.SampledFrom([]smartmeter.BootID{boot, boot, boot, 1}).Draw(rt, "boot")
				l.receive(topicAck, string(wire.AppendAck(nil, wire.Ack{Boot: of, Seq: seq})))
				for of == boot && seq < next && len(kept) > 0 && kept[0] <= seq {
					kept = kept[1:]
				}
			default:
				for range rapid.IntRange(1, 60).Draw(rt, "samples") {
					if len(kept) == node.Kept {
						kept = kept[1:]
						lost++
					}
					kept = append(kept, next)
					next++
					l.run(5 * second)
				}
			}
			s := l.node.Status()
			if s.Unacknowledged != len(kept) || s.Counts.Lost != lost {
				rt.Fatalf("keeps %d, lost %d; want %d, %d", s.Unacknowledged, s.Counts.Lost, len(kept), lost)
			}
			if len(kept) > 0 && kept[len(kept)-1] == s.Latest.Seq && s.Latest.First > kept[0] {
				rt.Fatalf("says it keeps from %d on, but keeps from %d on", s.Latest.First, kept[0])
			}
		}
	})
}

func TestSamplingDoesNotAllocate(t *testing.T) {
	for name, config := range map[string]string{
		"as delivered": `"metrics":5000`,
		"with limits":  `"limits":{"current_ma":90000,"power_dw":200000},"relay":{"max_on_s":604800}`,
	} {
		l := newLab(t, func(c *node.Config) { c.Link, c.Minutes = takesAll{}, node.WeekOfMinutes }).connect()
		l.node.Receive(0, topicConfig, []byte(`{"rev":1,`+config+`}`), false)
		l.node.Receive(0, topicRelayCommands, []byte(command("c1", "on", boot, 1000)), false)
		l.run(20 * minute) // nobody gives receipts, so there is a backlog
		allocs := testing.AllocsPerRun(1000, func() {
			l.now += 5 * second
			l.node.Step(l.now, dayBegin+smartmeter.Instant(l.now))
		})
		if allocs != 0 || l.node.Status().Relay != smartmeter.RelayOn {
			t.Errorf("%s: %v allocations per step with a sample", name, allocs)
		}
	}
}

func BenchmarkStep(b *testing.B) {
	l := newLab(b, func(c *node.Config) { c.Link = takesAll{} }).connect()
	b.ReportAllocs()
	for b.Loop() {
		l.now += 5 * second
		l.node.Step(l.now, dayBegin+smartmeter.Instant(l.now))
	}
}

// takesAll is a link to nowhere.
type takesAll struct{}

func (takesAll) Publish(string, []byte, uint8, bool) bool { return true }
