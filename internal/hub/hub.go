// Package hub is the running system: the one room that orders the steps. What
// comes in from the nodes is decoded, becomes the live picture, goes to the
// store and out to whoever watches; what people ask for is checked, recorded
// and sent to the nodes.
//
// Two files tell its two stories. receive.go: a message from a node becomes a
// reading. switch.go: a request becomes a relay that moved, or a plain word
// that nobody knows whether it did.
//
// The hub promises that nothing a client sends stops, slows or fills it: what
// cannot be understood is counted by node and reason. It promises that a
// message the broker had kept is never taken for a sign of life or a fresh
// sample, and that no command is called done before the node has said so.
//
// It knows neither MQTT nor SQL nor HTTP: those are behind Bus and Store, and
// in the rooms that import it.
package hub

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// Bus is how the hub reaches its nodes: the embedded broker in process, or an
// external one as its client.
type Bus interface {
	// Publish hands m to the broker. It must not wait for its receivers.
	Publish(m smartmeter.Message) error
	// Subscribe calls handle for every message that matches filter, kept ones
	// first, in the order of their publisher, for as long as the bus lives.
	// handle may publish; it must not keep the payload.
	Subscribe(filter string, handle func(smartmeter.Message)) error
}

// Store is where the hub's memory outlives it. Writes are taken at once and
// made durable in groups; Sync waits for that.
type Store interface {
	// AppendReadings keeps readings in any order. A reading with the identity
	// (node, channel, boot, seq) or, where seq is 0, (node, channel, at) of one
	// that is already kept adds only what that one did not measure.
	AppendReadings(readings ...smartmeter.Reading) error
	// PutDevice, PutCommand and PutAlert keep what they get in place of the one
	// with its id.
	PutDevice(d smartmeter.Device) error
	PutCommand(c smartmeter.Command) error
	PutAlert(a smartmeter.Alert) error
	// Sync returns when all that was written before is durable, or with what
	// prevents it.
	Sync(ctx context.Context) error

	// AppendUnplaced keeps readings of whose time only the uptime of the machine
	// is known, in ms, since its boot with an id: that is their At. Place says at
	// which time that boot's uptime was 0, and so makes readings of them. Unplaced
	// is how many wait for that.
	AppendUnplaced(machine string, readings ...smartmeter.Reading) error
	Place(machine string, epoch smartmeter.Instant) error
	Unplaced() int

	// Lost says that a node does not have the samples of a boot below first any
	// more: those that are not kept never will be.
	Lost(node smartmeter.NodeID, channel uint8, boot smartmeter.BootID, first uint32)
	// Watermarks returns those that rose since the last call, and Watermark one
	// of them.
	Watermarks() []smartmeter.Watermark
	Watermark(node smartmeter.NodeID, channel uint8, boot smartmeter.BootID) smartmeter.Watermark

	// Readings yields a channel's readings with from <= At < to, oldest first.
	Readings(ctx context.Context, node smartmeter.NodeID, channel uint8, from, to smartmeter.Instant) iter.Seq2[smartmeter.Reading, error]
	// Buckets yields the wanted quantities of a channel's readings with
	// from <= At < to, summed up in steps of width as package rollup does.
	Buckets(ctx context.Context, node smartmeter.NodeID, channel uint8, want smartmeter.Quantities, from, to smartmeter.Instant, width smartmeter.Millis) iter.Seq2[smartmeter.Bucket, error]
	// Latest returns the newest reading of every channel, as
	// smartmeter.Reading.After puts it together.
	Latest(ctx context.Context) ([]smartmeter.Reading, error)
	Devices(ctx context.Context) ([]smartmeter.Device, error)
	// Commands returns a device's newest commands, newest first.
	Commands(ctx context.Context, device smartmeter.DeviceID, limit int) ([]smartmeter.Command, error)
	// Alerts returns the open alerts and then the others, each newest first.
	Alerts(ctx context.Context, limit int) ([]smartmeter.Alert, error)
	// EnergySums yields the energy of a channel's days in a range by quarter hour,
	// with all corrections, oldest first and each valid until the next.
	EnergySums(ctx context.Context, node smartmeter.NodeID, channel uint8, r ledger.Range) iter.Seq2[*ledger.Sums, error]
	// EnergyDays returns the ledger of those days, with its findings.
	EnergyDays(ctx context.Context, node smartmeter.NodeID, channel uint8, r ledger.Range) ([]ledger.Day, error)
	// Corrections returns the journal in the order in which it was made, and
	// PutCorrection enters a decision for good.
	Corrections(ctx context.Context) ([]smartmeter.Correction, error)
	PutCorrection(c smartmeter.Correction) error
	// Settings returns what PutSettings kept for good, nil before that.
	Settings(ctx context.Context) ([]byte, error)
	PutSettings(ctx context.Context, text []byte) error
	// EraseDevice forgets d and all its readings and commands, for good. After
	// smartmeter.ErrErasing it has, and goes on by itself; after any other error
	// nothing has changed.
	EraseDevice(ctx context.Context, d smartmeter.Device) error
	// Check says what is wrong with the disk, nil if nothing is.
	Check(ctx context.Context) error
}

