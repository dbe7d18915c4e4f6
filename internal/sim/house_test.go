package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// testStart is a midnight.
var testStart = time.Date(2025, time.July, 14, 0, 0, 0, 0, time.UTC)

// world is the other end of all links: it takes whatever nodes publish.
type world struct {
	peers  map[smartmeter.NodeID]Peer
	closed atomic.Int32
	// taken is called with everything published; nil to ignore it.
	taken func(m smartmeter.Message)
}

// connect implements Config.Connect with a broker that is always there.
func (w *world) connect(p Peer) (Link, error) {
	if w.peers == nil {
		w.peers = map[smartmeter.NodeID]Peer{}
	}
	w.peers[p.ID()] = p
	p.Connected()
	return worldLink{w}, nil
}

type worldLink struct{ *world }

func (l worldLink) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	if l.taken != nil {
		l.taken(smartmeter.Message{Topic: topic, Payload: payload, QoS: qos, Retained: retained})
	}
	return true
}

func (l worldLink) Close() error {
	l.closed.Add(1)
	return nil
}

// hash has all that is published written to a hash.
func (w *world) hash() hash.Hash {
	sum := sha256.New()
	w.taken = func(m smartmeter.Message) {
		var retained byte
		if m.Retained {
			retained = 1
		}
		sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(m.Topic))))
		sum.Write(binary.BigEndian.AppendUint32(nil, uint32(len(m.Payload))))
		sum.Write([]byte(m.Topic))
		sum.Write(m.Payload)
		sum.Write([]byte{m.QoS, retained})
	}
	return sum
}

// samples has use called with every sample published.
func (w *world) samples(t testing.TB, use func(node smartmeter.NodeID, s *smartmeter.Sample)) {
	w.taken = func(m smartmeter.Message) {
		a, err := wire.Topics{}.Parse(m.Topic)
		if err != nil {
			t.Fatalf("%s: %v", m.Topic, err)
		}
		if a.Kind != wire.KindMetrics {
			return
		}
		var s smartmeter.Sample
		if err := wire.DecodeMetrics(m.Payload, &s); err != nil {
			t.Fatalf("%s %s: %v", m.Topic, m.Payload, err)
		}
		use(a.Node, &s)
	}
}

func newHouse(t testing.TB, w *world, devices int, seed uint64, interval time.Duration) *House {
	t.Helper()
	return newHouseAt(t, w, devices, seed, interval, testStart)
}

