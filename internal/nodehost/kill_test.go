package nodehost

import (
	"flag"
	"slices"
	"strconv"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// deaths is how often a node dies at each write, each time with another seed.
var deaths = flag.Int("deaths", 1, "how often TestKilledAtEveryWrite ends a node at each write")

// TestKilledAtEveryWrite ends a node at every single change that it makes to its
// disk, once as kill -9 does and once with the power of the machine, under every
// policy for power-up. What it kept is as before that change or as after it, the
// relay goes once where the policy wants it, and nowhere else before that.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	t.Logf("replay with -seed=%d", *seed)
	for _, policy := range []wire.Position{wire.PositionOff, wire.PositionOn, wire.PositionLast} {
		t.Run(string(policy), func(t *testing.T) {
			count := 0
			for round := range *deaths {
				count += dieEverywhere(t, policy, *seed+uint64(round))
			}
			t.Logf("%d deaths", count)
		})
	}
}

// dieEverywhere returns how often a node died.
func dieEverywhere(t *testing.T, policy wire.Position, seed uint64) int {
	t.Helper()
	survivor := newVictim(t, policy, seed)
	writes := survivor.disk.Stats().Operations
	survivor.live()
	writes = survivor.disk.Stats().Operations - writes
	for before := range writes {
		for _, powerToo := range []bool{false, true} {
			v := newVictim(t, policy, seed)
			v.disk.CrashAfter(before)
			v.live()
			v.die(powerToo)
			v.resurrect(powerToo)
		}
	}
	return 2 * writes
}

// victim is a node that is going to die.
type victim struct {
	t      *testing.T
	policy wire.Position
	disk   *faultdisk.Disk

	core    *node.Node
	buffer  *buffer
	boot    smartmeter.BootID
	now     smartmeter.Millis
	current smartmeter.Milliamp
	pin     []bool // where the relay was put in this life, also where it was
	on      bool   // where it is to be
	orders  int

	// before is what the disk knew before the step in which the node died, and
	// after what it was to know; written is up to where it had samples.
	before, after kept
	written       uint64
	step          string
}

// kept is what must survive.
type kept struct {
	rev  uint32
	last bool // where the relay belongs after power-up, if it is to be as it was
	cut  bool
}

// Read is the meter, Set the relay and Publish the link of the node.
func (v *victim) Read(into *smartmeter.Measurement) error {
	*into = measuring()
	into.Current = v.current
	return nil
}

func (v *victim) Set(on bool) error {
	v.pin = append(v.pin, on)
	return nil
}

func (v *victim) Publish(string, []byte, uint8, bool) bool { return true }

// newVictim returns a node that is configured and runs.
func newVictim(t *testing.T, policy wire.Position, seed uint64) *victim {
	t.Helper()
	v := &victim{t: t, policy: policy, disk: faultdisk.New(seed)}
	conf := node.DefaultConfig()
	conf.Rev, conf.Relay.PowerUp, conf.Limits = 1, policy, wire.Limits{Current: 16_000, Hold: 500}
	if err := (settings{worstDisk{v.disk}}).Save(node.SavedConfig, wire.AppendConfig(nil, &conf)); err != nil {
		t.Fatal(err)
	}
	v.before.rev, v.after.rev = 1, 1
	v.start()
	return v
}

// start boots the node, which moves its relay once.
func (v *victim) start() {
	v.t.Helper()
	in := worstDisk{v.disk}
	b, err := openBuffer(in, 60, quiet)
	if err != nil {
		v.t.Fatal(err)
	}
	v.boot++
	v.buffer, v.now, v.current, v.pin = b, 0, 1000, nil
	v.core, err = node.New(node.Config{ID: "n1", Boot: v.boot, Meter: v, Link: v, Relay: v, Settings: settings{in}, Buffer: b})
	if err != nil {
		v.t.Fatal(err)
	}
	if len(v.pin) != 1 {
		v.t.Fatalf("the relay is put to %v at boot", v.pin)
	}
	v.on = v.pin[0]
	v.core.Connected(0)
}

// live goes on until the node dies.
func (v *victim) live() {
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"measure", func() { v.pass(130) }},
		{"configure", v.configure},
		{"switch on", func() { v.order(true, 0) }},
		{"measure", func() { v.pass(70) }},
		{"lease", func() { v.order(true, v.now+60_000) }},
		{"the lease ends", func() { v.after.last, v.on = false, false; v.pass(61) }},
		{"switch on", func() { v.order(true, 0) }},
		{"too much current", v.overload},
		{"switch on, in vain", func() { v.order(true, 0) }},
		{"reset", v.reset},
		{"switch on", func() { v.order(true, 0) }},
		{"switch off", func() { v.order(false, 0) }},
		{"receipt", v.acknowledge},
		{"switch on", func() { v.order(true, 0) }},
		{"measure", func() { v.pass(200) }},
		{"configure", v.configure},
	} {
		v.step, v.before, v.written = step.name, v.after, v.buffer.written
		moves := len(slices.Compact(slices.Clone(v.pin)))
		step.do()
		if v.disk.Crashed() {
			return
		}
		v.check(moves)
	}
}

