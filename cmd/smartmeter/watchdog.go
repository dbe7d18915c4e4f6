package main

import (
	"context"
	"errors"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// feedWatchdog tells systemd that the hub lives, as long as a reading could
// travel from the broker to the store and back: a process that is up and does
// nothing is to be started anew. It returns at once where no watchdog waits.
func (s *system) feedWatchdog(ctx context.Context) error {
	every, err := sd.SdWatchdogEnabled(false)
	if err != nil || every == 0 {
		return err
	}
	return s.feed(ctx, every/3, func() error { _, err := sd.SdNotify(false, sd.SdNotifyWatchdog); return err })
}

// feed calls alive at the given times, unless the hub is not.
func (s *system) feed(ctx context.Context, every time.Duration, alive func() error) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if err := mendable(s.hub.Health(ctx)); err != nil {
			s.cfg.log.Error("the hub does not do its work; the watchdog is not fed", "err", err)
		} else if err := alive(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// mendable returns what a new start could mend: neither a disk that is full, or
// takes no writes, nor a clock that nobody has set.
func mendable(h hub.Health) error {
	store := h.Checks["store"]
	if errors.Is(store, disk.ErrNoSpace) || errors.Is(store, disk.ErrReadOnly) {
		store = nil
	}
	return errors.Join(h.Checks["broker"], store)
}
