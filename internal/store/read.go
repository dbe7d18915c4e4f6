package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/rollup"
)

// Readings yields a channel's readings with from <= At < to, oldest first. It
// holds a day in memory at a time.
func (s *Store) Readings(ctx context.Context, node smartmeter.NodeID, ch uint8, from, to smartmeter.Instant) iter.Seq2[smartmeter.Reading, error] {
	return func(yield func(smartmeter.Reading, error) bool) {
		days, err := s.days(ctx, channelID{node, ch}, from, to)
		if err != nil {
			yield(smartmeter.Reading{}, err)
			return
		}
		r := s.reader()
		defer s.readers.Put(r)
		for _, day := range days {
			for strip, err := range r.read(ctx, s, day, smartmeter.AllQuantities, from, to) {
				if err != nil {
					yield(smartmeter.Reading{}, err)
					return
				}
				for i := range strip {
					if !yield(strip[i], nil) {
						return
					}
				}
			}
		}
	}
}

// Buckets yields what a channel measured of the wanted quantities with
// from <= At < to, in steps of width, oldest first. Days that are sealed and
// wanted whole are answered from their sums.
func (s *Store) Buckets(ctx context.Context, node smartmeter.NodeID, ch uint8, want smartmeter.Quantities, from, to smartmeter.Instant, width smartmeter.Millis) iter.Seq2[smartmeter.Bucket, error] {
	return func(yield func(smartmeter.Bucket, error) bool) {
		days, err := s.days(ctx, channelID{node, ch}, from, to)
		if err != nil {
			yield(smartmeter.Bucket{}, err)
			return
		}
		sums, err := s.sums(ctx, channelID{node, ch}, from, to, width)
		if err != nil {
			yield(smartmeter.Bucket{}, err)
			return
		}
		days = s.withThinned(days, channelID{node, ch}, sums)
		r := s.reader()
		defer s.readers.Put(r)
		a := adder{store: s, reader: r, want: want, from: from, to: to, width: width, sums: sums}
		for _, day := range days {
			buckets, err := a.add(ctx, day)
			if err != nil {
				yield(smartmeter.Bucket{}, err)
				return
			}
			for _, b := range buckets {
				if !yield(b, nil) {
					return
				}
			}
		}
	}
}

// aDay is where a channel's day lies: in the monthly files, in memory, or in
// both.
type aDay struct {
	channel *channel
	day     chunk.Day
	sealed  []chunkRow // newest version first
	open    openPart
	thinned bool // only its sums are left
}

// days returns the days with readings between two instants, oldest first. What
// is in memory is looked up first: a day that is sealed meanwhile is then seen
// twice rather than not at all, and each reading counts once.
func (s *Store) days(ctx context.Context, id channelID, from, to smartmeter.Instant) ([]aDay, error) {
	if from >= to {
		return nil, nil
	}
	first, end := chunk.DayOf(max(from, 0)), chunk.DayOf(min(to, lastInstant)-1)+1
	found := make(map[chunk.Day]*aDay)
	s.mu.Lock()
	c := s.channels[id]
	if c != nil {
		for day, d := range c.days {
			if day >= first && day < end {
				found[day] = &aDay{channel: c, day: day, open: s.part(c, day, d)}
			}
		}
	}
	s.mu.Unlock()
	if c == nil {
		return nil, nil
	}
	for row, err := range s.index.chunks(ctx, c.key, first, end) {
		if err != nil {
			return nil, err
		}
		if found[row.day] == nil {
			found[row.day] = &aDay{channel: c, day: row.day}
		}
		found[row.day].sealed = append(found[row.day].sealed, row)
	}
	days := make([]aDay, 0, len(found))
	for _, day := range slices.SortedFunc(maps.Values(found), func(x, y *aDay) int { return cmp.Compare(x.day, y.day) }) {
		days = append(days, *day)
	}
	return days, nil
}

// lost says whether an error means that a version of a day is lost, or may be:
// an earlier one is better than none then.
func lost(err error) bool {
	return errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrMissing) || errors.Is(err, chunk.ErrCorrupt) || errors.Is(err, disk.ErrIO)
}

// sealedVersions looks up again where a day lies, when nobody moves anything.
func (s *Store) sealedVersions(ctx context.Context, day aDay) ([]chunkRow, error) {
	if err := s.sealing.lock(ctx); err != nil {
		return nil, err
	}
	defer s.sealing.unlock()
	return allRows(s.index.chunks(ctx, day.channel.key, day.day, day.day+1))
}

// readSealed returns the newest version of a sealed day that can be read, and
// the highest version there is; version 0 if there is none.
func (s *Store) readSealed(ctx context.Context, c *channel, day chunk.Day, dec *chunk.Decoder) (known chunkRow, readings []smartmeter.Reading, err error) {
	for row, err := range s.index.chunks(ctx, c.key, day, day+1) {
		if err != nil {
			return known, nil, err
		}
		highest := max(known.version, row.version)
		_, count, err := s.unpackChunk(c, row, dec, nil, smartmeter.AllQuantities)
		if err == nil {
			readings := make([]smartmeter.Reading, count)
			dec.Read(readings, 0, "", 0)
			row.version = highest
			s.progress(int(row.place.length))
			return row, readings, nil
		}
		if !lost(err) || errors.Is(err, disk.ErrIO) {
			return known, nil, err // it may be there another time
		}
		known = chunkRow{version: highest}
	}
	return known, nil, nil
}