// check looks at a step that the node survived.
func (v *victim) check(moves int) {
	v.t.Helper()
	s := v.core.Status()
	got := kept{rev: s.Config.Rev, last: v.after.last, cut: s.CutOff.Kind != ""}
	if got != v.after {
		v.t.Fatalf("after %s: %+v, want %+v", v.step, got, v.after)
	}
	if now := len(slices.Compact(slices.Clone(v.pin))); now > moves+1 || v.pin[len(v.pin)-1] != v.on {
		v.t.Fatalf("%s: the relay was to be at %v, and was put to %v", v.step, v.on, v.pin)
	}
}

// die ends the process, or the machine.
func (v *victim) die(powerToo bool) {
	if !v.disk.Crashed() {
		v.t.Fatal("outlived its death")
	}
	if powerToo {
		v.disk = v.disk.Crash()
	} else {
		v.disk = v.disk.Restart()
	}
}

// resurrect boots the node again and looks at what it knows.
func (v *victim) resurrect(powerToo bool) {
	v.t.Helper()
	had := v.buffer
	v.start()
	s := v.core.Status()
	cut := s.CutOff.Kind != ""
	if s.Settings != nil || s.Config.Rev != v.before.rev && s.Config.Rev != v.after.rev {
		v.t.Fatalf("died at %s: revision %d, %v; want %d or %d", v.step, s.Config.Rev, s.Settings, v.before.rev, v.after.rev)
	}
	if cut != v.before.cut && cut != v.after.cut {
		v.t.Fatalf("died at %s: cut off %v", v.step, s.CutOff)
	}
	if on := v.pin[0]; on != v.belongs(v.before.last, cut) && on != v.belongs(v.after.last, cut) {
		v.t.Fatalf("died at %s: the relay is put to %v", v.step, on)
	}
	all := contents(v.buffer)
	for i, got := range all {
		want := measuring()
		want.Current = got.Current
		if got.Measurement != want || i > 0 && got.Seq <= all[i-1].Seq {
			v.t.Fatalf("died at %s: kept %+v", v.step, got)
		}
	}
	if !powerToo && v.buffer.next < v.written {
		v.t.Fatalf("died at %s: samples up to %d are kept, %d were written", v.step, v.buffer.next, v.written)
	}
	if !powerToo && had.first == v.buffer.first && len(all) < int(v.written-had.first) {
		v.t.Fatalf("died at %s: %d samples are kept, %d were written", v.step, len(all), v.written-had.first)
	}
}

// belongs returns where the relay belongs after power-up.
func (v *victim) belongs(last, cut bool) bool {
	switch {
	case cut:
		return false
	case v.policy == wire.PositionLast:
		return last
	default:
		return v.policy == wire.PositionOn
	}
}

// pass lets seconds pass.
func (v *victim) pass(seconds int) {
	for end := v.now + smartmeter.Millis(seconds)*1000; v.now < end && !v.disk.Crashed(); {
		v.now = min(v.core.Step(v.now, 0), end)
	}
}

func (v *victim) receive(leaf string, payload []byte) {
	v.core.Receive(v.now, "dev/n1/"+leaf, payload, false)
}

// id returns an id that no order had.
func (v *victim) id() string {
	v.orders++
	return strconv.Itoa(v.orders)
}

func (v *victim) configure() {
	v.after.rev++
	v.receive("config", []byte(`{"rev":`+strconv.FormatUint(uint64(v.after.rev), 10)+`,"heartbeat":`+strconv.FormatUint(uint64(30_000+v.after.rev), 10)+`}`))
}

// order switches. An ON with a lease is none after power-up.
func (v *victim) order(on bool, lease smartmeter.Millis) {
	if !v.after.cut {
		v.after.last, v.on = on && lease == 0, on
	}
	v.receive("relay/commands", wire.AppendCommand(nil, &wire.Command{ID: v.id(), Boot: v.boot, BeforeT: v.now + 1000, On: on, LeaseUntilT: lease}))
}

// overload has the node cut off.
func (v *victim) overload() {
	v.after.last, v.after.cut, v.on = false, true, false
	v.current = 50_000
	v.pass(3)
	v.current = 1000
}

func (v *victim) reset() {
	v.after.cut = false
	v.receive("protection/reset", wire.AppendReset(nil, &wire.Reset{ID: v.id(), Boot: v.boot, BeforeT: v.now + 1000}))
}

// acknowledge has the hub take the older half of what is kept.
func (v *victim) acknowledge() {
	first, next := v.buffer.Bounds()
	var s smartmeter.Sample
	if v.buffer.Get((first+next)/2, &s) {
		v.receive("pzem/ack", wire.AppendAck(nil, wire.Ack{Boot: s.Boot, Seq: s.Seq}))
	}
}
