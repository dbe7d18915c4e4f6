package store

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// isOld reports whether the index has something that the store's first form has
// kept there, and nowhere else.
func (s *Store) isOld(ctx context.Context) (bool, error) {
	has, err := s.index.hasTable(ctx, "reading")
	return has && len(s.byUID)+len(s.devices) > 0, err
}

// takeOver moves what the store's first form has kept in the database into the
// log. The rows go when all of them are durable there.
func (s *Store) takeOver(ctx context.Context, _ disk.FS) error {
	has, err := s.index.hasTable(ctx, "reading")
	if err != nil || !has {
		return err
	}
	if s.old {
		s.log.Info("moving what an earlier version has kept into the log; this may take a while")
		if err := s.takeOverSettings(ctx); err != nil {
			return err
		}
		n, err := s.takeOverReadings(ctx)
		if err != nil {
			return err
		}
		s.log.Info("the readings of an earlier version are in the log", "readings", n)
	}
	return s.index.dropOld(ctx)
}

// takeOverSettings takes over all but the readings.
func (s *Store) takeOverSettings(ctx context.Context) error {
	for _, d := range s.devices {
		s.entries = append(s.entries, entry{Device: &d})
		commands, err := s.index.commands(ctx, d.ID, math.MaxInt32)
		if err != nil {
			return fmt.Errorf("read the commands of an earlier version: %w", err)
		}
		for _, c := range slices.Backward(commands) {
			s.entries = append(s.entries, entry{Command: &c})
		}
	}
	retained, err := s.index.oldRetained(ctx)
	if err != nil {
		return err
	}
	retained = slices.DeleteFunc(retained, func(m smartmeter.Message) bool {
		_, newer := s.retained[m.Topic]
		return newer
	})
	return s.PutRetained(slices.AppendSeq(retained, maps.Values(s.retained)))
}

// takeOverReadings takes over the readings and returns how many there are.
func (s *Store) takeOverReadings(ctx context.Context) (n int, err error) {
	batch := make([]smartmeter.Reading, 0, readingsPerRecord)
	flush := func() error {
		n += len(batch)
		err := s.AppendReadings(batch...)
		batch = batch[:0]
		if err == nil {
			err = s.Sync(ctx)
		}
		return err
	}
	for r, err := range s.index.oldReadings(ctx) {
		if err != nil {
			return n, fmt.Errorf("read the readings of an earlier version: %w", err)
		}
		if batch = append(batch, r); len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	return n, flush()
}