// Config is what a Hub needs.
type Config struct {
	// Bus must not be nil.
	Bus Bus
	// Store must not be nil.
	Store Store
	// Topics has the prefix that all nodes share; the zero value is the fielded
	// "dev/".
	Topics wire.Topics
	// Describe tells name, room, kind and parent of a device when its node is
	// first met. Nil, or false, names it after its id.
	Describe func(smartmeter.DeviceID) (smartmeter.Device, bool)
	// Clock is the machine's; the zero value is one that knows the time.
	Clock Clock
	// Disk is where the history lies; the zero value is one that nobody watches.
	Disk Disk
	// Logger must not be nil.
	Logger *slog.Logger
}

// Limits on what strangers can make the hub remember.
const (
	maxNodes           = 2000
	maxChannels        = 8
	maxPendingCommands = 8
	// maxValidCommands is how many commands to a node can be valid at once, other
	// clients' among them. A node knows the last sixteen again: one more, and it
	// would obey a copy of the first. The hub asks for none beyond its count;
	// others may, and the rest is left to them.
	maxValidCommands = 12
)

// How long the hub believes what it was told.
const (
	// heartbeatTimeout is three of the fielded sketch's heartbeats.
	heartbeatTimeout = 90 * time.Second
	// freshFor bounds the age of a sample that still moves the live picture.
	freshFor = 30 * time.Second
	// commandValid is how long a node may still obey a command, commandGrace
	// how much longer its answer may be on its way.
	commandValid = 10 * time.Second
	commandGrace = 2 * time.Second
)

// Hub is the running system. Make one with New, Start it, then Run it.
type Hub struct {
	bus      Bus
	store    Store
	topics   wire.Topics
	describe func(smartmeter.DeviceID) (smartmeter.Device, bool)
	log      *slog.Logger
	events   *eventLog
	refused  *refusals
	probes   sync.Map // mark (string) -> chan struct{}, closed when it is home

	began time.Time // for the monotonic clock
	clock Clock
	disk  Disk
	// storage is what was measured last of the disk; nil before.
	storage atomic.Pointer[Storage]

	// sending is held while it is decided what a relay is told and until the
	// broker has it, so that nodes hear commands and renewals in that order.
	sending sync.Mutex

	correcting sync.Mutex // held while an entry is made for the journal of energy

	mu      sync.Mutex // guards the live picture: everything below
	nodes   map[smartmeter.NodeID]*node
	devices map[smartmeter.DeviceID]*channel
	// acks are to be repeated on the next beat.
	acks   []smartmeter.Watermark
	alerts map[alertID]smartmeter.Alert // the open ones
	moves  budget                       // for movements that the hub did not ask for
	full   bool                         // a node was refused because there are too many
	// trusted says that the machine knows the time, or did.
	trusted bool
	saving  [1]smartmeter.Reading // what is handed to the store, which copies it
	// storeErr is why the last write was not taken; nil when all is well.
	storeErr error
}

// New returns a hub that remembers what store knows of its devices. It hears
// nothing before Start.
func New(ctx context.Context, cfg Config) (*Hub, error) {
	h := &Hub{
		bus:      cfg.Bus,
		store:    cfg.Store,
		topics:   cfg.Topics,
		describe: cfg.Describe,
		disk:     cfg.Disk,
		log:      cfg.Logger,
		began:    wholeMillisecond(time.Now()),
		refused:  newRefusals(cfg.Logger),
		nodes:    make(map[smartmeter.NodeID]*node),
		devices:  make(map[smartmeter.DeviceID]*channel),
		alerts:   make(map[alertID]smartmeter.Alert),
	}
	h.events = newEventLog(&h.mu, time.Now())
	if h.describe == nil {
		h.describe = func(smartmeter.DeviceID) (d smartmeter.Device, ok bool) { return d, false }
	}
	if err := h.remember(ctx); err != nil {
		return nil, fmt.Errorf("read what the store remembers: %w", err)
	}
	h.trustClock(cfg.Clock)
	return h, nil
}

