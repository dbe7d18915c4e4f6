package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
)

// EraseDevice forgets d, its readings and its commands, for good: no file has
// anything of them afterwards, as far as a file system lets its files go. Once
// begun it is ended, if need be at the next start.
func (s *Store) EraseDevice(ctx context.Context, d smartmeter.Device) error {
	if err := s.sealing.lock(ctx); err != nil {
		return err
	}
	defer s.sealing.unlock()
	if err := s.Sync(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.forgetDevice(d)
	s.entries = append(s.entries, entry{Erased: &d})
	s.mu.Unlock()
	if err := s.Sync(ctx); err != nil {
		return err
	}
	return s.eraseFiles(ctx, d)
}

// forgetDevice takes a device from memory. The caller holds mu.
func (s *Store) forgetDevice(d smartmeter.Device) {
	delete(s.devices, d.ID)
	s.forgetCorrections(d)
	id := channelID{d.Node, d.Channel}
	c := s.channels[id]
	if c == nil {
		return
	}
	delete(s.channels, id)
	delete(s.byUID, c.uid)
	s.waiting -= len(c.waiting)
	c.waiting, c.days = nil, nil
	s.dirty = remove(s.dirty, c)
	s.forgetUnplaced(c)
}

func remove(all []*channel, c *channel) (rest []*channel) {
	for _, other := range all {
		if other != c {
			rest = append(rest, other)
		}
	}
	return rest
}

// eraseFiles takes what is known of a device out of every file. Everything that
// is in the log goes to the monthly files first, so that the whole log can be
// let go of. The caller holds sealing.
func (s *Store) eraseFiles(ctx context.Context, d smartmeter.Device) error {
	if err := s.wal.Cut(ctx); err != nil {
		return err
	}
	s.carryUnplaced(s.wal.Durable() + 1)
	if err := s.seal(ctx, math.MaxInt32); err != nil {
		return err
	}
	uids, err := s.uidsOf(ctx, d)
	if err != nil {
		return err
	}
	change := indexChange{
		erased: []erasure{{node: d.Node, channel: d.Channel, device: d.ID}},
		moved:  make(map[place]place),
	}
	for _, m := range s.archive.Months() {
		moved, err := s.archive.Rewrite(ctx, m, func(f archive.Frame) ([]byte, bool, error) {
			return without(f, d, uids)
		})
		if err != nil {
			return fmt.Errorf("erase %s from the files of %v: %w", d.ID, m, err)
		}
		for from, to := range moved {
			change.moved[placeOf(from)] = placeOf(to)
		}
	}
	change.marks = s.archive.Marks()
	err = s.index.apply(ctx, change) // errNotYetScrubbed: it goes on with that by itself
	if err != nil && !errors.Is(err, errNotYetScrubbed) {
		return err
	}
	return s.wal.Scrub(ctx)
}

// uidsOf returns the names that a device's channel has, or had, in sealed
// chunks.
func (s *Store) uidsOf(ctx context.Context, d smartmeter.Device) (map[chunk.ID]bool, error) {
	rows, err := s.index.channels(ctx)
	uids := make(map[chunk.ID]bool)
	for _, row := range rows {
		if row.node == d.Node && row.channel == d.Channel {
			uids[row.uid] = true
		}
	}
	return uids, err
}

// without returns a frame of the monthly files without a device; ok is false if
// nothing is left.
func without(f archive.Frame, d smartmeter.Device, uids map[chunk.ID]bool) (payload []byte, ok bool, err error) {
	switch f.Kind {
	case frameChunk:
		h, err := chunk.ReadHeader(f.Payload)
		return f.Payload, err != nil || !uids[h.Channel], nil // what cannot be read says nothing
	case frameSums:
		t, err := decodeThinned(f.Payload)
		return f.Payload, err != nil || !uids[t.channel], nil
	case frameJournal:
		var kept bytes.Buffer
		for line := range bytes.Lines(f.Payload) {
			if e, err := decodeEntry(line); err == nil && !e.about(d) {
				kept.Write(line)
			}
		}
		return kept.Bytes(), kept.Len() > 0, nil
	default:
		return f.Payload, true, nil
	}
}

// about reports whether an entry says anything of a device.
func (e entry) about(d smartmeter.Device) bool {
	switch {
	case e.Channel != nil:
		return e.Channel.Node == d.Node && e.Channel.Channel == d.Channel
	case e.Device != nil:
		return e.Device.ID == d.ID
	case e.Command != nil:
		return e.Command.Device == d.ID
	case e.Erased != nil:
		return e.Erased.ID == d.ID
	case e.Correction != nil:
		return e.Correction.Device == d.ID || e.Correction.Node == d.Node && e.Correction.Channel == d.Channel
	}
	return false
}
