package nodehost

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// worstDisk is files on a disk that keeps its promises and not a bit more.
type worstDisk struct{ *faultdisk.Disk }

func (d worstDisk) Open(name string) (file, error) {
	f, err := d.Disk.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.Create(name, 0)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (d worstDisk) Read(name string) ([]byte, error) {
	f, err := d.Disk.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	data := make([]byte, size)
	if _, err = f.ReadAt(data, 0); err == io.EOF {
		err = nil // it is empty
	}
	return data, errors.Join(err, f.Close())
}

func (d worstDisk) Remove(name string) error {
	if err := d.Disk.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d worstDisk) Sync() error { return d.SyncDir(".") }

var _ disk.FS = worstDisk{}.Disk

// cutter runs a node until its power is cut, and again.
type cutter struct {
	t       *testing.T
	chance  *rand.Rand
	disk    *faultdisk.Disk
	core    *node.Node
	buffer  *buffer
	current smartmeter.Milliamp
	relayOn bool
	now     smartmeter.Millis
	boot    smartmeter.BootID
	ids     int
	// What must hold after the cut: one of two configurations, the cut-off if
	// it is known to be kept, and what was put into the buffer.
	config, wanted wire.Config
	cutOff         bool
	put            map[smartmeter.BootID]uint32
}

func (c *cutter) Read(into *smartmeter.Measurement) error {
	*into = measuring()
	into.Current = c.current
	return nil
}

func (c *cutter) Set(on bool) error {
	c.relayOn = on
	return nil
}

func (c *cutter) Publish(string, []byte, uint8, bool) bool { return true }

// start switches the node on; it may be cut off while it starts.
func (c *cutter) start() bool {
	in := worstDisk{c.disk}
	b, err := openBuffer(in, 400, quiet)
	if err != nil {
		return false
	}
	c.boot++
	c.buffer, c.now, c.current, c.relayOn = b, 0, 1000, false
	c.core, err = node.New(node.Config{
		ID: "n1", Boot: c.boot, Meter: c, Link: c, Relay: c, Settings: settings{in}, Buffer: b,
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return !c.disk.Crashed()
}

// live lets the node do something that may change what is kept.
func (c *cutter) live() {
	c.ids++
	id := strconv.Itoa(c.ids)
	switch c.chance.IntN(6) {
	case 0:
		c.wanted.Rev, c.wanted.Metrics = c.wanted.Rev+1, smartmeter.Millis(1000+c.chance.IntN(5000))
		c.receive("config", string(wire.AppendConfig(nil, &c.wanted)))
	case 1:
		command := wire.Command{ID: id, Boot: c.boot, BeforeT: c.now + 1, On: c.chance.IntN(3) > 0}
		c.receive("relay/commands", string(wire.AppendCommand(nil, &command)))
	case 2:
		c.current = 50_000
		c.step(10)
		c.current = 1000
	case 3:
		c.cutOff = false // from now on it may be either way
		reset := wire.Reset{ID: id, Boot: c.boot, BeforeT: c.now + 1}
		c.receive("protection/reset", string(wire.AppendReset(nil, &reset)))
	case 4:
		c.acknowledge()
	default:
		c.step(c.chance.IntN(300))
	}
	s := c.core.Status()
	if s.Config == c.wanted {
		c.config = c.wanted
	} else if !c.disk.Crashed() {
		c.t.Fatalf("configured %+v, wanted %+v", s.Config, c.wanted)
	}
	c.cutOff = s.CutOff.Kind != "" && s.Settings == nil && !c.disk.Crashed() || c.cutOff && s.CutOff.Kind != ""
}

func (c *cutter) receive(leaf, payload string) {
	c.core.Receive(c.now, "dev/n1/"+leaf, []byte(payload), false)
}

// step lets seconds pass.
func (c *cutter) step(seconds int) {
	for end := c.now + smartmeter.Millis(seconds)*1000; c.now < end; {
		c.now = c.core.Step(c.now, 0)
		c.put[c.boot] = max(c.put[c.boot], c.core.Status().Latest.Seq)
	}
}

// acknowledge has the hub acknowledge some of the oldest samples.
func (c *cutter) acknowledge() {
	var s smartmeter.Sample
	if first, _ := c.buffer.Bounds(); c.buffer.Get(first, &s) {
		seq := s.Seq + uint32(c.chance.IntN(20))
		c.receive("pzem/ack", string(wire.AppendAck(nil, wire.Ack{Boot: s.Boot, Seq: seq})))
	}
}

// check looks at what survived.
func (c *cutter) check() {
	c.t.Helper()
	s := c.core.Status()
	if s.Config != c.config && s.Config != c.wanted {
		c.t.Fatalf("configuration %+v, want %+v or %+v", s.Config, c.config, c.wanted)
	}
	c.config, c.wanted = s.Config, s.Config
	if c.cutOff && s.CutOff.Kind == "" {
		c.t.Fatal("the cut-off is forgotten")
	}
	if s.CutOff.Kind != "" && c.relayOn {
		c.t.Fatal("switched on what was cut off")
	}
	var last smartmeter.Sample
	for _, got := range contents(c.buffer) {
		want := measuring()
		want.Current = got.Current
		if got.Measurement != want || got.Seq < 1 || got.Seq > c.put[got.Boot] || got.Boot < last.Boot || got.Boot == last.Boot && got.Seq <= last.Seq {
			c.t.Fatalf("%+v follows %+v", got, last)
		}
		last = got
	}
}

// TestPowerCuts kills a node at 500 points, half of them with the power of the
// whole machine. The configuration is the old or the new one, a cut-off stays,
// and samples survive whole or not at all.
func TestPowerCuts(t *testing.T) {
	t.Parallel()
	t.Logf("replay with -seed=%d", *seed)
	c := &cutter{
		t: t, chance: rand.New(rand.NewPCG(*seed, 2)), disk: faultdisk.New(*seed),
		put: map[smartmeter.BootID]uint32{},
	}
	first := node.DefaultConfig()
	first.Rev, first.Relay.PowerUp, first.Limits.Current = 1, wire.PositionLast, 16_000
	if err := (settings{worstDisk{c.disk}}).Save(node.SavedConfig, wire.AppendConfig(nil, &first)); err != nil {
		t.Fatal(err)
	}
	c.config, c.wanted = first, first
	c.start()
	c.core.Connected(0)
	samples := 0
	for range 500 {
		c.disk.CrashAfter(1 + c.chance.IntN(40))
		for !c.disk.Crashed() {
			c.live()
		}
		if c.chance.IntN(2) == 0 {
			c.disk = c.disk.Restart()
		} else {
			c.disk = c.disk.Crash()
		}
		if !c.start() {
			t.Fatal("does not start again")
		}
		c.check()
		c.core.Connected(0)
		samples += len(contents(c.buffer))
	}
	if samples == 0 {
		t.Error("no sample ever survived: the cuts come too early")
	}
	t.Logf("%d samples survived", samples)
}

func TestWrittenSamplesSurviveAKill(t *testing.T) {
	d := faultdisk.New(*seed)
	b := bufferIn(t, worstDisk{d}, 1000)
	for n := range uint32(100) {
		s := numbered(7, n+1)
		b.Put(&s)
	}
	written := int(b.written)
	b.Forget(10)
	after := bufferIn(t, worstDisk{d.Restart()}, 1000)
	got := contents(after)
	if len(got) != written-10 || got[0].Seq != 11 || written < 88 {
		t.Errorf("%d of %d written samples survived", len(got), written)
	}
	if diff := cmp.Diff(numbered(7, 11), got[0]); diff != "" {
		t.Errorf("the first (-want +got):\n%s", diff)
	}
}
