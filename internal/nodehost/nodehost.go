// Package nodehost is a meter node on Linux: it gives the node core of package
// node a serial line to a PZEM-004T, a relay on a GPIO line or behind a file, a
// memory that survives power cuts, and a connection to the broker.
//
// [Host] is one node and its process. One goroutine owns the core and reads
// the meter; the connection lives in another one and speaks to the first by
// messages, so that neither a broker that is away nor one that stopped reading
// delays a sample. A serial adapter that is unplugged is opened again when it
// is back.
//
// [Connection] is the MQTT part alone, for programs that have nodes of their
// own: a simulator with hundreds of them.
//
// What it keeps, it keeps in files: settings each in one that is replaced as a
// whole and synced before anything is answered; samples that the hub does not
// have in a ring of records that are there or not, however a power cut tore
// them. Nothing that the core does while it samples waits for the disk.
//
// The host decides nothing about metering or switching; that is the core's.
package nodehost

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// Config is what a Host needs.
type Config struct {
	// ID is the node's name and MQTT client id. It must be given.
	ID smartmeter.NodeID
	// Topics is how topics are spelled; the zero value is the fielded form.
	Topics wire.Topics
	// Serial is the device that the meter is connected to, e.g. /dev/ttyUSB0.
	// It must be given, but need not be there yet.
	Serial string
	// Address is the meter's address on the line, 0 for whatever the only one
	// has.
	Address byte
	// Broker says where the broker is. Its Logger is the Host's.
	Broker Broker
	// Pairing is the code of a hub to be paired with; "" once that is done, or
	// for a hub that does not ask. It needs DataDir.
	Pairing string
	// DataDir is where the configuration is kept, and samples until the hub has
	// them; "" keeps both in memory only. It is made if it does not exist.
	DataDir string
	// RelayGPIO is the GPIO line that switches the relay, like gpiochip0:17, and
	// RelayActiveLow says that the relay is on while the line is low, as on most
	// boards. "" means that the relay is elsewhere, or nowhere.
	RelayGPIO      string
	RelayActiveLow bool
	// RelayFile is a file that switches the relay: "1\n" is written to it for
	// on and "0\n" for off.
	RelayFile string
	// Firmware and Model are for people to read, at most 64 bytes each.
	Firmware, Model string
	// Logger must not be nil.
	Logger *slog.Logger

	warm bool // for tests: the meter has its mains for long
}

// warmUp is how long a PZEM-004T is not believed after its mains came back.
const warmUp smartmeter.Millis = 4000

// maxWaiting bounds the messages that wait for the core, which may be busy
// with a silent meter for half a second.
const maxWaiting = 64

// Host is one node. Make one with New, then Run it.
type Host struct {
	id     smartmeter.NodeID
	log    *slog.Logger
	broker Broker
	meter  *serialMeter
	core   *node.Node
	begin  time.Time // the node's boot

	connection *Connection   // nil until it runs
	inbox      chan func()   // what the connection has to say to the core
	ended      chan struct{} // closed when nobody listens to inbox any more
	seen       node.Status   // as logged last
	parts      []io.Closer   // what is closed in the end
}

// New returns a node that is ready to run. By then its relay is where the
// configuration wants it after power-up. It fails when it cannot, or when c is
// incomplete; that the meter or the broker is not there is no failure.
func New(c Config) (*Host, error) {
	if c.Logger == nil || c.Serial == "" {
		return nil, errors.New("nodehost: Serial and Logger must be given")
	}
	if _, err := c.Broker.address(); err != nil {
		return nil, err
	}
	h := &Host{
		id:     c.ID,
		log:    c.Logger,
		broker: c.Broker,
		begin:  time.Now(),
		inbox:  make(chan func(), maxWaiting),
		ended:  make(chan struct{}),
	}
	h.broker.Logger = c.Logger
	var err error
	if h.meter, err = newSerialMeter(c.Serial, c.Address, c.Logger); err != nil {
		return nil, err
	}
	if h.core, err = h.newCore(&c); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot start node %s: %w", c.ID, err), h.close())
	}
	return h, nil
}

// newCore opens what the core needs, and makes it.
func (h *Host) newCore(c *Config) (*node.Node, error) {
	of := node.Config{
		ID: c.ID, Boot: drawBoot(), Topics: c.Topics, Meter: h.meter, Link: h,
		Firmware: c.Firmware, Model: c.Model, WarmUp: warmUp, PoweredFor: uptime(), Minutes: node.WeekOfMinutes,
	}
	if c.warm {
		of.WarmUp = 0
	}
	var err error
	if of.Relay, err = openRelay(c); err != nil {
		return nil, err
	}
	h.keep(of.Relay)
	if c.DataDir == "" {
		if c.Pairing != "" {
			return nil, smartmeter.NewError(smartmeter.Invalid, "pair", "a paired node has to remember its hub: say where, with --data")
		}
		return node.New(of)
	}
	in, err := openDirectory(c.DataDir)
	if err != nil {
		return nil, err
	}
	h.keep(in)
	if err := identify(&h.broker, c.ID, c.Pairing, settings{in}); err != nil {
		return nil, err
	}
	of.Settings = settings{in}
	samples, err := openBuffer(in, samplesKept, c.Logger)
	if err != nil {
		return nil, err
	}
	h.keep(samples)
	of.Buffer, of.BacklogPause = samples, FilePause
	return node.New(of)
}

