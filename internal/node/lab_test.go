package node_test

import (
	"errors"
	"slices"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

const (
	nodeID             = smartmeter.NodeID("bench-1")
	boot               = smartmeter.BootID(0x0BADCAFE)
	second             = smartmeter.Millis(1000)
	minute             = 60 * second
	dayBegin           = smartmeter.Instant(1_795_000_000_000)
	topicMetrics       = "dev/bench-1/pzem/metrics"
	topicEnergy        = "dev/bench-1/pzem/energy"
	topicBacklog       = "dev/bench-1/pzem/backlog"
	topicHeartbeat     = "dev/bench-1/heartbeat"
	topicStatus        = "dev/bench-1/status"
	topicInfo          = "dev/bench-1/info"
	topicEvent         = "dev/bench-1/event"
	topicRelayState    = "dev/bench-1/relay/state"
	topicRelayCommands = "dev/bench-1/relay/commands"
	topicRelayAck      = "dev/bench-1/relay/ack"
	topicConfig        = "dev/bench-1/config"
	topicConfigAck     = "dev/bench-1/config/ack"
	topicLegacyConfig  = "dev/bench-1/pzem/config"
	topicLease         = "dev/bench-1/relay/lease"
	topicReset         = "dev/bench-1/protection/reset"
	topicAck           = "dev/bench-1/pzem/ack"
)

// tester is what *testing.T, *testing.B and *rapid.T have in common.
type tester interface {
	Helper()
	Fatal(...any)
	Errorf(string, ...any)
}

// lab is a node on the bench, with time under our thumb.
type lab struct {
	tester
	node     *node.Node
	slave    *pzem.Slave
	meter    *flakyMeter
	relay    *recordingRelay
	link     *recordingLink
	settings memory
	now      smartmeter.Millis
	next     smartmeter.Millis
	clock    bool // the node knows the time of day
	orders   int  // commands sent so far
}

// newLab returns a node that was just switched on, with a meter and a relay.
func newLab(t tester, change ...func(*node.Config)) *lab {
	t.Helper()
	slave, err := pzem.NewSlave(0x01)
	if err != nil {
		t.Fatal(err)
	}
	slave.Update(func(m *smartmeter.Measurement) { *m = measuring() })
	master, err := pzem.NewMaster(slave, pzem.General)
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{
		tester: t, slave: slave, settings: memory{}, clock: true,
		meter: &flakyMeter{Meter: master},
		relay: new(recordingRelay),
		link:  new(recordingLink),
	}
	l.boot(change...)
	return l
}

// boot switches the node on, again perhaps: what its settings hold remains.
func (l *lab) boot(change ...func(*node.Config)) {
	l.Helper()
	config := node.Config{
		ID: nodeID, Boot: boot, Meter: l.meter, Link: l.link, Relay: l.relay,
		Settings: l.settings, Firmware: "1.2", Model: "bench",
	}
	for _, c := range change {
		c(&config)
	}
	n, err := node.New(config)
	if err != nil {
		l.Fatal(err)
	}
	l.node, l.now, l.next = n, 0, 0
}

// connect lets the node find its broker.
func (l *lab) connect() *lab {
	l.node.Connected(l.now)
	l.next = l.now
	return l
}

// disconnect takes the broker away.
func (l *lab) disconnect() {
	l.node.Disconnected(l.now)
	l.next = l.now
}

// receive lets a message arrive, and returns what was published in answer.
func (l *lab) receive(topic, payload string) []smartmeter.Message {
	from := len(l.link.sent)
	l.node.Receive(l.now, topic, []byte(payload), false)
	l.next = l.now
	return l.link.sent[from:]
}

// run lets time pass, up to and including the end of d.
func (l *lab) run(d smartmeter.Millis) *lab {
	l.Helper()
	for end := l.now + d; ; {
		if l.next > end {
			l.now = end
			return l
		}
		l.now = l.next
		at := smartmeter.Instant(0)
		if l.clock {
			at = dayBegin + smartmeter.Instant(l.now)
		}
		if l.next = l.node.Step(l.now, at); l.next <= l.now {
			l.Fatal("at", l.now, "the node wants to be called at", l.next)
		}
	}
}

// samples returns what was published as metrics.
func (l *lab) samples() []smartmeter.Sample {
	l.Helper()
	var all []smartmeter.Sample
	for _, m := range l.link.on(topicMetrics) {
		var s smartmeter.Sample
		if err := wire.DecodeMetrics(m.Payload, &s); err != nil {
			l.Fatal(string(m.Payload), err)
		}
		all = append(all, s)
	}
	return all
}

// events returns what was published as events.
func (l *lab) events() []wire.NodeEvent {
	l.Helper()
	var all []wire.NodeEvent
	for _, m := range l.link.on(topicEvent) {
		e, err := wire.DecodeEvent(m.Payload)
		if err != nil {
			l.Fatal(string(m.Payload), err)
		}
		all = append(all, e)
	}
	return all
}

// infos returns what was published as info.
func (l *lab) infos() []wire.Info {
	l.Helper()
	var all []wire.Info
	for _, m := range l.link.on(topicInfo) {
		i, err := wire.DecodeInfo(m.Payload)
		if err != nil {
			l.Fatal(string(m.Payload), err)
		}
		all = append(all, i)
	}
	return all
}

// measuring is what the lab's meter measures at first.
func measuring() smartmeter.Measurement {
	return smartmeter.Measurement{
		Has:         smartmeter.AllQuantities,
		Voltage:     2301,
		Current:     70_123,
		Power:       161_234,
		Energy:      4_294_967_295, // all 32 bits
		Frequency:   499,
		PowerFactor: 99,
	}
}

// flakyMeter fails with err while it is set.
type flakyMeter struct {
	node.Meter
	err   error
	reads int
}

func (m *flakyMeter) Read(into *smartmeter.Measurement) error {
	m.reads++
	if m.err != nil {
		return m.err
	}
	return m.Meter.Read(into)
}

// recordingRelay remembers everything it was told.
type recordingRelay struct {
	set []bool
	err error
	// moved is told of every change; nil for nobody.
	moved func(on bool)
}

func (r *recordingRelay) Set(on bool) error {
	if r.err != nil {
		return r.err
	}
	if r.moved != nil && on != r.on() {
		r.moved(on)
	}
	r.set = append(r.set, on)
	return nil
}

// on reports the position.
func (r *recordingRelay) on() bool { return len(r.set) > 0 && r.set[len(r.set)-1] }

// transitions returns how often the position changed.
func (r *recordingRelay) transitions() int {
	return max(0, len(slices.Compact(slices.Clone(r.set)))-1)
}

// recordingLink remembers what was published, unless it is full.
type recordingLink struct {
	full bool
	sent []smartmeter.Message
}

func (l *recordingLink) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	if l.full {
		return false
	}
	l.sent = append(l.sent, smartmeter.Message{Topic: topic, Payload: slices.Clone(payload), QoS: qos, Retained: retained})
	return true
}

