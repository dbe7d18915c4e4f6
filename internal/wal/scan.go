package wal

import (
	"math"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// unknown is where a segment ends that no later one bounds.
const unknown = Position(math.MaxUint64)

// scan reads a segment's records in order.
type scan struct {
	segment  []byte
	seed     uint32
	begin    int      // where the records begin
	expected Position // the next record's position
	cutoff   Position // nothing from here on counts
	closed   bool     // all below the cutoff was acknowledged
	end      int      // behind the last intact record
	torn     bool     // it ends in a batch that is not whole
	// tornRecords is how many records of that batch are whole.
	tornRecords int

	record  func(frame) error
	missing func(at int, from, to Position)
}

// run reads up to the cutoff; or, if the segment is not closed, up to the batch
// that was torn.
func (s *scan) run() error {
	s.end = s.begin
	for s.expected < s.cutoff {
		f, ok := s.follow()
		if !ok {
			f, ok = s.resume()
		}
		if !ok || f.position >= s.cutoff {
			break
		}
		if f.position > s.expected {
			s.missing(s.end, s.expected, f.position)
		}
		s.end = f.end
		s.expected = f.position + 1
		if err := s.record(f); err != nil {
			return err
		}
	}
	return nil
}

// firstBatch returns the first record of the first batch from an offset on that
// starts intact, whatever its position, within reason.
func firstBatch(segment []byte, at int, seed uint32, around Position) (frame, bool) {
	const reason = 1 << 30
	from := max(around, reason+1) - reason
	for ; at < len(segment); at += disk.SectorBytes {
		if f, ok := parse(segment, at, seed, from, 2*reason); ok && f.starts {
			return f, true
		}
	}
	return frame{}, false
}

// follow returns the next record if it is intact and where it should be: right
// behind the last one, or first in a batch at the next sector or block.
func (s *scan) follow() (frame, bool) {
	for _, at := range [...]int{s.end, roundUp(s.end, disk.SectorBytes), roundUp(s.end, disk.BlockBytes)} {
		f, ok := parse(s.segment, at, s.seed, s.expected, 0)
		if ok && (f.starts || at == s.end) {
			return f, true
		}
	}
	return frame{}, false
}

// resume looks for the next intact record anywhere. In a segment that is not
// closed, it must be followed by the start of a later batch, or be one: only
// then was the broken batch once acknowledged.
func (s *scan) resume() (frame, bool) {
	var next frame
	found := false
	for at := s.end; at+frameBytes <= len(s.segment); at++ {
		// No more records can be missing than the bytes between could hold.
		f, ok := parse(s.segment, at, s.seed, s.expected, uint32((at-s.end)/frameBytes))
		if !ok {
			continue
		}
		if !found {
			next, found = f, true
		}
		if f.starts || s.closed {
			s.tornRecords = 0
			return next, true
		}
		s.tornRecords++
		at = f.end - 1
	}
	s.torn = found || s.halfFrame()
	return frame{}, false
}

// halfFrame says whether the next record's head is where it should be, though
// the record is not intact.
func (s *scan) halfFrame() bool {
	for _, at := range [...]int{s.end, roundUp(s.end, disk.SectorBytes), roundUp(s.end, disk.BlockBytes)} {
		if len(s.segment)-at >= frameBytes && positionAt(s.segment[at:]) == uint32(s.expected) {
			return true
		}
	}
	return false
}
