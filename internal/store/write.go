package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// maxWaiting bounds how many readings wait in memory while the disk refuses,
// beside those that the log holds for it: a day of ten devices.
const maxWaiting = 200_000

// readingsPerRecord is about how many readings share a record of the log.
const readingsPerRecord = 2000

var (
	errFull = errors.New("the data directory has refused writes for so long that no more readings fit in memory; see what is wrong with it")
	errTime = errors.New("a reading needs a time between 1970 and 9999; check the clocks")
)

// lastInstant is the end of the year 9999.
const lastInstant smartmeter.Instant = 253_402_300_799_999

// AppendReadings takes readings in any order; see the hub's Store. All of them
// are taken, or none: when memory is full because the disk has refused for long,
// or when one has no possible time.
func (s *Store) AppendReadings(readings ...smartmeter.Reading) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting+len(readings) > maxWaiting {
		return errors.Join(errFull, s.writeErr)
	}
	for i := range readings {
		if at := readings[i].At; at < 0 || at > lastInstant {
			return errTime
		}
	}
	for _, r := range readings {
		s.take(r)
	}
	return nil
}

// take takes a reading, unless it was taken before. The caller holds mu.
func (s *Store) take(r smartmeter.Reading) {
	c := s.channelOf(channelID{r.Node, r.Channel})
	r.Node = c.id.node
	if r.Seq != 0 {
		b := c.boot(r.Boot)
		if b.taken.has(r.Seq) {
			return
		}
		b.taken.add(r.Seq)
		b.lastAt = max(b.lastAt, r.At)
	}
	s.claim(c, &r)
	if !c.hold(r) {
		return
	}
	if len(c.waiting) == 0 {
		s.dirty = append(s.dirty, c)
	}
	c.waiting = append(c.waiting, r)
	s.waiting++
}

// PutDevice keeps d in place of the device with its id.
func (s *Store) PutDevice(d smartmeter.Device) error {
	s.mu.Lock()
	s.devices[d.ID] = d
	s.entries = append(s.entries, entry{Device: &d})
	s.mu.Unlock()
	s.hurry()
	return nil
}

// PutCommand keeps c in place of the command with its id.
func (s *Store) PutCommand(c smartmeter.Command) error {
	s.mu.Lock()
	s.entries = append(s.entries, entry{Command: &c})
	s.mu.Unlock()
	s.hurry()
	return nil
}

// PutRetained keeps messages in place of all that were kept for the broker.
// Only what differs is written, on the next beat.
func (s *Store) PutRetained(messages []smartmeter.Message) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := maps.Clone(s.retained)
	for _, m := range messages {
		old, known := s.retained[m.Topic]
		delete(gone, m.Topic)
		if known && old.QoS == m.QoS && bytes.Equal(old.Payload, m.Payload) {
			continue
		}
		m.Payload, m.Retained, m.From = bytes.Clone(m.Payload), true, smartmeter.Identity{}
		s.retained[m.Topic] = m
		s.entries = append(s.entries, entry{Retained: &retainedEntry{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS}})
	}
	for _, topic := range slices.Sorted(maps.Keys(gone)) {
		delete(s.retained, topic)
		s.entries = append(s.entries, entry{Retained: &retainedEntry{Topic: topic, Gone: true}})
	}
	return nil
}

// hurry makes what waits durable without waiting for the beat.
func (s *Store) hurry() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Sync makes all that was written before durable. What could not be written
// waits on, and the next Sync tries again.
func (s *Store) Sync(ctx context.Context) error {
	if err := s.writing.lock(ctx); err != nil {
		return err
	}
	defer s.writing.unlock()
	err := s.syncLog(ctx)
	if ctx.Err() != nil {
		return err // no fault of the disk
	}
	s.note(&s.writeErr, err, "cannot write to the data directory; readings wait in memory", "the data directory takes writes again")
	if err != nil {
		return fmt.Errorf("write to the data directory: %w", err)
	}
	s.note(&s.indexErr, s.indexEntries(ctx), "cannot write to the database; it is behind the log", "the database takes writes again")
	return nil
}

// syncLog moves what waits to the log and makes it durable. The caller holds
// writing.
func (s *Store) syncLog(ctx context.Context) error {
	for {
		left := s.logWaiting()
		if left != nil && !errors.Is(left, wal.ErrFull) {
			return left
		}
		if err := s.wal.Sync(ctx); err != nil {
			return err
		}
		s.settle()
		if left == nil {
			return nil
		}
	}
}

