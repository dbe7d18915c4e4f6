package store

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

func (s *Store) openArchive(_ context.Context, fs disk.FS) (err error) {
	s.archive, err = archive.Open(archive.Config{FS: fs, Dir: chunkDir, Site: s.site})
	if err != nil {
		return fmt.Errorf("open the monthly files: %w", err)
	}
	s.close = append(s.close, s.archive.Close)
	return nil
}

// errRebuild says that the index is to be made again although nothing is wrong.
var errRebuild = errors.New("somebody has asked for it")

// openIndex opens the index and brings it up to date with the monthly files. One
// that is damaged, or knows of files that are gone, is made again, and so is one
// that somebody does not trust.
func (s *Store) openIndex(ctx context.Context, _ disk.FS) error {
	path := filepath.Join(s.dir, databaseName)
	if err := s.openIndexAt(ctx, path); !errors.Is(err, errIndexBroken) && !errors.Is(err, errRebuild) {
		return err
	} else if err := s.discard(path, err); err != nil {
		return err
	}
	return s.openIndexAt(ctx, path)
}

func (s *Store) openIndexAt(ctx context.Context, path string) (err error) {
	if _, err := os.Stat(path + damagedSuffix); err == nil {
		return fmt.Errorf("%w: a part of it was lost before", errIndexBroken)
	}
	if _, err := os.Stat(path + "-wal"); err == nil { // SQLite removes it at the end
		s.unclean = true
	}
	if s.index, err = openIndex(ctx, path, s.log); err != nil {
		return err
	}
	if err = s.remember(ctx); err == nil {
		s.old, err = s.isOld(ctx)
	}
	if err == nil && s.rebuild && !s.old { // of what is old it is the only copy
		err = errRebuild
	}
	if err == nil {
		err = s.adopt(ctx)
	}
	if err != nil {
		return errors.Join(err, s.index.close())
	}
	s.close = append(s.close, s.index.close)
	return nil
}

// discard removes a damaged database, and forgets what was read of it. It is not
// kept: what is erased later would live on in it.
func (s *Store) discard(path string, why error) error {
	s.log.Warn("the database is made again from the log and the monthly files; this may take a while", "why", why)
	for _, suffix := range []string{"-wal", "-shm", "", damagedSuffix} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	clear(s.channels)
	clear(s.byUID)
	clear(s.devices)
	s.corrections = nil
	s.keys = 0
	s.rebuild, s.unclean = false, false // it is made again, and whole
	return nil
}

// remember takes from the index what memory holds of it.
func (s *Store) remember(ctx context.Context) error {
	channels, err := s.index.channels(ctx)
	if err != nil {
		return err
	}
	byKey := make(map[channelKey]*channel)
	for _, row := range channels {
		id := channelID{row.node, row.channel}
		if strings.HasPrefix(string(row.node), nameless) {
			id = channelID{}
		}
		c := s.addChannel(id, row.uid)
		c.key, byKey[row.key] = row.key, c
		s.keys = max(s.keys, row.key)
	}
	latest, err := s.index.latest(ctx)
	if err != nil {
		return err
	}
	for _, row := range latest {
		byKey[row.channel].latest = &row.reading
	}
	for span, err := range s.index.boots(ctx) {
		if err != nil {
			return err
		}
		c := byKey[span.channel]
		if c == nil {
			return fmt.Errorf("%w: it has samples of a channel that it does not know", errIndexBroken)
		}
		c.boot(span.boot).recall(span)
	}
	if s.corrections, err = s.index.corrections(ctx); err != nil {
		return err
	}
	devices, err := s.index.devices(ctx)
	for _, d := range devices {
		s.devices[d.ID] = d
	}
	return err
}

// recall notes samples that are durable.
func (b *boot) recall(kept bootSpan) {
	run := span{kept.first, kept.last}
	b.taken.addSpan(run)
	b.durable.addSpan(run)
	b.lastAt = max(b.lastAt, kept.lastAt)
}

// adopt takes into the index what the monthly files have and it does not know:
// what was sealed when the power went, or everything.
func (s *Store) adopt(ctx context.Context) error {
	marks, err := s.index.marks(ctx)
	if err != nil {
		return err
	}
	if err := s.checkAge(marks); err != nil {
		return err
	}
	a := adoption{store: s}
	now, report, err := s.archive.Scan(ctx, marks, func(f archive.Frame) error { return a.take(ctx, f) })
	if err != nil {
		return fmt.Errorf("read the monthly files: %w", err)
	}
	for _, d := range report.Damage {
		s.log.Error("a part of the monthly files is lost", "damage", d.String())
	}
	if len(report.Gone) > 0 && len(marks) > 0 {
		return fmt.Errorf("%w: it knows of %d files that are gone", errIndexBroken, len(report.Gone))
	}
	if report.Frames == 0 {
		return nil
	}
	return a.flush(ctx, now)
}

// checkAge returns errIndexBroken if the index knows something, but nothing of
// the monthly files that are there: a card has brought an early state of it
// back, and what was erased since may be in it.
func (s *Store) checkAge(marks archive.Marks) error {
	if len(marks) > 0 || len(s.archive.Months()) == 0 || len(s.byUID)+len(s.devices) == 0 {
		return nil
	}
	if s.old {
		return nil
	}
	return fmt.Errorf("%w: it is of an earlier time", errIndexBroken)
}

// adoption takes frames of the monthly files into the index.
type adoption struct {
	store    *Store
	readings []smartmeter.Reading
	change   indexChange
	noted    map[*channel]bool
	entries  []entry
}