// remember builds the picture of devices and their last known readings. They
// are all offline until they are heard.
func (h *Hub) remember(ctx context.Context) error {
	devices, err := h.store.Devices(ctx)
	if err != nil {
		return err
	}
	for _, d := range devices {
		h.addChannel(h.addNode(d.Node), d).stored = true
	}
	latest, err := h.store.Latest(ctx)
	if err != nil {
		return err
	}
	for _, r := range latest {
		if n := h.nodes[r.Node]; n != nil && n.channels[r.Channel] != nil {
			n.channels[r.Channel].latest, n.channels[r.Channel].measured = &r, true
		}
	}
	for _, d := range devices {
		if err := h.rememberCommands(ctx, d); err != nil {
			return err
		}
	}
	return h.rememberAlerts(ctx)
}

// rememberCommands takes a device's last command, and closes those whose answer
// the hub was not there to hear.
func (h *Hub) rememberCommands(ctx context.Context, d smartmeter.Device) error {
	last, err := h.latestCommands(ctx, d.ID)
	if err != nil {
		return err
	}
	n := h.nodes[d.Node]
	now := time.Now()
	for i, c := range last { // newest first
		if c.AskedAt > smartmeter.InstantOf(now.Add(-commandValid)) {
			n.takePlace(now) // it may be valid yet; the clock may have been set since
		}
		n.wanted = n.wanted || !c.Cause.Unasked()
		if strings.HasPrefix(c.ID, eventID) {
			n.history.told = append([]string{c.ID}, n.history.told...)
		}
		if !c.State.Final() {
			c.State, c.Reason = smartmeter.CommandUnknown, "the hub restarted before the node answered"
			h.note(h.store.PutCommand(c))
		}
		if i == 0 {
			n.lastCommand = &c
		}
	}
	return nil
}

// latestCommands returns a device's newest commands, newest first: all that may
// have been without an answer when the newest was asked for, however many.
func (h *Hub) latestCommands(ctx context.Context, id smartmeter.DeviceID) ([]smartmeter.Command, error) {
	const open = smartmeter.Instant((commandValid + commandGrace) / time.Millisecond)
	for limit := maxTold; ; limit *= 4 {
		last, err := h.store.Commands(ctx, id, limit)
		if err != nil || len(last) < limit || last[0].AskedAt-last[limit-1].AskedAt > open {
			return last, err
		}
	}
}

// Start begins to listen to the nodes.
func (h *Hub) Start() error {
	if err := h.bus.Subscribe(h.topics.Filter(), h.receive); err != nil {
		return fmt.Errorf("listen to the nodes: %w", err)
	}
	return h.bus.Subscribe(probeFilter, h.receiveProbe)
}

// Run watches over silent nodes, and over how many there are, until ctx ends.
func (h *Hub) Run(ctx context.Context) error {
	defer h.events.close()
	var disk sync.WaitGroup
	defer disk.Wait()
	disk.Go(func() { h.watchDisk(ctx) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			h.noticeTime()
			h.noticeSilence(now)
			h.renewLeases(now)
			h.explainMoves(now)
			h.configure(now)
			h.acknowledge()
			h.makeRoom(ctx)
		}
	}
}

// noticeSilence calls every node offline that missed three heartbeats.
func (h *Hub) noticeSilence(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.nodes {
		if n.online && now.Sub(n.lastSeen) > heartbeatTimeout {
			h.setOnline(n, false)
		}
	}
}

// keep notes whether the store took readings. Those that it refuses are lost,
// and Health says so until it takes some again; the hub goes on. The caller
// holds mu.
func (h *Hub) keep(err error) {
	if h.storeErr != nil && err == nil {
		h.log.Info("the store takes readings again")
	}
	h.storeErr = nil
	h.note(err)
}

// note notes what the store refused. The caller holds mu.
func (h *Hub) note(err error) {
	if err != nil && h.storeErr == nil {
		h.log.Error("the store takes no more writes", "err", err)
	}
	if err != nil {
		h.storeErr = err
	}
}

var errNoSuchDevice = smartmeter.NewError(smartmeter.NotFound, "device",
	"there is no such device; GET /api/v1/devices lists them all")

// find returns the channel that device is bound to. The caller holds mu.
func (h *Hub) find(id smartmeter.DeviceID) (*channel, error) {
	if c := h.devices[id]; c != nil {
		return c, nil
	}
	return nil, errNoSuchDevice
}

// unavailable wraps what the store says when it fails a person's request.
func unavailable(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	return &smartmeter.Error{Code: smartmeter.Unavailable, Message: "the store is out of order; see /api/v1/health", Err: err}
}
