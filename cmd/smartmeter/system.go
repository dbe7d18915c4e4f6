package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/api"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"github.com/iot-smart-meter/smartmeter/internal/store"
	"github.com/iot-smart-meter/smartmeter/web"
	"golang.org/x/sync/errgroup"
)

// systemConfig is what a running hub is made of.
type systemConfig struct {
	dataDir    string
	http, mqtt net.Listener
	// describe tells what new devices are; nil names them after their ids.
	describe func(smartmeter.DeviceID) (smartmeter.Device, bool)
	log      *slog.Logger
}

// system is a running hub: store, broker, hub and HTTP server, wired.
type system struct {
	hub    *hub.Hub
	store  *store.Store
	broker *mqtt.Broker
	bus    *bus.Embedded
	server *http.Server
	cfg    systemConfig
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
	s.store, err = store.Open(ctx, store.Config{Dir: cfg.dataDir, Logger: cfg.log})
	if err != nil {
		return nil, err
	}
	s.broker = mqtt.New(mqtt.Config{Logger: cfg.log})
	s.bus = bus.NewEmbedded(s.broker)
	if err := s.bus.Restore(ctx, s.store); err != nil {
		return nil, err
	}
	s.hub, err = hub.New(ctx, hub.Config{Bus: s.bus, Store: s.store, Describe: cfg.describe, Logger: cfg.log})
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
	s.server = api.Server(api.New(api.Config{Hub: s.hub, Page: page, Version: version, Logger: cfg.log}), cfg.log)
	return s, nil
}

// shutdownTime is what requests under way have left when the hub stops.
const shutdownTime = time.Second

// run serves until ctx ends or a part fails, and then ends every part in the
// order that loses nothing: no new requests, no new messages, the hub, and the
// store last.
func (s *system) run(ctx context.Context) error {
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return s.hub.Run(ctx) })
	parts.Go(func() error { return s.broker.Serve(s.cfg.mqtt) })
	parts.Go(func() error {
		if err := s.server.Serve(s.cfg.http); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	parts.Go(func() error { return s.bus.Keep(ctx, s.store, changesOnEveryBeat) })
	parts.Go(func() error {
		<-ctx.Done()
		return s.stopServing()
	})
	return errors.Join(parts.Wait(), s.close())
}

func (s *system) stopServing() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.server.Close() // whoever is left had its time
	}
	return s.broker.Close()
}

// close releases what newSystem took, as far as it came.
func (s *system) close() error {
	var errs []error
	if s.broker != nil {
		errs = append(errs, s.broker.Close())
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	for _, l := range []net.Listener{s.cfg.http, s.cfg.mqtt} {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// changesOnEveryBeat are the topics whose retained messages are not kept over a
// restart: the fielded sketch retains its metrics and heartbeat by accident.
func changesOnEveryBeat(topic string) bool {
	return strings.HasSuffix(topic, "/heartbeat") || strings.HasSuffix(topic, "/pzem/metrics")
}

// ready is the line that says that the hub serves, for people, scripts and
// systemd.
func (s *system) ready() string {
	return fmt.Sprintf("ready http=%s mqtt=%s", s.cfg.http.Addr(), s.cfg.mqtt.Addr())
}
