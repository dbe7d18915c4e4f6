package store

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// openLog replays the log: what is in it and was acknowledged is as it was.
func (s *Store) openLog(ctx context.Context, fs disk.FS) error {
	r := replay{store: s, numbers: make(map[uint32]*channel), named: make(map[*channel]bool)}
	for _, c := range s.byUID {
		r.numbers[c.number] = c
	}
	log, report, err := wal.Open(wal.Config{FS: fs, Dir: logDir, SegmentBytes: s.segment, Random: s.random}, r.record)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	s.wal = log
	s.close = append(s.close, func() error { return log.Close(context.Background()) })
	if err := r.end(); err != nil {
		return err
	}
	s.met.log, s.met.nameless = report, r.unknown
	for _, d := range report.Damage {
		s.log.Error("a part of the log is lost", "damage", d.String())
	}
	if r.unknown > 0 {
		s.log.Error("readings of the log cannot be assigned, for the record that names their channel is lost", "readings", r.unknown)
	}
	return s.finishReplay(ctx, &r)
}

// replay takes the records of the log, in order.
type replay struct {
	store   *Store
	numbers map[uint32]*channel
	named   map[*channel]bool // by the log itself
	lasting []journalEntry
	unknown int // readings without a channel
	scratch []byte
	// aside are records that wait for the name of a channel, see names.go.
	aside []wal.Record
}

// redo does again what a record says.
func (r *replay) redo(record wal.Record) error {
	var err error
	switch record.Type {
	case recordReadings:
		err = decodeGroups(record.Payload, func(number uint32, readings []smartmeter.Reading) error {
			r.readings(record.Position, number, readings)
			return nil
		})
	case recordUnplaced:
		err = decodeUnplaced(record.Payload, func(machine string, number uint32, readings []smartmeter.Reading) error {
			r.unplaced(record.Position, machine, number, readings)
			return nil
		})
	case recordEntry:
		var e entry
		if e, err = decodeEntry(record.Payload); err == nil {
			r.entry(record.Position, e)
		}
	}
	if err != nil { // its checksum is right: another version wrote it
		return fmt.Errorf("record %d: %w; it may be of a newer version of smartmeter", record.Position, err)
	}
	return nil
}

func (r *replay) entry(position wal.Position, e entry) {
	s := r.store
	if e.Channel != nil && e.Channel.Again && !s.hasName(e.Channel.UID) {
		e.Channel.Again = false // what the journal had is lost
	}
	s.redo(e)
	switch {
	case e.Channel != nil:
		c := s.byUID[e.Channel.UID]
		r.numbers[c.number], r.named[c] = c, true
	case e.Erased != nil:
		s.erasures = append(s.erasures, erasing{position: position, erased: *e.Erased})
		r.lasting = slices.DeleteFunc(r.lasting, func(j journalEntry) bool { return j.entry.about(*e.Erased) })
	case e.Placed != nil:
		for _, u := range e.Placed.take(s) {
			r.readings(u.position, s.channels[channelID{u.reading.Node, u.reading.Channel}].number, []smartmeter.Reading{u.reading})
		}
	}
	if e.lasting() {
		r.lasting = append(r.lasting, journalEntry{position, e})
	}
}

// readings holds the readings of one record again. They were told from copies
// when they were taken, and what is sealed meanwhile counts once all the same. But
// a card may have lost a sample, so that it was taken anew with another time, and
// have it again: then the first one counts.
func (r *replay) readings(position wal.Position, number uint32, readings []smartmeter.Reading) {
	c := r.numbers[number]
	if c == nil {
		r.unknown += len(readings)
		return
	}
	for _, reading := range readings {
		reading.Node, reading.Channel = c.id.node, c.id.channel
		r.store.claim(c, &reading)
		if reading.Seq != 0 && !c.boot(reading.Boot).replayed.add(reading.Seq) {
			continue
		}
		day := c.put(reading)
		if day == nil {
			continue
		}
		if r.scratch = day.setAside(r.scratch); day.needs == 0 || position < day.needs {
			day.needs = position
		}
		c.showAgain(&reading)
		if reading.Seq != 0 {
			b := c.boot(reading.Boot)
			b.taken.add(reading.Seq)
			b.durable.add(reading.Seq)
			b.lastAt, b.unsaved = max(b.lastAt, reading.At), true
		}
	}
}

// unplaced holds readings whose time is not known again.
func (r *replay) unplaced(position wal.Position, machine string, number uint32, readings []smartmeter.Reading) {
	c := r.numbers[number]
	if c == nil {
		r.unknown += len(readings)
		return
	}
	for _, reading := range readings {
		reading.Node, reading.Channel = c.id.node, c.id.channel
		if u := r.store.holdUnplaced(c, machine, reading); u != nil {
			u.position = position
		} else if u := r.store.unplaced[unplacedIDOf(c, machine, &reading)]; u != nil {
			u.position = position // written again, see carryUnplaced
		}
	}
}

// finishReplay brings the index up to date, and goes on with erasures that a
// stop of the program interrupted.
func (s *Store) finishReplay(ctx context.Context, r *replay) error {
	journaled, err := s.journaled(ctx)
	if err != nil {
		return err
	}
	for _, j := range r.lasting {
		if j.position > journaled {
			s.unindexed, s.journal = append(s.unindexed, j.entry), append(s.journal, j)
		}
	}
	for _, c := range s.channelsInOrder() {
		for _, b := range c.boots {
			b.watermark, b.replayed = b.complete(), nil
		}
		if c.id.node != "" && !r.named[c] { // the log has every name, unless a card lost it
			s.entries = append(s.entries, entry{Channel: c.entry()})
			s.hurry()
		}
	}
	if err := s.indexEntries(ctx); err != nil {
		s.indexErr = err
		s.log.Error("cannot write to the database; it is behind the log", "err", err)
	}
	s.heldLog = 0        // all that was replayed is in the log
	_ = s.wal.Scrub(ctx) // of what an erasure has left that was interrupted at its end
	s.note(&s.sealErr, s.finishErasures(ctx), "cannot go on to erase a device; it is tried again", "")
	return nil
}

// settingLog names the log that the index's position is in.
const settingLog = "log"

// journaled returns up to where the log's entries are in the monthly files and
// in the index.
func (s *Store) journaled(ctx context.Context) (wal.Position, error) {
	settings, err := s.index.settings(ctx)
	if err != nil {
		return 0, err
	}
	applied, err := s.index.applied(ctx)
	if err != nil || settings[settingLog] != s.logID() {
		return 0, err // that was another log
	}
	if wal.Position(applied) > s.wal.Durable() {
		// A card has lost what was there. Its positions are given away again.
		return 0, s.index.apply(ctx, indexChange{settings: map[string]string{settingLog: ""}})
	}
	return wal.Position(applied), nil
}

func (s *Store) logID() string {
	id := s.wal.ID()
	return hex.EncodeToString(id[:])
}