// keep notes what has to be closed in the end, if it can be.
func (h *Host) keep(part any) {
	if c, ok := part.(io.Closer); ok {
		h.parts = append(h.parts, c)
	}
}

// close closes the parts, the last that was opened first.
func (h *Host) close() error {
	h.meter.Close()
	var failed []error
	for _, c := range slices.Backward(h.parts) {
		failed = append(failed, c.Close())
	}
	return errors.Join(failed...)
}

// drawBoot returns a boot id that nobody had before, as far as chance can tell.
func drawBoot() smartmeter.BootID {
	for {
		var b [4]byte
		_, _ = rand.Read(b[:]) // never fails, see crypto/rand
		if boot := smartmeter.BootID(binary.BigEndian.Uint32(b[:])); boot != 0 {
			return boot
		}
	}
}

// Run is the node's life: it returns soon after ctx ends, having said goodbye
// to the broker. It may be called once.
func (h *Host) Run(ctx context.Context) error {
	connection, err := Connect(h.broker, h)
	if err != nil {
		return errors.Join(err, h.close())
	}
	h.connection = connection
	alarm := time.NewTimer(0)
	defer alarm.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-alarm.C:
		case tell := <-h.inbox:
			tell()
		}
		next := h.core.Step(h.now(), clockIfTrusted())
		h.tellChanges()
		alarm.Reset(time.Duration(next-h.now()) * time.Millisecond)
	}
	close(h.ended)
	return errors.Join(connection.Close(), h.close())
}

// now is the time since the node's boot.
func (h *Host) now() smartmeter.Millis {
	return smartmeter.Millis(time.Since(h.begin).Milliseconds())
}

// tellChanges logs what a person may want to know of the core.
func (h *Host) tellChanges() {
	s := h.core.Status()
	if s.MeterSilent != h.seen.MeterSilent {
		if s.MeterSilent {
			h.log.Warn("the meter is silent: most likely it has no mains", "node", h.id)
		} else {
			h.log.Info("the meter is back", "node", h.id)
		}
	}
	if s.CutOff.Kind != h.seen.CutOff.Kind {
		if s.CutOff.Kind != "" {
			h.log.Error("cut off, until somebody resets it", "node", h.id, "why", s.CutOff.Kind,
				"milliamperes", s.CutOff.Current, "deciwatts", s.CutOff.Power)
		} else {
			h.log.Info("the cut-off is reset", "node", h.id)
		}
	}
	if s.Relay != h.seen.Relay {
		h.log.Info("relay", "node", h.id, "state", s.Relay.String())
	}
	if s.Settings != nil && h.seen.Settings == nil {
		h.log.Error("settings cannot be kept", "node", h.id, "error", s.Settings)
	}
	h.seen = s
}

// Publish is the core's way out, see node.Link.
func (h *Host) Publish(topic string, payload []byte, qos uint8, retained bool) bool {
	return h.connection != nil && h.connection.Publish(topic, payload, qos, retained)
}

// ID returns the node's id, see Peer.
func (h *Host) ID() smartmeter.NodeID { return h.id }

// Will returns the core's will, see Peer.
func (h *Host) Will() smartmeter.Message { return h.core.Will() }

// Subscriptions returns the core's subscriptions, see Peer.
func (h *Host) Subscriptions() []string { return h.core.Subscriptions() }

// Connected passes on that the connection is up, see Peer.
func (h *Host) Connected() { h.tell(func() { h.core.Connected(h.now()) }) }

// Disconnected passes on that the connection is down, see Peer.
func (h *Host) Disconnected() { h.tell(func() { h.core.Disconnected(h.now()) }) }

// tell lets the goroutine that owns the core run f.
func (h *Host) tell(f func()) {
	select {
	case h.inbox <- f:
	case <-h.ended:
	}
}

// Receive passes on a message, see Peer. When more come than the core can
// take, it is lost: the hub hears no answer and says so.
func (h *Host) Receive(m smartmeter.Message) {
	select {
	case h.inbox <- func() { h.core.Receive(h.now(), m.Topic, m.Payload, m.Retained) }:
	default:
		h.log.Warn("too many messages at once, one is lost", "node", h.id, "topic", m.Topic)
	}
}
