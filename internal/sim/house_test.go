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
	hour = 3600 * second
	day  = 24 * hour
)

func TestEqualSeedsGiveEqualDays(t *testing.T) {
	run := func(seed uint64, strides ...smartmeter.Millis) string {
		var w world
		sum := w.hash()
		h := newHouse(t, &w, len(roster), seed, 10*time.Second)
		h.Step(0)
		for at := smartmeter.Millis(0); at < day; {
			for _, stride := range strides {
				at = min(at+stride, day)
				h.Step(at)
			}
		}
		return string(sum.Sum(nil))
	}
	first := run(1, 500)
	if run(1, 730, hour, 1) != first {
		t.Error("the same seed gave another day when stepped differently")
	}
	if run(2, hour) == first {
		t.Error("another seed gave the same day")
	}
}

func TestDayIsPlausible(t *testing.T) {
	bounds := map[smartmeter.NodeID]struct {
		low, high smartmeter.WattHour // a day's energy
		peak      smartmeter.Deciwatt // what it draws at least once
	}{
		"sim-fridge":  {400, 1500, 850},
		"sim-freezer": {500, 1500, 780},
		"sim-kettle":  {100, 1800, 19_000},
		"sim-aircon":  {2000, 9000, 9200},
		"sim-boiler":  {1500, 9000, 17_000},
		"sim-washer":  {15, 2500, 8},
		"sim-tv":      {30, 1000, 600},
		"sim-lights":  {150, 1000, 300},
	}
	for seed := range uint64(3) {
		var w world
		energy := map[smartmeter.NodeID]smartmeter.WattHour{}
		peak := map[smartmeter.NodeID]smartmeter.Deciwatt{}
		w.samples(t, func(node smartmeter.NodeID, s *smartmeter.Sample) {
			if s.Energy < energy[node] {
				t.Errorf("seed %d, %s: the register went from %d to %d", seed, node, energy[node], s.Energy)
			}
			energy[node], peak[node] = s.Energy, max(peak[node], s.Power)
		})
		newHouse(t, &w, len(roster), seed, 30*time.Second).Step(day)
		total := smartmeter.WattHour(0)
		for node, b := range bounds {
			total += energy[node]
			if energy[node] < b.low || energy[node] > b.high || peak[node] < b.peak {
				t.Errorf("seed %d, %s: %d Wh in a day, up to %d dW; want %+v", seed, node, energy[node], peak[node], b)
			}
		}
		if len(energy) != len(bounds) || total < 6000 || total > 25_000 {
			t.Errorf("seed %d: %d devices used %d Wh in a day", seed, len(energy), total)
		}
	}
}

func TestRegisterIsTheIntegralOfPower(t *testing.T) {
	var w world
	sum := map[smartmeter.NodeID]smartmeter.Deciwatt{}
	w.samples(t, func(node smartmeter.NodeID, s *smartmeter.Sample) {
		sum[node] += s.Power
		if want := smartmeter.WattHour(sum[node] / 36_000); s.Energy != want {
			t.Fatalf("%s, sample %d: the register shows %d Wh, the integral is %d", node, s.Seq, s.Energy, want)
		}
	})
	h := newHouseAt(t, &w, len(roster), 3, time.Second, testStart.Add(6*time.Hour))
	h.Step(hour)
	if sum["sim-fridge"] == 0 || sum["sim-boiler"] == 0 {
		t.Errorf("nothing was drawn: %v", sum)
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
	newHouse(t, &w, len(roster), 4, 31*time.Second).Step(day)
	if lowest < 2050 || lowest > 2260 || highest < 2305 || highest > 2400 {
		t.Errorf("the voltage was within %d and %d dV", lowest, highest)
	}
}

func TestWattsChangeWithinTwoSecondsAtAnyHour(t *testing.T) {
	for hour := range 24 {
		var w world
		first := map[smartmeter.NodeID]smartmeter.Deciwatt{}
		changed := false
		w.samples(t, func(node smartmeter.NodeID, s *smartmeter.Sample) {
			before, known := first[node]
			changed = changed || known && s.Power != before
			first[node] = s.Power
		})
		h := newHouseAt(t, &w, len(roster), 5, time.Second, testStart.Add(time.Duration(hour)*time.Hour))
		h.Step(0)
		h.Step(2 * second)
		if !changed {
			t.Errorf("nothing changed within two seconds at %d h: %v", hour, first)
		}
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
	h := newHouse(t, &w, 2*len(roster), 1, 3*time.Second)
	h.Step(0)
	h.Step(30 * second)
	if len(seqs) != 2*len(roster) {
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
	h := newHouse(t, &w, 2*len(roster)+1, 1, 0)
	devices := h.Devices()
	ids, names := map[smartmeter.DeviceID]bool{}, map[string]bool{}
	for _, d := range devices {
		ids[d.ID], names[d.Name] = true, true
		if !smartmeter.ValidNodeID(string(d.Node)) || d.ID != smartmeter.DefaultDeviceID(d.Node, 0) {
			t.Errorf("%+v", d)
		}
		if _, ok := w.peers[d.Node]; !ok || d.Room == "" || d.Kind == "" {
			t.Errorf("%+v is not described or not connected", d)
		}
	}
	if len(ids) != len(devices) || len(names) != len(devices) {
		t.Errorf("ids or names come twice: %+v", devices)
	}
	last := devices[len(devices)-1]
	if last.ID != "sim-fridge-3" || last.Name != "Fridge 3" {
		t.Errorf("the last is %+v", last)
	}
	if len(h.households) != 3 {
		t.Errorf("there are %d households", len(h.households))
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
	if len(boots) != 8 || boots[0] {
		t.Errorf("boots: %v", boots)
	}
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	var w world
	good := Config{Devices: 1, Start: testStart, Connect: w.connect, Logger: slog.New(slog.DiscardHandler)}
	for name, spoil := range map[string]func(*Config){
		"no devices":       func(c *Config) { c.Devices = 0 },
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
	if err == nil || w.closed.Load() != 2 {
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
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/800, "ns/device-second")
}