func newHouseAt(t testing.TB, w *world, devices int, seed uint64, interval time.Duration, start time.Time) *House {
	t.Helper()
	h, err := New(Config{
		Devices: devices, Seed: seed, Start: start, Interval: interval,
		Connect: w.connect, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

const (
	oneHour = hour * second
	oneDay  = 24 * oneHour
)

func TestEqualSeedsGiveEqualDays(t *testing.T) {
	run := func(seed uint64, strides ...smartmeter.Millis) string {
		var w world
		sum := w.hash()
		h := newHouse(t, &w, 8, seed, 10*time.Second)
		h.Step(0)
		for at := smartmeter.Millis(0); at < oneDay/3; {
			for _, stride := range strides {
				at = min(at+stride, oneDay/3)
				h.Step(at)
			}
		}
		return string(sum.Sum(nil))
	}
	first := run(1, 500)
	if run(1, 730, oneHour, 1) != first {
		t.Error("the same seed gave another day when stepped differently")
	}
	if run(2, oneHour) == first {
		t.Error("another seed gave the same day")
	}
}

func TestSamplesObeyPhysics(t *testing.T) {
	var w world
	var lowest, highest smartmeter.Decivolt = 9999, 0
	w.samples(t, func(node smartmeter.NodeID, s *smartmeter.Sample) {
		lowest, highest = min(lowest, s.Voltage), max(highest, s.Voltage)
		if s.Has != smartmeter.AllQuantities || s.Implausible() != 0 || s.At == 0 {
			t.Fatalf("%s: %+v", node, s)
		}
		if s.Power > 0 && (s.Power < 4 || s.PowerFactor == 0) {
			t.Fatalf("%s: %+v is less than a module can measure", node, s)
		}
		// In tenths of a milliwatt; half a step of current at 240 V and half a
		// step of power may be lost.
		product := int64(s.Voltage) * int64(s.Current) * int64(s.PowerFactor) / 100
		power := int64(s.Power) * 1000
		if slack := 1700 + power/100; product < power-slack || product > power+slack {
			t.Fatalf("%s: U*I*pf is not P: %+v", node, s)
		}
		if s.Frequency < 498 || s.Frequency > 502 {
			t.Fatalf("%s: %d dHz", node, s.Frequency)
		}
	})
	newHouse(t, &w, 8, 4, 31*time.Second).Step(oneDay)
	if lowest < 2050 || lowest > 2260 || highest < 2320 || highest > 2400 {
		t.Errorf("the voltage was within %d and %d dV", lowest, highest)
	}
}

func TestNodesSampleAtTheInterval(t *testing.T) {
	var w world
	seqs := map[smartmeter.NodeID]uint32{}
	w.samples(t, func(node smartmeter.NodeID, s *smartmeter.Sample) {
		seqs[node] = s.Seq
		if want := testStart.UnixMilli() + int64(s.T); int64(s.At) != want || s.T%3000 != 0 {
			t.Errorf("%s: sampled at %d, Unix %d", node, s.T, s.At)
		}
	})
	h := newHouse(t, &w, 16, 1, 3*time.Second)
	h.Step(0)
	h.Step(30 * second)
	if len(seqs) != 18 {
		t.Errorf("%d nodes sampled", len(seqs))
	}
	for node, seq := range seqs {
		if seq != 11 {
			t.Errorf("%s has taken %d samples in 30 s", node, seq)
		}
	}
}

func TestDevicesRepeatWithNumbers(t *testing.T) {
	var w world
	h := newHouse(t, &w, 17, 1, 0)
	devices := h.Devices()
	parents, ids, names := 0, map[smartmeter.DeviceID]bool{"": true}, map[string]bool{}
	for _, d := range devices {
		if ids[d.ID] || names[d.Name] || !ids[d.Parent] {
			t.Errorf("the id or name of %+v comes twice, or it comes before its parent", d)
		}
		ids[d.ID], names[d.Name] = true, true
		if d.Parent == "" {
			parents++
		}
		if !smartmeter.ValidNodeID(string(d.Node)) || d.ID != smartmeter.DefaultDeviceID(d.Node, 0) {
			t.Errorf("%+v", d)
		}
		if _, ok := w.peers[d.Node]; !ok || d.Room == "" || d.Kind == "" {
			t.Errorf("%+v is not described or not connected", d)
		}
	}
	if len(devices) != 20 || parents != 3 || len(h.homes) != 3 {
		t.Errorf("%d devices, %d of them main meters, in %d homes", len(devices), parents, len(h.homes))
	}
	want := smartmeter.Device{
		ID: "sim-fridge-3", Name: "Fridge 3", Room: "Kitchen", Kind: smartmeter.Compressor,
		Node: "sim-fridge-3", Parent: "sim-main-3",
	}
	if last := devices[len(devices)-1]; last != want {
		t.Errorf("the last is %+v, want %+v", last, want)
	}
}

func TestHouseholdDecidesWhatThereIs(t *testing.T) {
	var w world
	h, err := New(Config{
		Household: &Household{Appliances: []Outlet{{Appliance: "tv", ID: "a"}, {Appliance: "lights", ID: "b", Name: "Lamp"}}},
		Start:     testStart, Connect: w.connect, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []smartmeter.Device{
		{ID: "a", Node: "a", Name: "TV", Kind: smartmeter.Generic},
		{ID: "b", Node: "b", Name: "Lamp", Kind: smartmeter.Lighting},
	}
	if d := cmp.Diff(want, h.Devices()); d != "" {
		t.Error(d)
	}
	h.Step(5 * second)
	for range h.History(0) {
	}
}

func TestMetersResumeTheirRegisters(t *testing.T) {
	var w world
	latest := map[smartmeter.NodeID]smartmeter.WattHour{}
	w.samples(t, func(node smartmeter.NodeID, s *smartmeter.Sample) { latest[node] = s.Energy })
	h := newHouse(t, &w, 8, 1, time.Second)
	h.Resume("sim-tv", 1234)
	h.Step(second)
	h.Resume("sim-tv", 99)
	h.Step(2 * second)
	if latest["sim-tv"] != 1234 || latest["sim-main"] < 1_000_000 {
		t.Errorf("the registers are %v", latest)
	}
}

func TestBootsDifferBetweenSimulations(t *testing.T) {
	boots := map[smartmeter.BootID]bool{}
	for _, seed := range []uint64{1, 2} {
		for _, start := range []time.Time{testStart, testStart.Add(time.Millisecond)} {
			for _, node := range []smartmeter.NodeID{"sim-tv", "sim-tv-2"} {
				boot := bootOf(seed, start, node)
				if again := bootOf(seed, start, node); again != boot {
					t.Errorf("the same simulation has the boots %x and %x", boot, again)
				}
				boots[boot] = true
			}
		}
	}
	for boot := range boots {
		if boot == 0 || boot&pastFlag != 0 {
			t.Errorf("the boot %x is none of a running node", boot)
		}
	}
	if len(boots) != 8 {
		t.Errorf("boots: %v", boots)
	}
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	var w world
	good := Config{Devices: 1, Start: testStart, Connect: w.connect, Logger: slog.New(slog.DiscardHandler)}
	for name, spoil := range map[string]func(*Config){
		"negative devices": func(c *Config) { c.Devices = -1 },
		"too many fielded": func(c *Config) { c.Fielded = 2 },
		"none fielded":     func(c *Config) { c.Fielded = -1 },
		"no start":         func(c *Config) { c.Start = time.Time{} },
		"no connect":       func(c *Config) { c.Connect = nil },
		"no logger":        func(c *Config) { c.Logger = nil },
		"half seconds":     func(c *Config) { c.Interval = 1500 * time.Millisecond },
		"negative":         func(c *Config) { c.Interval = -time.Second },
		"more than hourly": func(c *Config) { c.Interval = 2 * time.Hour },
	} {
		c := good
		spoil(&c)
		if _, err := New(c); err == nil || !strings.HasPrefix(err.Error(), "sim: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	good.Devices = 3
	good.Household = &Household{Appliances: []Outlet{{Appliance: "tv", ID: "a"}, {Appliance: "tv", ID: "a-2"}}}
	if _, err := New(good); smartmeter.CodeOf(err) != smartmeter.Invalid || !strings.Contains(err.Error(), "a-2") {
		t.Errorf("the id that comes twice: %v", err)
	}
}

func TestNewClosesWhatItConnectedWhenOneFails(t *testing.T) {
	var w world
	_, err := New(Config{
		Devices: 3, Start: testStart, Logger: slog.New(slog.DiscardHandler),
		Connect: func(p Peer) (Link, error) {
			if p.ID() == "sim-kettle" {
				return (*noLink)(nil), io.ErrNoProgress // as a func that returns a concrete type does
			}
			return w.connect(p)
		},
	})
	if err == nil || w.closed.Load() != 3 {
		t.Errorf("%v, %d links closed", err, w.closed.Load())
	}
}

// noLink must not be used.
type noLink struct{ Link }

func BenchmarkSecond(b *testing.B) {
	var w world
	h := newHouse(b, &w, 800, 1, time.Second)
	h.Step(0)
	b.ReportAllocs()
	for b.Loop() {
		h.Step(h.next)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/900, "ns/device-second")
}
