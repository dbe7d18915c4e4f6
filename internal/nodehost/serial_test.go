package nodehost

import (
	"errors"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// seed decides what the hostile module does; -seed=N replays a run.
var seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "seed of random campaigns")

// newMeter returns the meter behind the bench's device.
func newMeter(t *testing.T, b *bench) *serialMeter {
	t.Helper()
	m, err := newSerialMeter(b.device, 0, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestSerialMeterReads(t *testing.T) {
	m := newMeter(t, newBench(t))
	var got smartmeter.Measurement
	for range 3 {
		if err := m.Read(&got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(measuring(), got); diff != "" {
			t.Errorf("measurement (-want +got):\n%s", diff)
		}
	}
}

func TestSerialMeterSurvivesUnplugging(t *testing.T) {
	b := newBench(t)
	m := newMeter(t, b)
	var got smartmeter.Measurement
	for range 3 {
		if err := m.Read(&got); err != nil {
			t.Fatal(err)
		}
		b.unplug()
		for range 3 {
			if err := m.Read(&got); err == nil || got.Has != 0 {
				t.Fatalf("unplugged, and yet %v, %v", got, err)
			}
		}
		b.plug(func(heard []byte) []byte { return b.slave.Feed(heard) })
	}
	if err := m.Read(&got); err != nil || got != measuring() {
		t.Errorf("plugged in again: %v, %v", got, err)
	}
}

func TestSerialMeterSaysWhichDeviceIsMissing(t *testing.T) {
	m, err := newSerialMeter("/nowhere/ttyUSB7", 0x10, quiet)
	if err != nil {
		t.Fatal(err)
	}
	err = m.Read(new(smartmeter.Measurement))
	if err == nil || !strings.Contains(err.Error(), "/nowhere/ttyUSB7") {
		t.Errorf("error %v", err)
	}
	if _, err := newSerialMeter("/nowhere/ttyUSB7", 0xF9, quiet); !errors.Is(err, pzem.ErrBadAddress) {
		t.Errorf("address 0xF9: %v", err)
	}
}

// TestHostileModule lets a module on a real terminal answer in every bad way.
// No wrong value may be published, and silence must be reported.
func TestHostileModule(t *testing.T) {
	t.Parallel()
	t.Logf("replay with -seed=%d", *seed)
	b := newBench(t)
	h := &hostileModule{slave: b.slave, chance: rand.New(rand.NewPCG(*seed, 1))}
	b.plug(h.answer)
	meter := newMeter(t, b)
	meter.silence = 10 * time.Millisecond // a pseudo-terminal is fast
	published := new(recordingLink)
	core, err := node.New(node.Config{ID: "n1", Boot: 1, Meter: meter, Link: published, WarmUp: warmUp})
	if err != nil {
		t.Fatal(err)
	}
	core.Connected(0)
	var next smartmeter.Millis
	live := func(steps int) {
		for range steps { // the node's time flies, the line's does not
			h.now.Store(int64(next))
			next = core.Step(next, 0)
		}
	}
	liveThroughAll := func() {
		live(60)
		for h.missing() != "" && next < 4*3_600_000 {
			live(20)
		}
	}
	liveThroughAll()
	h.mute.Store(true) // the mains fails, and is back
	live(5)
	h.mute.Store(false)
	h.power.Store(int64(next))
	liveThroughAll()
	h.mute.Store(true)
	live(5)
	if missing := h.missing(); missing != "" {
		t.Errorf("in all that time the module never sent %s", missing)
	}

	samples := published.samples(t)
	for _, s := range samples {
		want := measuring()
		if !s.Has.Has(smartmeter.Energy) { // it takes longer to be believed
			want.Has, want.Energy = want.Has&^smartmeter.Energy, 0
		}
		if s.Measurement != want {
			t.Errorf("published at %d %+v", s.T, s.Measurement)
		}
	}
	if last := samples[len(samples)-1]; !last.Has.Has(smartmeter.Energy) {
		t.Errorf("the register was never believed again: %+v", last)
	}
	failed := core.Status().Counts.MeterFailed
	t.Logf("%d samples, %d failed reads", len(samples), failed)
	if len(samples) < 10 || failed < 5 {
		t.Errorf("%d samples, %d failed reads: the module is not hostile, or too much so", len(samples), failed)
	}
	var told []wire.NodeEventKind
	for _, payload := range published.on("dev/n1/event") {
		e, err := wire.DecodeEvent(payload)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, e.Kind)
	}
	// Other silences come of a module that is bad for long; these two must be told.
	if n := len(told); n < 3 || told[n-1] != wire.NodeMeterSilent || told[n-2] != wire.NodeMeterBack {
		t.Errorf("told %q, want that the meter fell silent, was back, and is silent again", told)
	}
}

// hostileModule answers as badly as it can.
type hostileModule struct {
	slave  *pzem.Slave
	chance *rand.Rand
	mute   atomic.Bool
	late   []byte // an answer that was held back
	// now is the node's time, and power when the mains came last.
	now, power atomic.Int64

	mu   sync.Mutex
	seen map[string]bool // in which ways it has been bad
}

// badness is what a hostile module does: all of it must be seen to be survived.
var badness = []string{
	"garbage after power-up", "noise before", "noise after", "noise instead", "wrong CRC", "half a frame", "a late answer", "something impossible",
}

// bad notes a way to be bad.
func (h *hostileModule) bad(way string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen = map[string]bool{}
	}
	h.seen[way] = true
}

// missing returns a way to be bad that has not been seen, "" if all were.
func (h *hostileModule) missing() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, way := range badness {
		if !h.seen[way] {
			return way
		}
	}
	return ""
}

