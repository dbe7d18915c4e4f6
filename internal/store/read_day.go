package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
)

// dayReader reads days, one after the other, into the same memory.
type dayReader struct {
	decoder  chunk.Decoder
	packed   []byte
	strip    []smartmeter.Reading
	readings []smartmeter.Reading // of a day that is not all sealed
}

// stripReadings is how many readings of a sealed day are handed on at once: they
// come from its columns and stay in the processor's first cache.
const stripReadings = 256

// reader returns a dayReader with memory that was used before, if there is some.
// It is to be put back into s.readers.
func (s *Store) reader() *dayReader {
	if r, ok := s.readers.Get().(*dayReader); ok {
		return r
	}
	return &dayReader{strip: make([]smartmeter.Reading, stripReadings)}
}

// read yields a day's readings with from <= At < to, in strips that are valid
// until the next, with at least the wanted quantities.
func (r *dayReader) read(ctx context.Context, s *Store, day aDay, want smartmeter.Quantities, from, to smartmeter.Instant) iter.Seq2[[]smartmeter.Reading, error] {
	return func(yield func([]smartmeter.Reading, error) bool) {
		if day.open.channel != nil {
			yield(r.readOpen(ctx, s, day, from, to))
			return
		}
		count, err := r.unpack(ctx, s, day, want)
		if err != nil {
			yield(nil, err)
		}
		if count == 0 {
			return
		}
		id := day.channel.id
		for at, end := r.decoder.Between(from, to); at < end; at += stripReadings {
			strip := r.strip[:min(stripReadings, end-at)]
			r.decoder.Read(strip, at, id.node, id.channel)
			if !yield(strip, nil) {
				return
			}
		}
	}
}

// readOpen returns the readings of a day of which a part is in memory: that is
// put in order with what is sealed.
func (r *dayReader) readOpen(ctx context.Context, s *Store, day aDay, from, to smartmeter.Instant) ([]smartmeter.Reading, error) {
	count, err := r.unpack(ctx, s, day, smartmeter.AllQuantities)
	if err != nil {
		return nil, err
	}
	id := day.channel.id
	r.readings = slices.Grow(r.readings[:0], count)[:count]
	r.decoder.Read(r.readings, 0, id.node, id.channel)
	if r.readings, err = day.open.appendTo(r.readings, &r.decoder); err != nil {
		return nil, err
	}
	r.readings = inOrder(r.readings)
	for i := range r.readings {
		r.readings[i].Node, r.readings[i].Channel = id.node, id.channel
	}
	return within(r.readings, from, to), nil
}

// unpack has the decoder unpack what is sealed of a day, and returns how many
// readings that are.
func (r *dayReader) unpack(ctx context.Context, s *Store, day aDay, want smartmeter.Quantities) (count int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	count, err = r.unpackVersions(s, day, want)
	if errors.Is(err, archive.ErrMissing) {
		// Its month is being rewritten. Where it lies then is known when that ends.
		if day.sealed, err = s.sealedVersions(ctx, day); err == nil {
			count, err = r.unpackVersions(s, day, want)
		}
	}
	if err != nil && !lost(err) {
		return 0, fmt.Errorf("read %v of %s: %w", day.day, day.channel.id.node, err)
	}
	return count, nil
}

// unpackVersions unpacks the newest version of a sealed day that can be read.
// The error is that of the last one if none can.
func (r *dayReader) unpackVersions(s *Store, day aDay, want smartmeter.Quantities) (count int, err error) {
	for _, row := range day.sealed {
		if r.packed, count, err = s.unpackChunk(day.channel, row, &r.decoder, r.packed, want); err == nil || !lost(err) {
			return count, err
		}
		s.log.Error("a sealed day cannot be read; an earlier version of it may do",
			"node", day.channel.id.node, "day", row.day, "version", row.version, "err", err)
	}
	return 0, err
}

// unpackChunk reads a sealed day into packed and has dec unpack it. It returns
// the number of its readings.
func (s *Store) unpackChunk(c *channel, row chunkRow, dec *chunk.Decoder, packed []byte, want smartmeter.Quantities) ([]byte, int, error) {
	_, packed, err := s.archive.Read(row.place.archived(), packed)
	if err != nil {
		return packed, 0, err
	}
	h, err := dec.Unpack(packed, want)
	if err != nil {
		return packed, 0, err
	}
	if h.Channel != c.uid || h.Day != row.day || h.Version != row.version {
		return packed, 0, fmt.Errorf("%w: it names a frame that holds something else", errIndexBroken)
	}
	return packed, h.Count, nil
}
