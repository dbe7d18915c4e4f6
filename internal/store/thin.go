package store

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/rollup"
	"zombiezen.com/go/sqlite"
)

// Whoever does not want every reading for ever has old months thinned: of each
// day there its sums by quarter hour stay, in the monthly files as in the index,
// and its readings go.

// Thin takes the readings of all months that were over before an instant, one
// month after the other. A power cut leaves a month as it was, or thinned.
func (s *Store) Thin(ctx context.Context, before time.Time) error {
	for _, m := range s.archive.Months() {
		if m >= archive.MonthOf(before.UnixMilli()) {
			continue
		}
		if err := s.thinMonth(ctx, m); err != nil {
			return fmt.Errorf("thin %v: %w", m, err)
		}
	}
	return nil
}

// thinMonth thins a month, unless it is. When it is interrupted between files
// and index, the index is made again at the next start.
func (s *Store) thinMonth(ctx context.Context, m archive.Month) error {
	if err := s.sealing.lock(ctx); err != nil {
		return err
	}
	defer s.sealing.unlock()
	chunks, err := s.index.chunksOf(ctx, m)
	if err != nil || chunks == 0 {
		return err
	}
	if err := s.commitSealed(ctx); err != nil {
		return err
	}
	if err := s.settleAll(ctx); err != nil { // energy is made of readings, and stays
		return err
	}
	s.log.Info("thinning a month: its readings go, what they add up to by quarter hour stays", "month", m.String(), "days", chunks)
	change := indexChange{moved: make(map[place]place)}
	moved, err := s.archive.Recast(ctx, m, func(f archive.Frame) (archive.Kind, []byte, bool, error) {
		thinned, ok := s.thin(f)
		if !ok {
			return f.Kind, f.Payload, true, nil
		}
		change.gone = append(change.gone, placeOf(f.Place))
		return frameSums, thinned, len(thinned) > 0, nil
	})
	if err != nil {
		return err
	}
	for from, to := range moved {
		change.moved[placeOf(from)] = placeOf(to)
	}
	for _, gone := range change.gone {
		delete(change.moved, gone)
	}
	change.marks = s.archive.Marks()
	if err := s.index.apply(ctx, change); err != nil && !errors.Is(err, errNotYetScrubbed) {
		return err
	}
	return nil
}

// thin returns what stays of a chunk, nothing if it has no values. What is no
// chunk, or of a version that nobody here can read, stays as it is.
func (s *Store) thin(f archive.Frame) (payload []byte, ok bool) {
	if f.Kind != frameChunk {
		return nil, false
	}
	h, readings, err := s.sealer.decoder.Decode(f.Payload, nil)
	if err != nil {
		s.log.Error("a part of the monthly files cannot be thinned", "place", f.Place.String(), "err", err)
		return nil, false
	}
	sums := s.sealer.sum(readings)
	if sums == nil {
		return nil, true
	}
	return encodeThinned(thinnedDay{channel: h.Channel, day: h.Day, version: h.Version, sums: sums}), true
}

// thinnedDay is what is left of a chunk.
type thinnedDay struct {
	channel chunk.ID
	day     chunk.Day
	version uint32 // of the chunk
	sums    []byte // as package rollup packs them
}

// The form of a thinned day: a byte 1, the channel's id, day and version of the
// chunk as 4 bytes each, little endian, and the packed sums, which have a
// checksum of their own.
const (
	thinnedForm  = 1
	thinnedBytes = 1 + 16 + 4 + 4
)

var errThinned = errors.New("a thinned day is not as it was written; it may be of a newer version of smartmeter")

func encodeThinned(t thinnedDay) []byte {
	p := append([]byte{thinnedForm}, t.channel[:]...)
	p = binary.LittleEndian.AppendUint32(p, uint32(t.day))
	p = binary.LittleEndian.AppendUint32(p, t.version)
	return append(p, t.sums...)
}

func decodeThinned(p []byte) (t thinnedDay, err error) {
	if len(p) < thinnedBytes || p[0] != thinnedForm {
		return t, errThinned
	}
	copy(t.channel[:], p[1:])
	t.day = chunk.Day(int32(binary.LittleEndian.Uint32(p[17:])))
	t.version = binary.LittleEndian.Uint32(p[21:])
	t.sums = p[thinnedBytes:]
	return t, nil
}

// takeThinned takes a thinned day into the index.
func (a *adoption) takeThinned(payload []byte) error {
	t, err := decodeThinned(payload)
	if err != nil {
		return err
	}
	c := a.store.byUID[t.channel]
	if c == nil {
		c = a.store.addChannel(channelID{}, t.channel) // the journal will tell its name
	}
	a.change.sums = append(a.change.sums, sumsRow{channel: c.key, day: t.day, packed: slices.Clone(t.sums)})
	a.note(c)
	return nil
}

// isThinned reports whether only the sums of a day without chunks are left.
func (s *Store) isThinned(ctx context.Context, c *channel, day chunk.Day) (bool, error) {
	for _, err := range s.index.sums(ctx, c.key, day, day+1) {
		return err == nil, err
	}
	return false, nil
}

// tooLate gives up readings of a day that is thinned: its sums cannot be added
// to. err is why nobody knows whether it is.
func (s *Store) tooLate(p openPart, err error) error {
	if err != nil {
		return err
	}
	s.log.Warn("readings came in for a day that is thinned; they are left out", "node", p.channel.id.node, "day", p.day)
	s.sealer.handed = append(s.sealer.handed, sealedDay{part: p})
	return nil
}

// withThinned adds to days those of which only the sums are left.
func (s *Store) withThinned(days []aDay, id channelID, sums map[chunk.Day][]byte) []aDay {
	s.mu.Lock()
	c := s.channels[id]
	s.mu.Unlock()
	sealed := make(map[chunk.Day]bool, len(days))
	for _, d := range days {
		sealed[d.day] = len(d.sealed) > 0
	}
	var thinned []aDay
	for day := range sums {
		if !sealed[day] {
			thinned = append(thinned, aDay{channel: c, day: day, thinned: true})
		}
	}
	if thinned == nil {
		return days
	}
	days = slices.DeleteFunc(days, func(d aDay) bool { return !sealed[d.day] && sums[d.day] != nil }) // what came too late
	days = append(days, thinned...)
	slices.SortFunc(days, func(x, y aDay) int { return cmp.Compare(x.day, y.day) })
	return days
}

// addThinned returns a thinned day's buckets: of the first and the last quarter
// hour, which may be wanted in part, those that begin in time.
func (a *adder) addThinned(packed []byte) (buckets []smartmeter.Bucket, err error) {
	if a.kept, err = rollup.AppendBuckets(a.kept[:0], packed, a.want, rollup.Quarter); err != nil {
		return nil, fmt.Errorf("the sums of a thinned day: %w; make the database again", err)
	}
	wanted := slices.DeleteFunc(a.kept, func(b smartmeter.Bucket) bool { return b.At < a.from || b.At >= a.to })
	if a.width == rollup.Quarter {
		return wanted, nil
	}
	a.buckets = rollup.Compose(a.buckets[:0], wanted, a.width)
	return a.buckets, nil
}

// chunksOf returns how many sealed days a month's files have.
func (x *index) chunksOf(ctx context.Context, m archive.Month) (n int, err error) {
	err = x.query(ctx, `SELECT count(*) FROM chunk WHERE month = ?`, []any{int64(m)}, func(stmt *sqlite.Stmt) error {
		n = stmt.ColumnInt(0)
		return nil
	})
	return n, err
}