// sums returns the packed sums of the days between two instants, where they
// answer.
func (s *Store) sums(ctx context.Context, id channelID, from, to smartmeter.Instant, width smartmeter.Millis) (map[chunk.Day][]byte, error) {
	s.mu.Lock()
	c := s.channels[id]
	s.mu.Unlock()
	sums := make(map[chunk.Day][]byte)
	if c == nil || from >= to || width%rollup.Quarter != 0 {
		return sums, nil
	}
	first, end := chunk.DayOf(max(from, 0)), chunk.DayOf(min(to, lastInstant)-1)+1
	for row, err := range s.index.sums(ctx, c.key, first, end) {
		if err != nil {
			return nil, err
		}
		sums[row.day] = bytes.Clone(row.packed)
	}
	return sums, nil
}

// adder answers with buckets, a day at a time.
type adder struct {
	store    *Store
	want     smartmeter.Quantities
	from, to smartmeter.Instant
	width    smartmeter.Millis
	sums     map[chunk.Day][]byte

	reader  *dayReader
	folder  *rollup.Folder
	kept    []smartmeter.Bucket
	buckets []smartmeter.Bucket
}

// add returns a day's buckets, valid until the next call.
func (a *adder) add(ctx context.Context, day aDay) ([]smartmeter.Bucket, error) {
	packed, known := a.sums[day.day]
	if day.thinned {
		return a.addThinned(packed)
	}
	begin := day.day.Midnight()
	whole := a.from <= begin && begin+smartmeter.Instant(rollup.Day) <= a.to
	if known && whole && day.open.channel == nil {
		if buckets, err := a.unpack(packed); err == nil {
			return buckets, nil
		}
		// They are summed up anew.
	}
	if a.folder == nil {
		a.folder = rollup.NewFolder(a.want, a.width)
	}
	a.folder.Reset()
	for strip, err := range a.reader.read(ctx, a.store, day, a.want, a.from, a.to) {
		if err != nil {
			return nil, err
		}
		for i := range strip {
			a.folder.Add(&strip[i])
		}
	}
	a.buckets = a.folder.AppendBuckets(a.buckets[:0], a.to)
	return a.buckets, nil
}

func (a *adder) unpack(packed []byte) ([]smartmeter.Bucket, error) {
	kept := rollup.Quarter
	if a.width%rollup.Hour == 0 {
		kept = rollup.Hour
	}
	var err error
	if a.kept, err = rollup.AppendBuckets(a.kept[:0], packed, a.want, kept); err != nil || kept == a.width {
		return a.kept, err
	}
	a.buckets = rollup.Compose(a.buckets[:0], a.kept, a.width)
	return a.buckets, nil
}

// within returns those of readings, which are in order, with from <= At < to.
func within(readings []smartmeter.Reading, from, to smartmeter.Instant) []smartmeter.Reading {
	at := func(r smartmeter.Reading, at smartmeter.Instant) int { return cmp.Compare(r.At, at) }
	i, _ := slices.BinarySearchFunc(readings, from, at)
	j, _ := slices.BinarySearchFunc(readings, to, at)
	return readings[i:j]
}

// Latest returns the newest reading of every channel, as smartmeter.Reading.After
// puts it together.
func (s *Store) Latest(context.Context) ([]smartmeter.Reading, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []smartmeter.Reading
	for _, c := range s.channels {
		if c.latest != nil {
			all = append(all, *c.latest)
		}
	}
	return all, nil
}

// Devices returns all devices, by id.
func (s *Store) Devices(context.Context) ([]smartmeter.Device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.devices), func(x, y smartmeter.Device) int { return cmp.Compare(x.ID, y.ID) }), nil
}

// Commands returns a device's newest commands, newest first.
func (s *Store) Commands(ctx context.Context, device smartmeter.DeviceID, limit int) ([]smartmeter.Command, error) {
	s.catchUp(ctx)
	commands, err := s.index.commands(ctx, device, limit)
	if err != nil {
		return nil, fmt.Errorf("read the commands of %s: %w", device, err)
	}
	return commands, nil
}

// catchUp brings the index up to date, if it is behind with what people and
// relays did and the disk lets it.
func (s *Store) catchUp(ctx context.Context) {
	s.mu.Lock()
	behind := len(s.entries)+len(s.unindexed) > 0
	s.mu.Unlock()
	if !behind {
		return
	}
	if err := s.Sync(ctx); err != nil {
		s.log.Debug("a query misses what could not be written yet", "err", err)
	}
}

// Retained returns what was kept for the broker, by topic.
func (s *Store) Retained(context.Context) ([]smartmeter.Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.retained), func(x, y smartmeter.Message) int { return cmp.Compare(x.Topic, y.Topic) }), nil
}