func (a *adoption) take(ctx context.Context, f archive.Frame) error {
	var err error
	switch f.Kind {
	case frameChunk:
		err = a.takeChunk(f)
	case frameSums:
		err = a.takeThinned(f.Payload)
	case frameJournal:
		err = a.takeJournal(f.Payload)
	}
	if err != nil {
		a.store.log.Error("a part of the monthly files cannot be used", "place", f.Place.String(), "err", err)
	}
	if len(a.change.sums) < 500 {
		return nil
	}
	return a.flush(ctx, nil)
}

func (a *adoption) takeChunk(f archive.Frame) error {
	s := a.store
	h, readings, err := s.sealer.decoder.Decode(f.Payload, a.readings)
	if err != nil {
		return err
	}
	a.readings = readings
	c := s.byUID[h.Channel]
	if c == nil {
		c = s.addChannel(channelID{}, h.Channel) // the journal will tell its name
	}
	row := rowOf(c.key, h)
	row.place = placeOf(f.Place)
	a.change.chunks = append(a.change.chunks, row)
	if sums := s.sealer.sum(readings); sums != nil {
		a.change.sums = append(a.change.sums, sumsRow{channel: c.key, day: h.Day, packed: sums})
	}
	for i := range readings {
		r := &readings[i]
		r.Node, r.Channel = c.id.node, c.id.channel
		if r.Seq != 0 {
			b := c.boot(r.Boot)
			b.recall(bootSpan{first: r.Seq, last: r.Seq, lastAt: r.At})
			b.unsaved = true
		}
		c.show(*r)
	}
	if a.noted == nil {
		a.noted = make(map[*channel]bool)
	}
	a.noted[c] = true
	return nil
}

func (a *adoption) takeJournal(lines []byte) error {
	for line := range bytes.Lines(lines) {
		e, err := decodeEntry(line)
		if err != nil {
			return err
		}
		a.store.redo(e)
		a.entries = append(a.entries, e)
		if e.Channel != nil {
			a.note(a.store.byUID[e.Channel.UID])
		}
	}
	return nil
}

func (a *adoption) note(c *channel) {
	if a.noted == nil {
		a.noted = make(map[*channel]bool)
	}
	a.noted[c] = true
}

// flush applies what was gathered.
func (a *adoption) flush(ctx context.Context, marks archive.Marks) error {
	entries := a.store.changeOf(a.entries)
	a.change.devices, a.change.commands, a.change.corrections = entries.devices, entries.commands, entries.corrections
	for c := range a.noted {
		c.noteIn(&a.change)
	}
	a.change.marks = marks
	err := a.store.index.apply(ctx, a.change)
	a.change, a.entries, a.noted = indexChange{}, nil, nil
	return err
}

// redo does again in memory what an entry says.
func (s *Store) redo(e entry) {
	switch {
	case e.Channel != nil:
		s.redoChannel(e.Channel)
	case e.Device != nil:
		s.devices[e.Device.ID] = *e.Device
	case e.Correction != nil:
		s.correct(*e.Correction)
	case e.Erased != nil:
		s.forgetDevice(*e.Erased)
	case e.Retained != nil && e.Retained.Gone:
		delete(s.retained, e.Retained.Topic)
	case e.Retained != nil:
		m := e.Retained
		s.retained[m.Topic] = smartmeter.Message{Topic: m.Topic, Payload: m.Payload, QoS: m.QoS, Retained: true}
	}
}

// redoChannel gives a channel the name that an entry knows. If another one has
// that name, a disk had forgotten it in between; that one becomes nameless.
func (s *Store) redoChannel(e *channelEntry) {
	id := channelID{e.Node, e.Channel}
	if other := s.channels[id]; other != nil && other.uid != e.UID {
		other.id = channelID{}
	}
	c := s.byUID[e.UID]
	if c == nil {
		c = s.addChannel(id, e.UID)
	}
	c.id, c.number = id, e.Number
	s.channels[id] = c
	if c.latest != nil {
		c.latest.Node, c.latest.Channel = id.node, id.channel
	}
}

// openLog replays the log: what is in it and was acknowledged is as it was.
func (s *Store) openLog(ctx context.Context, fs disk.FS) error {
	r := replay{store: s, numbers: make(map[uint32]*channel), named: make(map[*channel]bool)}
	for _, c := range s.byUID {
		r.numbers[c.number] = c
	}
	log, report, err := wal.Open(wal.Config{FS: fs, Dir: logDir, SegmentBytes: s.segment}, r.record)
	if err != nil {
		return fmt.Errorf("open the log: %w", err)
	}
	s.wal = log
	s.close = append(s.close, func() error { return log.Close(context.Background()) })
	if err := r.end(); err != nil {
		return err
	}
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
// when they were taken; what is sealed meanwhile counts once all the same.
func (r *replay) readings(position wal.Position, number uint32, readings []smartmeter.Reading) {
	c := r.numbers[number]
	if c == nil {
		r.unknown += len(readings)
		return
	}
	for _, reading := range readings {
		reading.Node, reading.Channel = c.id.node, c.id.channel
		r.store.claim(c, &reading)
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
	for _, c := range s.byUID {
		for _, b := range c.boots {
			b.watermark = b.complete()
		}
		if c.id.node != "" && !r.named[c] { // the log has every name, unless a card lost it
			s.entries = append(s.entries, entry{Channel: c.entry()})
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
