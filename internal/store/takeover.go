package store

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// takeOverEntries puts the devices and commands of the first form, which had no
// log, into the log, so that they outlive the database, too.
func (s *Store) takeOverEntries(ctx context.Context) error {
	if s.wal.Durable() > 0 {
		return nil
	}
	var entries []entry
	for _, d := range s.devices {
		entries = append(entries, entry{Device: &d})
		commands, err := s.index.commands(ctx, d.ID, math.MaxInt32)
		if err != nil {
			return fmt.Errorf("read the commands of an earlier version: %w", err)
		}
		for _, c := range slices.Backward(commands) { // oldest first
			entries = append(entries, entry{Command: &c})
		}
	}
	s.mu.Lock()
	s.entries = append(s.entries, entries...)
	s.mu.Unlock()
	return s.Sync(ctx)
}

// takeOver moves what the store's first form has kept as rows of the database
// into the log. The rows go when all of them are durable there.
func (s *Store) takeOver(ctx context.Context, _ disk.FS) error {
	has, err := s.index.hasTable(ctx, "reading")
	if err != nil || !has {
		return err
	}
	if err := s.takeOverEntries(ctx); err != nil {
		return err
	}
	batch := make([]smartmeter.Reading, 0, readingsPerRecord)
	n := 0
	flush := func() error {
		if n == 0 && len(batch) > 0 {
			s.log.Info("moving the readings of an earlier version into the log; this may take a while")
		}
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
			return fmt.Errorf("read the readings of an earlier version: %w", err)
		}
		if batch = append(batch, r); len(batch) == cap(batch) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	retained, err := s.index.oldRetained(ctx)
	if err != nil {
		return err
	}
	if len(retained) > 0 { // an index that was made again has none, and the log has them
		if err := s.PutRetained(retained); err != nil {
			return err
		}
	}
	if err := flush(); err != nil {
		return err
	}
	if n > 0 {
		s.log.Info("the readings of an earlier version are in the log", "readings", n)
	}
	return s.index.dropOld(ctx)
}
