package nodehost

import (
	"fmt"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// How often nodes measure: those with a file as they do by default, the others
// so seldom that a hundred of them can live for a week.
const (
	fileInterval = 5 * time.Second
	ringInterval = time.Minute
)

// mostDrift is by how much a node's crystal is wrong at most, in millionths.
const mostDrift = 40

// role is what a plug is there to show.
type role uint8

const (
	plain   role = iota
	leased       // its ON ends with the hub
	guarded      // too much current flows at some time
)

// plug is a node, and what is known of it besides.
type plug struct {
	*sim.Station
	week    *week
	role    role
	disk    *faultdisk.Disk // of a node with a file
	kept    *notebook       // of the present boot
	boot    smartmeter.BootID
	ordered chan error
	resting bool

	measured map[sampleID]measured
	hours    []smartmeter.WattHour // the register at each full hour
	cuts     []time.Duration       // when its power was cut
	moves    []move
	told     []wire.NodeEventKind // events that reached the hub
	tripAt   time.Duration

	// linked is when it was connected after the hub's return, and owed up to
	// where its buffer was full of what the hub did not have; settled is when the
	// hub had it.
	linked, settled time.Duration
	owed            uint64
}

// sampleID is a sample's identity beside its node.
type sampleID struct {
	boot smartmeter.BootID
	seq  uint32
}

// measured is a sample as it was measured, and when.
type measured struct {
	smartmeter.Sample
	at time.Time
}

// move is a movement of the relay.
type move struct {
	at time.Duration
	on bool
}

// device is the plug as people know it.
func (p *plug) device() smartmeter.DeviceID { return smartmeter.DefaultDeviceID(p.ID, 0) }

// install switches on the household.
func (w *week) install() {
	kinds := []struct {
		name  string
		count int
	}{{"ring", w.rings}, {"minute", w.minutes}, {"file", w.files}}
	for _, kind := range kinds {
		for i := range kind.count {
			p := w.newPlug(fmt.Sprintf("%s-%d", kind.name, i))
			switch {
			case kind.name == "minute":
				p.Minutes = node.WeekOfMinutes
			case kind.name == "file":
				p.disk = faultdisk.New(w.seed + uint64(i))
				p.Node.Metrics = smartmeter.Millis(fileInterval.Milliseconds())
				p.BacklogPause = FilePause
			case i%10 == 1:
				p.role = leased
				p.Node.Relay.PowerUp = wire.PositionOff
			case i%40 == 2:
				p.role = guarded
				p.Node.Limits = wire.Limits{Current: 16_000, Hold: 500}
			}
			w.add(p)
		}
	}
}

// newPlug returns a plug with a ring, on a good line or a slow one.
func (w *week) newPlug(name string) *plug {
	p := &plug{week: w, ordered: make(chan error, 1), measured: make(map[sampleID]measured)}
	conf := node.DefaultConfig()
	conf.Metrics, conf.Relay.PowerUp = smartmeter.Millis(ringInterval.Milliseconds()), wire.PositionOn
	conf.Relay.MaxSwitchesPerMin = 6
	p.Station = &sim.Station{StationConfig: sim.StationConfig{
		ID: smartmeter.NodeID(name), Seed: w.seed, Node: conf, Load: load(3000), Witness: p.see, Buffer: p.open,
		Faults: []sim.Faults{sim.Wired, sim.Wireless}[len(w.plugs)%2], Drift: w.chance.Int64N(2*mostDrift+1) - mostDrift,
		Wall: func() smartmeter.Instant { return smartmeter.InstantOf(time.Now()) },
	}}
	return p
}

// add connects a plug to its power and the broker.
func (w *week) add(p *plug) {
	var err error
	p.Station, err = w.broker.NewStation(p.StationConfig)
	w.must(err)
	w.plugs = append(w.plugs, p)
	w.byID[p.ID] = p
	if p.disk != nil {
		w.every(30*time.Second, p.writeBack)
	}
	w.every(time.Hour, func() { p.hours = append(p.hours, p.Register()) })
	w.must(p.PowerOn())
	w.varyLoad(p)
}

// every does something again and again.
func (w *week) every(d time.Duration, what func()) {
	w.agenda.After(d-time.Duration(w.agenda.Now())%d, func() { what(); w.every(d, what) })
}

// writeBack is the kernel, which sees to it that what is written reaches the
// disk.
func (p *plug) writeBack() {
	f, err := p.disk.Open(samplesFile)
	p.week.must(err)
	p.week.must(f.Sync())
}

// varyLoad draws how much is used for the next hours.
func (w *week) varyLoad(p *plug) {
	w.agenda.After(time.Duration(1+w.chance.Int64N(int64(5*time.Hour))), func() {
		if p.role != guarded && !p.resting {
			p.Draw(load(smartmeter.Milliamp(w.chance.IntN(16_000))))
		}
		w.varyLoad(p)
	})
}

// load is what draws so much current.
func load(current smartmeter.Milliamp) smartmeter.Measurement {
	return smartmeter.Measurement{
		Voltage: 2300, Current: current, Power: smartmeter.Deciwatt(current * 23 / 10), Frequency: 500, PowerFactor: 100,
	}
}

// planMisfortunes puts down what goes wrong while the hub is dead.
func (w *week) planMisfortunes() {
	for i, p := range w.plugs {
		switch {
		case p.role == guarded:
			p.tripAt = w.agenda.Now() + w.someTime(min(12*time.Hour, w.dead/2))
			w.agenda.At(p.tripAt, func() { p.Draw(load(20_000)) })
			w.agenda.At(p.tripAt+2*time.Hour, func() { p.cutPower(time.Minute) })
		case p.disk != nil && i%2 == 0:
			w.agenda.After(w.someTime(w.dead/2), func() { p.cutPower(3 * time.Second) })
		case p.role == plain && i%10 == 3: // the line is noisy for a while
			w.agenda.After(w.someTime(w.dead/2), func() { p.Spoil(sim.MeterNoisy) })
			w.agenda.After(w.someTime(w.dead/2)+w.dead/2, func() { p.Spoil(sim.MeterWell) })
		}
	}
}

func (w *week) someTime(d time.Duration) time.Duration {
	return time.Duration(1 + w.chance.Int64N(int64(d)))
}

// cutPower takes a node's power, and that of its disk.
func (p *plug) cutPower(d time.Duration) {
	p.cuts = append(p.cuts, p.week.agenda.Now())
	p.PowerOff()
	if p.disk != nil {
		p.disk = p.disk.Crash()
	}
	p.week.agenda.After(d, func() { p.week.must(p.PowerOn()) })
}

// see takes what happens at the station.
func (p *plug) see(s sim.Sight) {
	switch s.What {
	case sim.Boots:
		p.boot = s.Boot
	case sim.Moves:
		p.moves = append(p.moves, move{p.week.agenda.Now(), s.On})
	case sim.Says:
		if strings.HasSuffix(s.Message.Topic, "/info") && p.week.back != 0 && p.linked == 0 {
			p.begin()
		}
	}
}

// open opens the buffer of a boot.
func (p *plug) open() (node.Buffer, error) {
	var under node.Buffer = new(node.Ring)
	if p.disk != nil {
		b, err := openBuffer(worstDisk{p.disk}, samplesKept, quiet)
		if err != nil {
			return nil, err
		}
		under = b
	}
	p.kept = &notebook{under, p}
	return p.kept, nil
}

// notebook is a buffer that notes all that is measured, and when the hub has it.
type notebook struct {
	node.Buffer
	plug *plug
}

// Put notes a sample that was measured, and holds it to what is true.
func (b *notebook) Put(s *smartmeter.Sample) {
	p := b.plug
	p.measured[sampleID{s.Boot, s.Seq}] = measured{*s, time.Now()}
	if s.Has.Has(smartmeter.Energy) && s.Energy != p.Register() || s.Voltage != 2300 || s.Frequency != 500 {
		p.week.fail(p, "measured %+v, and the register is at %d", s, p.Register())
	}
	b.Buffer.Put(s)
}

// Forget notes when all is forgotten that the hub did not have at its return.
func (b *notebook) Forget(before uint64) {
	b.Buffer.Forget(before)
	p := b.plug
	if first, _ := b.Bounds(); p.linked != 0 && p.settled == 0 && first >= p.owed {
		p.settled = p.week.agenda.Now()
	}
}