// logWaiting hands what waits to the log, until all is there or the log is full.
func (s *Store) logWaiting() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.entries) > 0 {
		e := s.entries[0]
		position, err := s.wal.Append(recordEntry, encodeEntry(e))
		if err != nil {
			return err
		}
		s.entries = s.entries[1:]
		if e.lasting() {
			s.unindexed = append(s.unindexed, e)
			s.journal = append(s.journal, journalEntry{position, e})
		}
		switch {
		case e.Placed != nil:
			s.place(*e.Placed)
		case e.Erased != nil:
			s.erasures = append(s.erasures, erasing{position: position, erased: *e.Erased})
		}
	}
	for len(s.unlogged) > 0 {
		if err := s.logUnplaced(); err != nil {
			return err
		}
	}
	for len(s.dirty) > 0 {
		if err := s.logReadings(); err != nil {
			return err
		}
	}
	s.heldLog = 0
	return nil
}

// logReadings hands a record's worth of readings to the log. The caller holds mu.
func (s *Store) logReadings() error {
	at := s.dirty[0].waiting[0].At
	record, whole, room := beginRecord(nil, at), 0, readingsPerRecord
	for _, c := range s.dirty {
		if room -= len(c.waiting); room < 0 && whole > 0 {
			break
		}
		record = appendGroup(record, at, c.number, c.waiting[:min(len(c.waiting), readingsPerRecord)])
		whole++
	}
	position, err := s.wal.Append(recordReadings, record)
	if err != nil {
		return err
	}
	for _, c := range s.dirty[:whole] {
		s.logged(c, min(len(c.waiting), readingsPerRecord), position)
	}
	s.dirty = slices.DeleteFunc(s.dirty, func(c *channel) bool { return len(c.waiting) == 0 })
	return nil
}

// logged notes that a channel's next n waiting readings are in a record of the
// log. The caller holds mu.
func (s *Store) logged(c *channel, n int, position wal.Position) {
	for i := range c.waiting[:n] {
		r := &c.waiting[i]
		if day := c.days[chunk.DayOf(r.At)]; day != nil && day.needs == 0 {
			day.needs = position
		}
		if b := c.boots[r.Boot]; r.Seq != 0 && b != nil {
			if len(b.logged) == 0 {
				s.flying = append(s.flying, b)
			}
			b.logged.add(r.Seq)
		}
	}
	s.waiting -= n
	if c.waiting = c.waiting[n:]; len(c.waiting) == 0 {
		c.waiting = nil
	}
}

// settle notes that all that is in the log is durable.
func (s *Store) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.flying {
		for _, run := range b.logged {
			b.durable.addSpan(run)
		}
		b.logged, b.unsaved = nil, true
		s.raise(b)
	}
	s.flying = nil
}

// indexEntries brings the index up to date with what people and relays did. The
// caller holds writing.
func (s *Store) indexEntries(ctx context.Context) error {
	s.mu.Lock()
	entries := slices.Clone(s.unindexed)
	change := s.changeOf(entries)
	s.mu.Unlock()
	if len(entries) == 0 {
		return nil
	}
	if err := s.index.apply(ctx, change); err != nil && !errors.Is(err, errNotYetScrubbed) {
		return err
	}
	s.mu.Lock()
	s.unindexed = s.unindexed[len(entries):]
	s.mu.Unlock()
	return nil
}

// changeOf returns what entries change in the index: of each thing its last
// state. The caller holds mu.
func (s *Store) changeOf(entries []entry) (change indexChange) {
	commands := make(map[string]int)
	devices := make(map[smartmeter.DeviceID]int)
	alerts := make(map[string]int)
	for _, e := range entries {
		switch {
		case e.Channel != nil:
			if c := s.byUID[e.Channel.UID]; c != nil {
				change.channels = append(change.channels, c.row())
			}
		case e.Command != nil:
			change.commands = putLast(change.commands, commands, e.Command.ID, *e.Command)
		case e.Device != nil:
			change.devices = putLast(change.devices, devices, e.Device.ID, *e.Device)
		case e.Alert != nil:
			change.alerts = putLast(change.alerts, alerts, e.Alert.ID, *e.Alert)
		case e.Correction != nil:
			change.corrections = append(change.corrections, *e.Correction)
		}
	}
	return change
}

// putLast puts v in place of what all has under a key, or appends it.
func putLast[K comparable, V any](all []V, where map[K]int, key K, v V) []V {
	if i, known := where[key]; known {
		all[i] = v
		return all
	}
	where[key] = len(all)
	return append(all, v)
}
