package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/rollup"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// What the monthly files hold.
const (
	frameChunk   archive.Kind = 1
	frameJournal archive.Kind = 2 // entries, one to a line
	frameSums    archive.Kind = 8 // what is left of a chunk, see thin.go
)

const (
	// lateFor is how long after its end a day waits for late readings.
	lateFor = time.Hour
	// sealGroup is how many chunks become durable together.
	sealGroup = 32
	// manyLate is how many readings of days that are over wait in memory at
	// most before they are sealed out of turn, as an import brings.
	manyLate = 500_000
)

// sealer is what sealing works with. Whoever holds sealing may use it.
type sealer struct {
	site    chunk.ID
	encoder chunk.Encoder
	decoder chunk.Decoder
	folder  *rollup.Folder
	// sealed is the day up to which all was sealed, without it.
	sealed   chunk.Day
	sealedAt time.Time
	// handed are the days that the archive was given and has not made durable,
	// in order; the journal is one without a channel.
	handed []sealedDay
}

// sealedDay is a channel's day on its way from memory to the monthly files.
type sealedDay struct {
	part     openPart
	row      chunkRow
	sums     []byte
	appended bool // a frame belongs to it
	journal  int  // how many entries the frame has, if it is of the journal
}

// encode packs readings that are in order.
func (s *sealer) encode(p openPart, readings []smartmeter.Reading, version uint32) ([]byte, error) {
	h := chunk.Header{Site: s.site, Channel: p.channel.uid, Day: p.day, Version: version}
	return s.encoder.Encode(nil, h, readings)
}

// runSeal packs memory on a beat, and seals when it is time. It begins with what
// was replayed, which takes more memory than all that comes later.
func (s *Store) runSeal(ctx context.Context, every time.Duration) {
	s.packReplayed(ctx)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.tidy(ctx); ctx.Err() == nil {
			s.note(&s.sealErr, err, "cannot seal the days that are over; they stay in the log", "the days that are over are sealed again")
		}
	}
}

// tidy packs memory, and seals the days that are over when there is one more of
// them, when an hour has passed since late readings came, or when there are
// very many.
func (s *Store) tidy(ctx context.Context) error {
	if err := s.sealing.lock(ctx); err != nil {
		return err
	}
	defer s.sealing.unlock()
	if err := s.finishErasures(ctx); err != nil {
		return err
	}
	if err := s.packMemory(packAt); err != nil {
		return err
	}
	now := s.now()
	before := chunk.DayOf(smartmeter.InstantOf(now.Add(-lateFor)))
	late := s.readingsBefore(before)
	due := before > s.sealer.sealed || now.Sub(s.sealer.sealedAt) >= time.Hour || late >= manyLate
	if late == 0 || !due {
		return nil
	}
	return s.seal(ctx, before)
}

// readingsBefore counts the readings of open days before a day.
func (s *Store) readingsBefore(day chunk.Day) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.byUID {
		for d, open := range c.days {
			if d < day {
				n += open.count
			}
		}
	}
	return n
}

// Seal moves the days that are over before a day from the log to the monthly
// files.
func (s *Store) Seal(ctx context.Context, before time.Time) error {
	if err := s.sealing.lock(ctx); err != nil {
		return err
	}
	defer s.sealing.unlock()
	return s.seal(ctx, chunk.DayOf(smartmeter.InstantOf(before)))
}

// seal writes every open day before a day into the monthly files, notes in the
// index where they lie, and lets the log go of them, in this order: whenever it
// is interrupted, each reading is in one place at least, and is found once. The
// caller holds sealing.
func (s *Store) seal(ctx context.Context, before chunk.Day) error {
	if durable := s.wal.Durable(); durable > carryAfter {
		s.carryUnplaced(durable - carryAfter)
	}
	if err := s.commitSealed(ctx); err != nil { // what an earlier try has left
		return err
	}
	if err := s.Sync(ctx); err != nil {
		return err
	}
	journal, parts := s.waitingJournal(), s.partsBefore(before)
	if err := s.Sync(ctx); err != nil { // what came in meanwhile is in the log before it is sealed
		return err
	}
	if err := s.sealJournal(ctx, journal); err != nil {
		return err
	}
	for group := range slices.Chunk(parts, sealGroup) {
		for _, p := range group {
			if err := s.sealDay(ctx, p); err != nil {
				return fmt.Errorf("seal %v of %s: %w", p.day, p.channel.id.node, err)
			}
		}
		if err := s.commitSealed(ctx); err != nil {
			return err
		}
	}
	s.sealer.sealed, s.sealer.sealedAt = before, s.now()
	return s.releaseLog(ctx)
}