func (h *hostileModule) answer(heard []byte) []byte {
	reply := slices.Clone(h.slave.Feed(heard))
	if len(reply) == 0 || h.mute.Load() {
		return nil
	}
	if h.now.Load()-h.power.Load() < 4000 { // intact, possible, and wrong
		h.bad("garbage after power-up")
		return h.saying(smartmeter.Decivolt(800+h.chance.IntN(1800)), smartmeter.WattHour(h.chance.Uint32()))
	}
	if late := h.late; late != nil {
		h.late = nil
		h.bad("a late answer")
		return append(late, reply...)
	}
	noise := make([]byte, 1+h.chance.IntN(40))
	for i := range noise {
		noise[i] = byte(h.chance.Uint32())
	}
	switch h.chance.IntN(12) {
	case 0: // noise before
		h.bad("noise before")
		return append(noise, reply...)
	case 1: // noise after
		h.bad("noise after")
		return append(reply, noise...)
	case 2: // noise instead
		h.bad("noise instead")
		return noise
	case 3: // wrong CRC
		h.bad("wrong CRC")
		reply[h.chance.IntN(len(reply))] ^= 1 << h.chance.IntN(8)
		return reply
	case 4: // half a frame
		h.bad("half a frame")
		return reply[:h.chance.IntN(len(reply))]
	case 5: // silence now, and the answer together with the next one
		h.late = h.outdated()
		return nil
	case 6: // power-up garbage with a valid CRC, but impossible
		h.bad("something impossible")
		return h.impossible()
	default:
		return reply
	}
}

// outdated returns an intact reply with values of long ago.
func (h *hostileModule) outdated() []byte { return h.saying(2222, 0xFFFFFFFF) }

// impossible returns an intact reply with a voltage that cannot be.
func (h *hostileModule) impossible() []byte { return h.saying(65_535, 0) }

func (h *hostileModule) saying(voltage smartmeter.Decivolt, register smartmeter.WattHour) []byte {
	other, err := pzem.NewSlave(0x01)
	if err != nil {
		panic(err)
	}
	other.Update(func(m *smartmeter.Measurement) { *m = measuring(); m.Voltage, m.Energy = voltage, register })
	return slices.Clone(other.Feed([]byte{0x01, 0x04, 0x00, 0x00, 0x00, 0x0A, 0x70, 0x0D}))
}
