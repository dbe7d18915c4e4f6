package sim

import (
	"math/rand/v2"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// StationConfig is what a Station is made of.
type StationConfig struct {
	ID smartmeter.NodeID
	// Seed decides all that is left to chance.
	Seed uint64
	// Fielded makes it a node of the first generation.
	Fielded bool
	// Faults are those of its link.
	Faults Faults
	// Drift is how much too fast its clock runs, in millionths.
	Drift int64
	// Wall tells the time of day as the node believes it; nil has it know none.
	Wall func() smartmeter.Instant
	// Node is its configuration; the zero value is node.DefaultConfig.
	Node wire.Config
	// Minutes is for how many minutes it remembers its register, see node.Config.
	Minutes int
	// Buffer opens what keeps its samples, at every boot; nil is for a node.Ring,
	// which forgets them with the power.
	Buffer func() (node.Buffer, error)
	// BacklogPause is as in node.Config.
	BacklogPause smartmeter.Millis
	// Load is what is behind its relay.
	Load smartmeter.Measurement
	// Witness is told of everything that happens at it; it must not be nil.
	Witness func(Sight)
}

// Station is one node in a world of faults: the core that runs on real
// hardware, with its module, its relay, its memory and its power. Its methods
// are for what happens in the agenda.
type Station struct {
	StationConfig
	agenda   *Agenda
	line     line
	chance   *rand.Rand
	port     faultyPort
	master   *pzem.Master
	relay    relay
	settings settings

	core    core // nil without power
	began   time.Duration
	boots   int
	welded  bool
	counted time.Duration // until when the register has counted
	rest    decijoules
	wakes   int // counts the wakes that were put down; only the last is meant
}

// Sight is something that happened at a station.
type Sight struct {
	What SightKind
	// T is the time since the node's boot, on its clock.
	T smartmeter.Millis
	// Boot is set with Boots.
	Boot smartmeter.BootID
	// On is where the relay moved to.
	On bool
	// Message is what the node hears or says.
	Message smartmeter.Message
}

// SightKind says what happened.
type SightKind uint8

// The sights. What a node does because of what it hears, or because its time
// has come, comes between Hears or Wakes and Rests.
const (
	Boots SightKind = iota // its relay goes where it belongs after power-up
	Hears
	Wakes
	Rests
	Moves     // its relay
	Says      // though nobody may hear it
	LosesLife // power is gone, and the relay opens
)

// NewStation returns a station without power.
func (b *Broker) NewStation(c StationConfig) (*Station, error) {
	slave, err := pzem.NewSlave(moduleAddress)
	if err != nil {
		return nil, err
	}
	chance := rand.New(rand.NewPCG(c.Seed, keyOf(c.Seed, string(c.ID))))
	s := &Station{StationConfig: c, agenda: b.agenda, chance: chance, port: faultyPort{Slave: slave, chance: chance}, settings: settings{}}
	if s.master, err = pzem.NewMaster(&s.port, moduleAddress); err != nil {
		return nil, err
	}
	if c.Node != (wire.Config{}) {
		s.settings[node.SavedConfig] = wire.AppendConfig(nil, &c.Node)
	}
	s.line = line{broker: b, end: s, chance: rand.New(rand.NewPCG(c.Seed, ^keyOf(c.Seed, string(c.ID)))), faults: c.Faults}
	s.relay.watch = func(on bool) { s.see(Sight{What: Moves, On: on}) }
	b.mu.Lock()
	b.lines = append(b.lines, &s.line)
	b.mu.Unlock()
	return s, nil
}

// PowerOn boots the node and has it look for the broker.
func (s *Station) PowerOn() error {
	if s.core != nil {
		return nil
	}
	s.boots++
	s.began = s.agenda.Now()
	if s.Fielded {
		s.see(Sight{What: Boots})
		s.core = newSketch(wire.Topics{}, s.ID, meterOf(s), s, &s.relay)
	} else {
		boot := max(1, smartmeter.BootID(s.chance.Uint32()))
		s.see(Sight{What: Boots, Boot: boot})
		core, err := s.bootCore(boot)
		if err != nil {
			return err
		}
		s.core = core
	}
	s.line.will, s.line.subscriptions = s.core.Will(), s.core.Subscriptions()
	s.seekBroker(firstPause)
	s.step()
	return nil
}

// bootCore makes the core that is real, with what it finds kept.
func (s *Station) bootCore(boot smartmeter.BootID) (core, error) {
	var kept node.Buffer
	if s.Buffer != nil {
		var err error
		if kept, err = s.Buffer(); err != nil {
			return nil, err
		}
	}
	return node.New(node.Config{
		ID: s.ID, Boot: boot, Meter: meterOf(s), Link: s, Relay: &s.relay, Settings: s.settings, Buffer: kept,
		Firmware: "simulated", Model: "station", WarmUp: 4 * second, Minutes: s.Minutes, BacklogPause: s.BacklogPause,
	})
}

// PowerOff takes the power away, and so opens the relay and breaks the link.
func (s *Station) PowerOff() {
	if s.core == nil {
		return
	}
	s.count()
	s.line.cut(time.Hour, between(s.chance, time.Second, keepAlive))
	s.line.hangUp()
	s.core = nil
	s.wakes++
	s.relay.on = false
	s.Witness(Sight{What: LosesLife})
}

// keepAlive is within what the broker notices that a node is gone.
const keepAlive = 45 * time.Second

// Cut breaks the node's link without a word. Both sides notice by and by, and no
// connection is made before away is over.
func (s *Station) Cut(away time.Duration) {
	s.line.bar(away)
	s.line.cut(between(s.chance, 0, min(away, 30*time.Second)+1), between(s.chance, 0, keepAlive))
}

// Weld welds the relay's contact, or frees it. The coil moves as ever.
func (s *Station) Weld(welded bool) {
	s.count()
	s.welded = welded
}

// Spoil makes the module or its line faulty, or well again.
func (s *Station) Spoil(f MeterFault) { s.port.fault = f }

// Draw changes what is behind the relay.
func (s *Station) Draw(load smartmeter.Measurement) {
	s.count()
	s.Load = load
}

// On reports where the relay is.
func (s *Station) On() bool { return s.relay.on }

// Clock returns the node's time since boot, and whether it runs.
func (s *Station) Clock() (t smartmeter.Millis, runs bool) { return s.now(), s.core != nil }

// Register returns what the module has counted.
func (s *Station) Register() smartmeter.WattHour {
	s.count()
	return s.port.Measurement().Energy
}

// Connected reports whether the node believes that it is.
func (s *Station) Connected() bool { return s.line.isLinked() }

// The pauses between two attempts to connect, which double.
const (
	firstPause = 2 * time.Second
	lastPause  = time.Minute
)

// seekBroker has the node try to connect until it is.
func (s *Station) seekBroker(pause time.Duration) {
	boot := s.boots
	s.agenda.After(between(s.chance, pause/2, pause), func() {
		if s.core == nil || s.boots != boot || s.line.isLinked() {
			return
		}
		if !s.line.connect() {
			s.seekBroker(min(2*pause, lastPause))
		}
	})
}

// connected, disconnected and receive are the line's end.
func (s *Station) connected() {
	if s.core != nil {
		s.core.Connected(s.now())
		s.step()
	}
}

func (s *Station) disconnected() {
	if s.core != nil {
		s.core.Disconnected(s.now())
		s.step()
		s.seekBroker(firstPause)
	}
}

func (s *Station) receive(m smartmeter.Message) {
	if s.core == nil {
		return
	}
	s.count()
	s.see(Sight{What: Hears, Message: m})
	s.core.Receive(s.now(), m.Topic, m.Payload, m.Retained)
	s.see(Sight{What: Rests})
	s.step()
}

// step lets the node do what is due, and puts down when it is next.
func (s *Station) step() {
	s.count()
	at := smartmeter.Instant(0)
	if s.Wall != nil {
		at = s.Wall()
	}
	s.see(Sight{What: Wakes})
	next := s.core.Step(s.now(), at)
	s.see(Sight{What: Rests})
	s.wakes++
	this := s.wakes
	s.agenda.At(s.began+s.elapsedAt(next), func() {
		if s.wakes == this {
			s.step()
		}
	})
}

// now is the time since boot on the node's clock.
func (s *Station) now() smartmeter.Millis { return s.clockAfter(s.agenda.Now() - s.began) }

// clockAfter is what the node's clock shows so long after its boot.
func (s *Station) clockAfter(elapsed time.Duration) smartmeter.Millis {
	return smartmeter.Millis((elapsed + elapsed/1_000_000*time.Duration(s.Drift)).Milliseconds())
}

// elapsedAt is how long after its boot the node's clock shows t.
func (s *Station) elapsedAt(t smartmeter.Millis) time.Duration {
	if t > 1<<42 {
		return 1 << 61 // never
	}
	shown := time.Duration(t) * time.Millisecond
	elapsed := shown - shown/1_000_000*time.Duration(s.Drift)
	for s.clockAfter(elapsed) < t {
		elapsed += 100 * time.Microsecond
	}
	return elapsed
}

// see tells the witness.
func (s *Station) see(what Sight) {
	what.T = s.now()
	s.Witness(what)
}

// Publish is the node's link.
func (s *Station) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	s.see(Sight{What: Says, Message: smartmeter.Message{Topic: topic, Payload: payload, QoS: qos, Retained: retained}})
	return s.line.Publish(topic, payload, qos, retained)
}

// meterOf is the node's way to its module: what is behind the relay is
// measured where it has power.
func meterOf(s *Station) node.Meter { return stationMeter{s} }

type stationMeter struct{ *Station }

func (m stationMeter) Read(into *smartmeter.Measurement) error {
	if m.port.fault == MeterSilent {
		return pzem.ErrSilent
	}
	return m.master.Read(into)
}

// count counts the energy until now. It comes before whatever changes the load.
func (s *Station) count() {
	now := s.agenda.Now()
	passed := now - s.counted
	s.counted = now
	shown := smartmeter.Measurement{Voltage: 2300, Frequency: 500}
	if s.relay.on || s.welded {
		shown = s.Load
	}
	s.rest += decijoules(int64(shown.Power) * passed.Microseconds())
	wh := smartmeter.WattHour(s.rest / (perWattHour * 1_000_000))
	s.rest %= perWattHour * 1_000_000
	s.port.Update(func(registers *smartmeter.Measurement) {
		shown.Energy = registers.Energy + wh
		*registers = shown
	})
}