// partsBefore returns the open days before a day, in order of time.
func (s *Store) partsBefore(before chunk.Day) []openPart {
	var parts []openPart
	for _, p := range s.partsWith(0) {
		if p.day < before {
			parts = append(parts, p)
		}
	}
	slices.SortFunc(parts, func(x, y openPart) int {
		return cmp.Or(cmp.Compare(x.day, y.day), cmp.Compare(x.channel.key, y.channel.key))
	})
	return parts
}

// sealDay hands a day to the archive: what memory has together with what is
// sealed already.
func (s *Store) sealDay(ctx context.Context, p openPart) error {
	known, readings, err := s.readSealed(ctx, p.channel, p.day, &s.sealer.decoder)
	if err != nil {
		return err
	}
	if known.version == 0 {
		if thinned, err := s.isThinned(ctx, p.channel, p.day); thinned || err != nil {
			return s.tooLate(p, err)
		}
	}
	if readings, err = p.appendTo(readings, &s.sealer.decoder); err != nil {
		return err
	}
	readings = inOrder(readings)
	if len(readings) > chunk.MaxReadings {
		s.log.Warn("a day has more readings than a chunk can hold; the last of them are left out",
			"node", p.channel.id.node, "day", p.day, "readings", len(readings))
		readings = readings[:chunk.MaxReadings]
	}
	day := sealedDay{part: p}
	if known.version == 0 || known.hash != chunk.Hash(readings) {
		packed, err := s.sealer.encode(p, readings, known.version+1)
		if err != nil {
			return err
		}
		if err := s.archive.Append(archive.MonthOf(int64(p.day.Midnight())), frameChunk, packed); err != nil {
			return err
		}
		h, err := chunk.ReadHeader(packed)
		if err != nil {
			return err
		}
		day.row, day.sums, day.appended = rowOf(p.channel.key, h), s.sealer.sum(readings), true
	}
	s.sealer.handed = append(s.sealer.handed, day)
	return nil
}

func rowOf(key channelKey, h chunk.Header) chunkRow {
	return chunkRow{
		channel: key, day: h.Day, version: h.Version, count: h.Count,
		first: h.First, last: h.Last, hash: h.Hash, quantities: h.Quantities,
	}
}

// sum packs what a day's readings add up to; nil if they have no values.
func (s *sealer) sum(readings []smartmeter.Reading) []byte {
	if s.folder == nil {
		s.folder = rollup.NewFolder(smartmeter.AllQuantities, rollup.Quarter)
	}
	s.folder.Reset()
	for i := range readings {
		s.folder.Add(&readings[i])
	}
	buckets := s.folder.AppendBuckets(nil, lastInstant)
	if len(buckets) == 0 {
		return nil
	}
	return rollup.AppendDay(nil, buckets)
}

// journalFrameBytes is about how long a frame of the journal gets.
const journalFrameBytes = 1 << 20

// waitingJournal returns the entries of the log that are kept for good and not
// sealed, but for those that an erasure holds.
func (s *Store) waitingJournal() []journalEntry {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.journal)
	if held, any := s.heldJournal(); any {
		n, _ = slices.BinarySearchFunc(s.journal, held, func(j journalEntry, p wal.Position) int {
			return cmp.Compare(j.position, p)
		})
	}
	return slices.Clone(s.journal[:n])
}

