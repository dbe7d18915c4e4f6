package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

func (s *Store) openArchive(_ context.Context, fs disk.FS) (err error) {
	s.archive, err = archive.Open(archive.Config{FS: fs, Dir: chunkDir, Site: s.site, Random: s.random})
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
	if s.trial != "" {
		return s.openIndexAt(ctx, filepath.Join(s.trial, databaseName))
	}
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
	if s.trial != "" {
		err = s.index.hurry(ctx)
	}
	if err == nil {
		err = s.remember(ctx)
	}
	if err == nil {
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
	s.met.archive = report
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
		a.store.met.unusable = append(a.store.met.unusable, fmt.Sprintf("%v: %v", f.Place, err))
	}
	a.store.progress(len(f.Payload))
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
	a.change.devices, a.change.commands, a.change.alerts, a.change.corrections = entries.devices, entries.commands, entries.alerts, entries.corrections
	for _, c := range slices.SortedFunc(maps.Keys(a.noted), byKey) {
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
