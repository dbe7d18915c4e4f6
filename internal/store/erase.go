package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// erasing is an erasure on its way through the files. The log keeps all from its
// position on, so that a stop of the program does not end it.
type erasing struct {
	position wal.Position
	erased   erasedEntry
	// filesDone says that only the log still has anything of it, released that
	// a replay will not do it again.
	filesDone, released bool
}

// EraseDevice forgets d, its readings and its commands, for good: no file has
// anything of them afterwards, as far as a file system lets its files go. Once
// the log has it, it is ended, if need be at the next start.
//
// An error that is smartmeter.ErrErasing says that it has begun: nothing of d is
// answered any more, what comes in of d from then on is of a new one, and the
// beats go on with it. It is in the log before all that comes later, so that a
// stop before that brings back everything of d, and costs nothing that was
// acknowledged. After any other error nothing has changed.
func (s *Store) EraseDevice(ctx context.Context, d smartmeter.Device) error {
	if err := s.sealing.lock(ctx); err != nil {
		return err
	}
	defer s.sealing.unlock()
	if err := s.Sync(ctx); err != nil {
		return err
	}
	if err := s.beginErasing(ctx, d); err != nil {
		return err
	}
	err := s.Sync(ctx)
	if err == nil {
		err = s.finishErasures(ctx)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", smartmeter.ErrErasing, err)
	}
	return nil
}

// beginErasing takes a device from memory, and from what waits for the index.
func (s *Store) beginErasing(ctx context.Context, d smartmeter.Device) error {
	if err := s.writing.lock(ctx); err != nil {
		return err
	}
	defer s.writing.unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	e := erasedEntry{Device: d}
	if c := s.channels[channelID{d.Node, d.Channel}]; c != nil {
		e.Channels = append(e.Channels, c.uid)
	}
	s.forgetDevice(e)
	s.unindexed = slices.DeleteFunc(s.unindexed, func(waiting entry) bool { return waiting.about(e) })
	s.entries = append(s.entries, entry{Erased: &e})
	return nil
}

// forgetDevice takes a device from memory. The caller holds mu.
func (s *Store) forgetDevice(e erasedEntry) {
	delete(s.devices, e.Device.ID)
	s.forgetCorrections(e)
	for _, uid := range e.Channels {
		if c := s.byUID[uid]; c != nil {
			s.forgetChannel(c)
		}
	}
}

