package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// releaseLog lets the log go of everything that lies elsewhere by now. What
// exists in the log alone, and matters whatever happened before, is repeated
// first.
func (s *Store) releaseLog(ctx context.Context) error {
	if err := s.writing.lock(ctx); err != nil {
		return err
	}
	defer s.writing.unlock()
	first, err := s.repeat(ctx)
	if err != nil {
		return err
	}
	if err := s.wal.Sync(ctx); err != nil {
		return err
	}
	if err := s.wal.Release(ctx, s.needed(first)); err != nil {
		return err
	}
	if !s.isErasing() {
		return nil
	}
	return s.wal.Scrub(ctx) // a segment that is used again would keep old bytes
}

// repeat appends to the log what would otherwise be lost: the channels' names
// and what the broker keeps. It returns the first record of that.
func (s *Store) repeat(ctx context.Context) (first wal.Position, err error) {
	first = s.wal.Durable() + 1
	for _, e := range s.repeated() {
		p := encodeEntry(e)
		_, err := s.wal.Append(recordEntry, p)
		if errors.Is(err, wal.ErrFull) { // there is more of it than the log takes at once
			if err = s.wal.Sync(ctx); err == nil {
				_, err = s.wal.Append(recordEntry, p)
			}
		}
		if err != nil {
			return 0, err
		}
	}
	return first, nil
}

// repeated returns the entries that the log has whatever it lets go of.
func (s *Store) repeated() (all []entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.channelsInOrder() {
		if c.id.node != "" {
			e := c.entry()
			e.Again = true
			all = append(all, entry{Channel: e})
		}
	}
	for _, topic := range slices.Sorted(maps.Keys(s.retained)) {
		m := s.retained[topic]
		all = append(all, entry{Retained: &retainedEntry{Topic: topic, Payload: m.Payload, QoS: m.QoS}})
	}
	return all
}

// needed returns the first record of the log that is needed when all from a
// position on is.
func (s *Store) needed(needed wal.Position) wal.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.byUID {
		for _, d := range c.days {
			if d.needs != 0 {
				needed = min(needed, d.needs)
			}
		}
	}
	if len(s.journal) > 0 {
		needed = min(needed, s.journal[0].position)
	}
	if held, any := s.held(); any {
		needed = min(needed, held)
	}
	return s.neededUnplaced(needed)
}
