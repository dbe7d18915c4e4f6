package wal

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// findCheckpoint looks for what was released since the newest header was
// written, so that it is not delivered.
func (r *recovery) findCheckpoint() error {
	newest := -1
	for i, s := range r.found {
		if s.state == headerIntact {
			newest = i
		}
	}
	if newest < 0 {
		return nil
	}
	last := r.found[newest]
	b, _, err := r.readSegment(last.tag, last.size)
	if err != nil {
		return err
	}
	s := scan{
		segment: b, seed: last.tag.seed(), begin: headerBytes, expected: last.header.first, cutoff: unknown,
		record:  func(f frame) error { r.noteCheckpoint(f); return nil },
		missing: func(int, Position, Position) {},
	}
	return s.run()
}

// noteCheckpoint takes what a checkpoint says, never more than lies behind it.
func (r *recovery) noteCheckpoint(f frame) {
	if f.kind == typeCheckpoint && len(f.payload) == 8 {
		upTo := min(Position(binary.LittleEndian.Uint64(f.payload)), f.position)
		r.log.checkpoint = max(r.log.checkpoint, upTo)
	}
}

// replay delivers the records of a segment.
func (r *recovery) replay(i int) error {
	found := r.found[i]
	if found.state == headerForeign {
		r.damaged(found.tag, 0, r.expected, r.expected, "it belongs to another log")
		found.cutoff = 0
	}
	if found.cutoff <= max(r.log.checkpoint, r.expected) {
		r.log.older = append(r.log.older, segment{tag: found.tag, first: r.expected, size: found.size})
		return nil // released, void, or not ours
	}
	b, unreadable, err := r.readSegment(found.tag, found.size)
	if err != nil {
		return err
	}
	s := &scan{segment: b, seed: found.tag.seed(), begin: found.begin, cutoff: found.cutoff, closed: found.closed}
	s.record = r.deliver
	s.missing = func(at int, from, to Position) { r.damaged(found.tag, at, from, to, "damaged") }
	s.expected = r.start(found)
	r.log.older = append(r.log.older, segment{tag: found.tag, first: max(s.expected, r.expected), size: found.size})
	if unreadable {
		r.damaged(found.tag, 0, s.expected, s.expected, "the disk cannot read all of it")
	}
	if err := s.run(); err != nil {
		return err
	}
	r.expected = max(r.expected, s.expected)
	if s.torn && found.cutoff == unknown {
		r.report.Torn, r.report.TornIn, r.report.TornRecords = true, found.tag.base()+segmentSuffix, s.tornRecords
	}
	if i == len(r.found)-1 && !unreadable {
		r.cutTail(found, s.end)
	}
	return nil
}

// start returns the position that a segment begins with: what its header says,
// or, if that is gone, its first batch, or else where the one before ended.
func (r *recovery) start(found found) Position {
	first := found.header.first
	if first == 0 {
		first = r.expected
	}
	if found.state == headerBroken || found.state == headerGone {
		r.damaged(found.tag, 0, first, first, "its header is damaged")
	}
	if first > r.expected {
		r.damaged(found.tag, 0, r.expected, first, "something is missing before it")
	}
	return first
}

// deliver hands a record to the caller, unless it is the log's own, was
// released, or came already.
func (r *recovery) deliver(f frame) error {
	if f.kind == typeCheckpoint || f.position < r.log.checkpoint || f.position < r.expected {
		return nil
	}
	r.report.Records++
	return r.record(Record{Position: f.position, Type: f.kind, Payload: f.payload})
}

// damaged adds to the report, unless nobody needs what is missing.
func (r *recovery) damaged(t tag, at int, from, to Position, reason string) {
	if from < to && to <= r.log.checkpoint {
		return
	}
	r.report.Damage = append(r.report.Damage, Damage{
		Segment: t.base() + segmentSuffix, Offset: int64(at), From: from, To: to, Reason: reason,
	})
}

// cutTail takes off the last segment what it will not use: many short lives must
// not fill the disk, and what was never acknowledged is better gone. If that
// fails, nothing depends on it.
func (r *recovery) cutTail(found found, end int) {
	size := int64(roundUp(end, disk.SectorBytes))
	if found.size <= size {
		return
	}
	f, err := r.log.cfg.FS.Open(r.log.path(found.tag, segmentSuffix))
	if err != nil {
		return
	}
	if f.Truncate(size) == nil {
		_ = f.Sync()
		r.log.older[len(r.log.older)-1].size = size
	}
	_ = f.Close()
}

// readSegment reads the first bytes of a segment into memory, valid until the
// next call. Blocks that the disk cannot read are zero.
func (r *recovery) readSegment(t tag, size int64) (b []byte, unreadable bool, err error) {
	if int64(cap(r.buf)) < size {
		r.buf = make([]byte, size)
	}
	b = r.buf[:size]
	f, err := r.log.cfg.FS.Open(r.log.path(t, segmentSuffix))
	if errors.Is(err, disk.ErrIO) {
		clear(b)
		return b, true, nil
	}
	if err != nil {
		return nil, false, err
	}
	r.report.Bytes += size
	n, err := f.ReadAt(b, 0)
	clear(b[n:])
	switch {
	case errors.Is(err, disk.ErrIO):
		err = readBlocks(f, b)
		unreadable = true
	case errors.Is(err, io.EOF):
		err = nil
	}
	return b, unreadable, errors.Join(err, f.Close())
}

// readBlocks reads what can be read of a file.
func readBlocks(f disk.File, b []byte) error {
	for at := 0; at < len(b); at += disk.BlockBytes {
		block := b[at:min(at+disk.BlockBytes, len(b))]
		n, err := f.ReadAt(block, int64(at))
		clear(block[n:])
		if err != nil && !errors.Is(err, disk.ErrIO) && !errors.Is(err, io.EOF) {
			return err
		}
	}
	return nil
}
