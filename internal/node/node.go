// Package node is what a meter node does: it samples its meter, tells the hub,
// keeps what the hub has not confirmed, and obeys commands for its relay.
//
// It is a state machine and nothing else. Time and messages come in through
// [Node.Step] and [Node.Receive], messages go out through a [Link], and the
// hardware is behind small interfaces. It starts no goroutine, reads no clock,
// and allocates nothing while it samples, so the same code runs on Linux, a
// hundred times in a simulator, and on a microcontroller. For the last it
// imports no fmt, no encoding/json and no reflect.
//
// What it promises:
//   - A failed or impossible read of the meter publishes nothing, least of all
//     the value before it. When the meter stays unusable, an event says so.
//   - Every sample is numbered and kept until the hub has acknowledged it, in a
//     [Buffer] that drops the oldest when it is full. What is unacknowledged is
//     sent again, at a rate that leaves room for what is measured meanwhile. Of
//     what had to go, the register of each minute is kept for a week.
//   - The relay moves once per accepted command: never for a retained one, one
//     that came too late or for another boot, one that came before, and never
//     for the node's own relay/state.
//   - After power-up the relay is where the configuration says, before anything
//     else happens.
//   - An ON with a lease ends with it, whatever became of the hub, the broker or
//     the network. A renewal that comes too late changes nothing.
//   - Too much current or power cuts the load off, and so it stays over power
//     cuts until a person resets it. Minimum times, the longest time on and the
//     number of switches a minute hold for every way to switch on. OFF wins:
//     only a minimum time on may refuse it, and then only to a command that
//     hears why.
//   - A configuration is refused with a reason if the node cannot honour all of
//     it, and kept if it is accepted.
package node

