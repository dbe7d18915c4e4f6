package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/api"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/ca"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"github.com/iot-smart-meter/smartmeter/web"
	"golang.org/x/sync/errgroup"
)

// systemConfig is what a running hub is made of.
type systemConfig struct {
	dataDir   string
	syncEvery time.Duration // see store.Config
	// rebuildIndex has the database made again, see store.Config.
	rebuildIndex bool
	// doors are where the hub listens.
	doors doors
	// closed has the encrypted doors served, and asks nodes at the broker inside
	// and people at the API who they are.
	closed bool
	// rescue makes a code for an admin, see access.PeopleConfig.
	rescue bool
	// ownCert is shown to browsers instead of the hub's own; nil for none.
	ownCert *ca.Own
	// external is a broker that takes the place of the one inside; nil for none.
	external *bus.External
	// hostNames are names under which the hub may be reached, see api.Config.
	hostNames []string
	// keepRaw is for how long readings are kept, 0 for ever.
	keepRaw time.Duration
	// clock is what is known of the machine's clock, see machineClock.
	clock string
	// describe tells what new devices are; nil names them after their ids.
	describe func(smartmeter.DeviceID) (smartmeter.Device, bool)
	log      *slog.Logger
}

// system is a running hub: store, bus, hub and HTTP server, wired.
type system struct {
	hub    *hub.Hub
	store  *store.Store
	bus    runningBus
	server *http.Server
	cfg    systemConfig

	// Of a hub that is closed:
	files     *disk.Dir
	authority *ca.Authority
	people    *access.People

	// Of a hub that is closed and has the broker inside:
	nodes  *access.Nodes
	broker *mqtt.Broker
}

// runningBus carries messages until ctx ends.
type runningBus interface {
	hub.Bus
	Run(ctx context.Context) error
}

// newSystem builds a hub that listens on cfg's addresses once it runs. The
// listeners are its own from here on.
func newSystem(ctx context.Context, cfg systemConfig) (_ *system, err error) {
	s := &system{cfg: cfg}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	s.store, err = store.Open(ctx, store.Config{Dir: cfg.dataDir, SyncEvery: cfg.syncEvery, Rebuild: cfg.rebuildIndex, Logger: cfg.log})
	if err != nil {
		return nil, err
	}
	if err := s.protect(); err != nil {
		return nil, err
	}
	if err := s.openPeople(); err != nil {
		return nil, err
	}
	s.bus = s.chooseBus(ctx)
	clock, err := s.clock(ctx)
	if err != nil {
		return nil, err
	}
	s.hub, err = hub.New(ctx, hub.Config{Bus: s.bus, Store: s.store, Describe: cfg.describe, Clock: clock, Disk: s.disk(), Logger: cfg.log})
	if err != nil {
		return nil, err
	}
	if err := s.hub.Start(); err != nil {
		return nil, err
	}
	page, err := web.New()
	if err != nil {
		return nil, err
	}
	served := api.Config{
		Hub:     s.hub,
		People:  s.people,
		Page:    page,
		Hosts:   cfg.hostNames,
		Version: version,
		Logger:  cfg.log,
	}
	s.sayWhoGuards(&served)
	handler, err := api.New(served)
	if err != nil {
		return nil, err
	}
	s.server = api.Server(handler, cfg.log)
	if cfg.closed {
		s.server.TLSConfig = s.browserTLS()
	}
	return s, nil
}

// chooseBus returns the external broker's bus, or else the embedded broker's.
func (s *system) chooseBus(ctx context.Context) runningBus {
	if s.cfg.external != nil {
		return s.cfg.external
	}
	s.broker = mqtt.New(mqtt.Config{Logger: s.cfg.log, Hooks: (&doorkeeper{nodes: s.nodes}).hooks()})
	b := &embeddedBus{Embedded: bus.NewEmbedded(s.broker), broker: s.broker, doors: []net.Listener{s.cfg.doors.mqtt, s.cfg.doors.mqtts}, memory: s.store}
	if err := b.Restore(ctx, s.store); err != nil {
		s.cfg.log.Error("the broker does not keep all that it kept before", "err", err)
	}
	return b
}

func (s *system) clock(ctx context.Context) (hub.Clock, error) {
	latest, err := s.store.Latest(ctx)
	if err != nil {
		return hub.Clock{}, err
	}
	return machineClock(s.cfg.clock, latest)
}

// disk is the store's disk, in the hub's words.
func (s *system) disk() hub.Disk {
	return hub.Disk{
		KeepRaw: s.cfg.keepRaw,
		Thin:    s.store.Thin,
		Measure: func(ctx context.Context) (hub.Storage, error) {
			u, err := s.store.Usage(ctx)
			return hub.Storage{
				Log: u.Log, Chunks: u.Chunks, Database: u.Database,
				Free: u.Free, PerDay: u.PerDay, OldestRaw: u.OldestRaw.Time(),
			}, err
		},
	}
}

// shutdownTime is what requests under way have left when the hub stops.
const shutdownTime = time.Second

// run serves until ctx ends or a part fails, and then ends every part in the
// order that loses nothing: no new requests, no new messages, the hub, and the
// store last.
func (s *system) run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	carrying, stopCarrying := context.WithCancel(context.WithoutCancel(ctx))
	// Event streams and waiting requests end with ctx, and say so.
	s.server.BaseContext = func(net.Listener) context.Context { return ctx }
	parts.Go(func() error { return s.hub.Run(ctx) })
	parts.Go(func() error { return s.bus.Run(carrying) })
	parts.Go(func() error { return s.feedWatchdog(ctx) })
	if s.people != nil {
		parts.Go(func() error { return s.people.Run(ctx) })
	}
	parts.Go(s.servePlain)
	parts.Go(s.serveEncrypted)
	parts.Go(func() error {
		<-ctx.Done()
		s.stopServing()
		stopCarrying()
		return nil
	})
	return errors.Join(parts.Wait(), s.close())
}

func (s *system) stopServing() {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.server.Close() // whoever is left had its time
	}
}

// close releases what newSystem took, as far as it came.
func (s *system) close() error {
	var errs []error
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.people != nil {
		errs = append(errs, s.people.Close())
	}
	if s.files != nil {
		errs = append(errs, s.files.Close())
	}
	return errors.Join(append(errs, s.cfg.doors.close())...)
}