// forgetChannel takes a channel from memory. The caller holds mu.
func (s *Store) forgetChannel(c *channel) {
	delete(s.byUID, c.uid)
	if s.channels[c.id] == c {
		delete(s.channels, c.id)
	}
	s.waiting -= len(c.waiting)
	c.waiting, c.days = nil, nil
	s.dirty = remove(s.dirty, c)
	isOf := func(b *boot) bool { return b.channel == c }
	s.flying, s.risen = slices.DeleteFunc(s.flying, isOf), slices.DeleteFunc(s.risen, isOf)
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

// finishErasures takes what is erased out of every file. The caller holds
// sealing.
func (s *Store) finishErasures(ctx context.Context) error {
	s.mu.Lock()
	erasures := slices.Clone(s.erasures)
	s.mu.Unlock()
	for _, e := range erasures { // queries have nothing of them from here on
		if err := s.eraseFromIndex(ctx, e); err != nil {
			return err
		}
	}
	for {
		s.mu.Lock()
		if len(s.erasures) == 0 {
			s.mu.Unlock()
			return nil
		}
		e := s.erasures[0]
		s.mu.Unlock()
		if err := s.finish(ctx, e); err != nil {
			return fmt.Errorf("erase %s: %w", e.erased.Device.ID, err)
		}
	}
}

// finish finishes the first of the erasures, which is e.
func (s *Store) finish(ctx context.Context, e erasing) error {
	if !e.filesDone {
		if err := s.eraseFiles(ctx, e); err != nil {
			return err
		}
		s.mu.Lock()
		s.erasures[0].filesDone = true
		s.mu.Unlock()
	}
	if err := s.releaseLog(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.erasures[0].released = true
	s.mu.Unlock()
	if err := s.emptyLog(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	s.erasures = s.erasures[1:]
	s.mu.Unlock()
	return nil
}

// eraseFiles takes what is known of a device out of the monthly files.
// Everything that is in the log goes there first, so that the log can let go of
// all that was there when the erasure began; with that, what had been on its way
// there comes to the index once more. The caller holds sealing.
func (s *Store) eraseFiles(ctx context.Context, e erasing) error {
	if err := s.emptyLog(ctx); err != nil {
		return err
	}
	if s.trial == "" {
		if err := os.RemoveAll(filepath.Join(s.dir, asideDir)); err != nil {
			return err
		}
	}
	for _, m := range s.archive.Months() {
		if err := s.rewriteMonth(ctx, m, e.erased); err != nil {
			return err
		}
	}
	return s.eraseFromIndex(ctx, e)
}

// isErasing reports whether an erasure is not finished.
func (s *Store) isErasing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.erasures) > 0
}

// held returns the record of the first erasure that is not done with the files:
// the log keeps it and all that follows. The caller holds mu.
func (s *Store) held() (wal.Position, bool) {
	i := slices.IndexFunc(s.erasures, func(e erasing) bool { return !e.filesDone })
	if i < 0 {
		return 0, false
	}
	return s.erasures[i].position, true
}

// heldJournal returns the record of the first erasure that a replay would do
// again. What people did after it is not sealed, for an erasure takes all from
// the journal that is of its device. The caller holds mu.
func (s *Store) heldJournal() (wal.Position, bool) {
	i := slices.IndexFunc(s.erasures, func(e erasing) bool { return !e.released })
	if i < 0 {
		return 0, false
	}
	return s.erasures[i].position, true
}

// emptyLog moves all that is in the log elsewhere and lets the log go of it, but
// not of an erasure, nor of what came after that.
func (s *Store) emptyLog(ctx context.Context) error {
	if err := s.wal.Cut(ctx); err != nil {
		return err
	}
	s.carryUnplaced(s.wal.Durable() + 1)
	return s.seal(ctx, math.MaxInt32)
}

// eraseFromIndex takes what is erased out of the index. If the device was put
// again since, that stays.
func (s *Store) eraseFromIndex(ctx context.Context, e erasing) error {
	if err := s.writing.lock(ctx); err != nil {
		return err
	}
	defer s.writing.unlock()
	s.mu.Lock()
	var since []entry
	for _, j := range s.journal {
		if j.position > e.position && j.entry.about(e.erased) {
			since = append(since, j.entry)
		}
	}
	change := s.changeOf(since)
	s.mu.Unlock()
	change.erased = []erasedEntry{e.erased}
	if err := s.index.apply(ctx, change); !errors.Is(err, errNotYetScrubbed) { // that goes on by itself
		return err
	}
	return nil
}

// rewriteMonth takes a device out of a month's files, and tells the index where
// the rest lies now.
func (s *Store) rewriteMonth(ctx context.Context, m archive.Month, e erasedEntry) error {
	moved, err := s.archive.Rewrite(ctx, m, func(f archive.Frame) ([]byte, bool, error) { return without(f, e) })
	if len(moved) == 0 && err != nil {
		return err
	}
	change := indexChange{moved: make(map[place]place), marks: s.archive.Marks()}
	for from, to := range moved {
		change.moved[placeOf(from)] = placeOf(to)
	}
	if failed := s.index.apply(ctx, change); failed != nil && !errors.Is(failed, errNotYetScrubbed) {
		err = errors.Join(err, failed)
	}
	return err
}

// without returns a frame of the monthly files without what is erased; ok is
// false if nothing is left.
func without(f archive.Frame, e erasedEntry) (payload []byte, ok bool, err error) {
	switch f.Kind {
	case frameChunk:
		h, err := chunk.ReadHeader(f.Payload)
		return f.Payload, err != nil || !slices.Contains(e.Channels, h.Channel), nil // what cannot be read says nothing
	case frameSums:
		t, err := decodeThinned(f.Payload)
		return f.Payload, err != nil || !slices.Contains(e.Channels, t.channel), nil
	case frameJournal:
		var kept bytes.Buffer
		for line := range bytes.Lines(f.Payload) {
			if of, err := decodeEntry(line); err == nil && !of.about(e) {
				kept.Write(line)
			}
		}
		return kept.Bytes(), kept.Len() > 0, nil
	default:
		return f.Payload, true, nil
	}
}

// about reports whether an entry says anything of what is erased.
func (e entry) about(erased erasedEntry) bool {
	switch {
	case e.Channel != nil:
		return slices.Contains(erased.Channels, e.Channel.UID)
	case e.Device != nil:
		return e.Device.ID == erased.Device.ID
	case e.Command != nil:
		return e.Command.Device == erased.Device.ID
	case e.Alert != nil:
		return e.Alert.Device == erased.Device.ID
	case e.Correction != nil:
		d := erased.Device
		return e.Correction.Device == d.ID || e.Correction.Node == d.Node && e.Correction.Channel == d.Channel
	}
	return false
}