import (
	"cmp"
	"errors"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// Meter is the module that measures, in most cases a *pzem.Master.
type Meter interface {
	// Read fills in all that the meter measures now. It fails rather than
	// repeat an earlier value.
	Read(into *smartmeter.Measurement) error
}

// Relay switches the load. Set must not be a toggle: it says where the relay
// shall be, also when it is there already.
type Relay interface {
	Set(on bool) error
}

// Link takes messages on their way to the broker.
type Link interface {
	// Publish must not block, and must not keep payload. It returns false if
	// the message is not taken; the node offers again what must not be lost.
	Publish(topic string, payload []byte, qos uint8, retained bool) bool
}

// Settings keeps a few bytes across power cuts, each under a name of its own.
type Settings interface {
	// Load returns what was saved last, nil if nothing was.
	Load(name string) ([]byte, error)
	// Save returns when data survives a power cut.
	Save(name string, data []byte) error
	// Erase forgets everything that was saved, and what else a factory reset
	// has to take with it, the password of the WiFi for one.
	Erase() error
}

// The names under which a node saves.
const (
	SavedConfig = "config" // the accepted configuration, as on the wire
	SavedRelay  = "relay"  // the position of the relay, as on the wire
	SavedCutOff = "cutoff" // why the node cut off, as on the wire; empty if it did not
)

// Config is what a node is made of.
type Config struct {
	// ID is the MQTT client id, see smartmeter.ParseNodeID.
	ID smartmeter.NodeID
	// Boot must be drawn anew for every boot and not be 0.
	Boot smartmeter.BootID
	// Topics is how topics are spelled; the zero value is the fielded form.
	Topics wire.Topics

	Meter Meter // must not be nil
	Link  Link  // must not be nil
	Relay Relay // nil if there is none: commands are then refused
	// Settings is nil if nothing can be kept: the configuration is then the
	// default one after every boot.
	Settings Settings

	// Buffer keeps what the hub has not acknowledged; nil means a Ring.
	Buffer Buffer
	// Minutes is for how many minutes the register is remembered beyond what
	// Buffer holds, 0 for none: see WeekOfMinutes.
	Minutes int
	// BacklogPause is the time between two messages of the backlog, of at most 32
	// samples each; 0 means the constant BacklogPause. At most 16 s.
	BacklogPause smartmeter.Millis

	// Firmware and Model are for people to read, at most 64 bytes each.
	Firmware, Model string
	// WarmUp is for how long values are not believed after the meter was
	// silent, and after the node's boot: a PZEM-004T that just got its mains
	// back answers nonsense with a valid CRC for about 4 s, and its register
	// needs 30 s. 0 believes both at once.
	WarmUp smartmeter.Millis
	// PoweredFor is for how long the meter has most likely had its mains when
	// the node boots: 0 where both are on the same switch.
	PoweredFor smartmeter.Millis
}

// Node is one node. Make one with New; it is for one goroutine.
type Node struct {
	id       smartmeter.NodeID
	boot     smartmeter.BootID
	spelling wire.Topics
	meter    Meter
	link     Link
	relay    Relay
	settings Settings
	firmware string
	model    string
	warmUp   smartmeter.Millis

	topics     topics
	conf       wire.Config
	due        schedule
	connected  bool
	pending    pending
	metering   metering
	buffer     Buffer
	out        outbox
	position   smartmeter.RelayState
	saved      smartmeter.RelayState // the position, as the settings have it
	contact    contact
	protection protection
	commands   commandLog
	button     button
	untold     untold
	counts     Counts
	trouble    error

	payload [7 << 10]byte // where messages are put together, a full backlog too
}

// schedule is what is due when, in milliseconds since boot.
type schedule struct {
	sample, energy, heartbeat smartmeter.Millis
	// watch is when the meter is read for the limits' sake.
	watch smartmeter.Millis
	// relay is before when nobody tries again to move it.
	relay smartmeter.Millis
	// read is before when the meter is left alone after a failed read.
	read smartmeter.Millis
	// retry is when messages that were not taken are offered again.
	retry smartmeter.Millis
	// backlog is before when no message of the backlog goes out.
	backlog smartmeter.Millis
}

// maxNameLen is how long a text in info may be.
const maxNameLen = 64

const (
	// meterRetry is the longest wait after a failed read, so that a meter read
	// once an hour is not given up for three.
	meterRetry smartmeter.Millis = 5000
	// linkRetry is the wait after a message was not taken.
	linkRetry smartmeter.Millis = 500
)

// New returns a node. Before that it sets the relay to where it belongs after
// power-up, and fails if that fails. Settings that cannot be read do not stop
// it: see Status.
func New(c Config) (*Node, error) {
	if _, err := smartmeter.ParseNodeID(string(c.ID)); err != nil {
		return nil, err
	}
	if c.Boot == 0 || c.Meter == nil || c.Link == nil {
		return nil, errors.New("node: Boot, Meter and Link must be given")
	}
	if len(c.Firmware) > maxNameLen || len(c.Model) > maxNameLen {
		return nil, errors.New("node: Firmware and Model may have 64 bytes")
	}
	if c.BacklogPause < 0 || c.BacklogPause > backlogWindow {
		return nil, errors.New("node: BacklogPause may be 16 s")
	}
	n := &Node{
		id:       c.ID,
		boot:     c.Boot,
		spelling: c.Topics,
		meter:    c.Meter,
		link:     c.Link,
		relay:    c.Relay,
		settings: c.Settings,
		firmware: c.Firmware,
		model:    c.Model,
		warmUp:   c.WarmUp,
		topics:   topicsOf(c.Topics, c.ID),
		buffer:   c.Buffer,
		metering: meteringAtBoot(&c),
		out:      outbox{minutes: newMinutes(c.Minutes), pause: cmp.Or(c.BacklogPause, BacklogPause)},
	}
	if n.buffer == nil {
		n.buffer = new(Ring)
	}
	_, n.out.begin = n.buffer.Bounds()
	n.loadConfig()
	if err := n.powerUp(); err != nil {
		return nil, err
	}
	return n, nil
}

// Step does all that is due at t, the time since boot; at is the time of day
// if the node has a clock that can be trusted, else 0. It returns when it wants
// to be called again. Calling it earlier does no harm; call it after Receive,
// Connected and Disconnected, for they may change what is due.
func (n *Node) Step(t smartmeter.Millis, at smartmeter.Instant) smartmeter.Millis {
	n.guard(t)
	n.holdButton(t)
	n.measure(t, at)
	if n.connected {
		n.beat(t)
		n.publishPending(t)
		n.sendBacklog(t)
	}
	return n.next()
}

// next returns when the next thing is due.
func (n *Node) next() smartmeter.Millis {
	next := min(n.nextRead(), n.guardWake())
	if n.button.down && !n.button.done {
		next = min(next, n.button.since+wipe)
	}
	if !n.connected {
		return next
	}
	next = min(next, max(n.due.energy, n.due.read), n.due.heartbeat, n.backlogWake())
	if n.pending != 0 {
		next = min(next, n.due.retry)
	}
	return next
}

// nextRead returns when the meter is read next, but for its energy.
func (n *Node) nextRead() smartmeter.Millis {
	switch {
	case n.metering.wanted != 0:
		return n.due.read
	case n.watching():
		return min(n.due.sample, max(n.due.watch, n.due.read))
	default:
		return n.due.sample
	}
}

// following returns the next multiple of period after due that is later than
// t: what was missed while the node was busy is not made up for.
func following(due, period, t smartmeter.Millis) smartmeter.Millis {
	return due + period*((t-due)/period+1)
}

// Status is a node as a display or a console shows it.
type Status struct {
	Connected bool
	Relay     smartmeter.RelayState // unknown if there is none
	// Latest is the last sample; without quantities while there is none that
	// could be believed.
	Latest      smartmeter.Sample
	MeterSilent bool
	// CutOff is what made the node cut off, by kind "" if nothing did.
	CutOff wire.NodeEvent
	// LeaseUntil is when the relay's ON ends, in milliseconds since boot; 0 if
	// it has no lease.
	LeaseUntil smartmeter.Millis
	Config     wire.Config // in force
	// Unacknowledged is how many samples wait for the hub's receipt.
	Unacknowledged int
	Counts         Counts
	// Settings is why settings could not be loaded or saved last, nil if they
	// could.
	Settings error
}

// Counts is how often something went wrong since boot.
type Counts struct {
	MeterFailed uint32 // reads without an answer that could be believed
	Implausible uint32 // of these, answers outside the physical range
	Jumps       uint32 // registers that were left out of a sample
	Retained    uint32 // retained messages, which are never obeyed
	Undecodable uint32 // messages that nobody can understand
	RelayFailed uint32 // times that the relay could not be moved
	NotTaken    uint32 // live samples that found the link full
	Lost        uint32 // samples that had to go before they were acknowledged
}

// Status returns the present state.
func (n *Node) Status() Status {
	counts := n.counts
	counts.Lost = n.out.lost
	first, next := n.buffer.Bounds()
	return Status{
		Connected:      n.connected,
		Relay:          n.position,
		Latest:         n.metering.latest,
		MeterSilent:    n.metering.silent,
		CutOff:         n.protection.cutOff,
		LeaseUntil:     n.contact.lease,
		Config:         n.conf,
		Unacknowledged: int(next - first),
		Counts:         counts,
		Settings:       n.trouble,
	}
}