// on returns the messages of one topic.
func (l *recordingLink) on(topic string) []smartmeter.Message {
	var all []smartmeter.Message
	for _, m := range l.sent {
		if m.Topic == topic {
			all = append(all, m)
		}
	}
	return all
}

// texts returns messages in a form that is easy to compare.
func texts(messages []smartmeter.Message) []string {
	var all []string
	for _, m := range messages {
		s := strings.TrimPrefix(m.Topic, "dev/bench-1/") + " " + string(m.Payload)
		if m.Retained {
			s += " (retained)"
		}
		all = append(all, s)
	}
	return all
}

// memory is settings that a power cut does not touch.
type memory map[string][]byte

func (m memory) Load(name string) ([]byte, error) { return m[name], nil }

func (m memory) Save(name string, data []byte) error {
	m[name] = slices.Clone(data)
	return nil
}

func (m memory) Erase() error {
	clear(m)
	return nil
}

// errBroken is what broken things fail with.
var errBroken = errors.New("broken")

// brokenMemory cannot load, or not save.
type brokenMemory struct{ load, save error }

func (m brokenMemory) Load(string) ([]byte, error) { return nil, m.load }
func (m brokenMemory) Save(string, []byte) error   { return m.save }
func (m brokenMemory) Erase() error                { return m.save }