// sealJournal seals entries of the log, in a frame or several.
func (s *Store) sealJournal(ctx context.Context, journal []journalEntry) error {
	for len(journal) > 0 {
		var lines bytes.Buffer
		n := 0
		for n < len(journal) && lines.Len() < journalFrameBytes {
			lines.Write(encodeEntry(journal[n].entry))
			lines.WriteByte('\n')
			n++
		}
		if err := s.archive.Append(s.journalMonth(), frameJournal, lines.Bytes()); err != nil {
			return err
		}
		s.sealer.handed = append(s.sealer.handed, sealedDay{appended: true, journal: n})
		if err := s.commitSealed(ctx); err != nil {
			return err
		}
		journal = journal[n:]
	}
	return nil
}

// journalMonth returns the month that the journal goes on in: the present one,
// but never one before others that there are. Its order is that of the months,
// and a clock may step back.
func (s *Store) journalMonth() archive.Month {
	month := archive.MonthOf(s.now().UnixMilli())
	if months := s.archive.Months(); len(months) > 0 {
		month = max(month, months[len(months)-1])
	}
	return month
}

// commitSealed makes durable what the archive was handed, notes it in the index
// and forgets it in memory. If it fails, the next one goes on with it.
func (s *Store) commitSealed(ctx context.Context) error {
	if len(s.sealer.handed) == 0 {
		return nil
	}
	places, err := s.archive.Sync(ctx)
	if err != nil {
		return fmt.Errorf("write to the monthly files: %w", err)
	}
	for i := range s.sealer.handed {
		day := &s.sealer.handed[i]
		if day.appended && day.row.place == (place{}) && len(places) > 0 {
			day.row.place, places = placeOf(places[0]), places[1:]
		}
	}
	change, noted := s.changeOfSealed()
	err = s.index.apply(ctx, change)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && !errors.Is(err, errNotYetScrubbed) {
		for _, b := range noted {
			b.unsaved = true
		}
		return err
	}
	for _, day := range s.sealer.handed {
		if day.part.channel != nil {
			day.part.channel.energy.stale.Store(true) // before memory forgets
			day.part.forget()
		}
		s.journal = s.journal[day.journal:]
	}
	s.sealer.handed = nil
	return nil
}

// changeOfSealed returns what the index is to know of the handed days, and the
// boots that it then knows.
func (s *Store) changeOfSealed() (change indexChange, boots []*boot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change.marks = s.archive.Marks()
	noted := make(map[*channel]bool)
	for _, day := range s.sealer.handed {
		c := day.part.channel
		if day.journal > 0 {
			change.settings = map[string]string{settingLog: s.logID()}
			change.applied = uint64(s.journal[day.journal-1].position)
		}
		if c == nil {
			continue
		}
		if day.appended {
			change.chunks = append(change.chunks, day.row)
		}
		if day.sums != nil {
			change.sums = append(change.sums, sumsRow{channel: c.key, day: day.row.day, packed: day.sums})
		}
		if !noted[c] {
			noted[c] = true
			boots = append(boots, c.noteIn(&change)...)
		}
	}
	return change, boots
}

// noteIn adds to a change what the index is to know of a channel beside its
// chunks, and returns the boots that are new to it.
func (c *channel) noteIn(change *indexChange) (boots []*boot) {
	change.channels = append(change.channels, c.row())
	if c.latest != nil {
		change.latest = append(change.latest, latestRow{channel: c.key, reading: *c.latest})
	}
	for _, id := range slices.Sorted(maps.Keys(c.boots)) {
		b := c.boots[id]
		if !b.unsaved {
			continue
		}
		b.unsaved = false
		boots = append(boots, b)
		for _, run := range b.durable {
			change.boots = append(change.boots, bootSpan{channel: c.key, boot: b.id, first: run.first, last: run.last, lastAt: b.lastAt})
		}
	}
	return boots
}

// forget takes from memory what is sealed. What came since then stays.
func (p openPart) forget() {
	d := p.channel.days[p.day]
	if d == nil {
		return
	}
	rest := d.tail[len(p.tail):]
	if len(rest) == 0 {
		delete(p.channel.days, p.day)
		return
	}
	p.channel.days[p.day] = &openDay{tail: slices.Clone(rest), count: len(rest), needs: p.next}
}
