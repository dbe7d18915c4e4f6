package wal

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

const (
	headerUsed  = 64 + maxLives*16 + 4
	headerBytes = 2 * disk.SectorBytes // two copies
	magic       = "SMwal\x00\r\n"

	// maxLives is how many lives a header remembers: what fits into its sector.
	maxLives = 24

	// maxPosition is more than a log can reach; a header that says otherwise is
	// somebody's joke.
	maxPosition = 1 << 62

	segmentSuffix = ".wal"
	spareSuffix   = ".spare"

	// maxSegmentBytes bounds what Open reads into memory at once.
	maxSegmentBytes = 64 << 20
)

// ID tells one log from another. A restored copy of a log should continue as
// another one.
type ID [16]byte

// tag is what makes a segment this segment and no other.
type tag struct {
	number uint64
	life   uint64
}

// base is the file name without suffix.
func (t tag) base() string {
	return fmt.Sprintf("%016x-%016x", t.number, t.life)
}

// parseName reads a file name of a segment or a spare.
func parseName(name, suffix string) (tag, bool) {
	base, ok := strings.CutSuffix(name, suffix)
	if !ok {
		return tag{}, false
	}
	number, life, ok := strings.Cut(base, "-")
	n, errNumber := strconv.ParseUint(number, 16, 64)
	l, errLife := strconv.ParseUint(life, 16, 64)
	t := tag{number: n, life: l}
	return t, ok && errNumber == nil && errLife == nil && t.base() == base
}

// seed is where a frame's checksum starts from: bytes of another segment or of
// an earlier use of the file never look like a frame of this one. It needs the
// file's name only, so that records outlive their header.
func (t tag) seed() uint32 {
	b := binary.LittleEndian.AppendUint64(nil, t.number)
	return crc32.Checksum(binary.LittleEndian.AppendUint64(b, t.life), castagnoli())
}

// life is one from Open to Close or a crash. It ends where the next one begins:
// what it wrote beyond was torn, and is void.
type life struct {
	id  uint64
	end Position
}

// header is what a segment says of itself, and of what was before.
type header struct {
	id         ID
	tag        tag
	first      Position // of its first record
	checkpoint Position // of the first record that is still needed
	before     []life   // newest first
}

// appendTo adds both copies, each filling a sector.
func (h header) appendTo(buf []byte) []byte {
	var sector [disk.SectorBytes]byte
	b := append(sector[:0], magic...)
	b = append(b, h.id[:]...)
	b = binary.LittleEndian.AppendUint64(b, h.tag.number)
	b = binary.LittleEndian.AppendUint64(b, h.tag.life)
	b = binary.LittleEndian.AppendUint64(b, uint64(h.first))
	b = binary.LittleEndian.AppendUint64(b, uint64(h.checkpoint))
	b = binary.LittleEndian.AppendUint64(b, uint64(len(h.before)))
	for _, l := range h.before {
		b = binary.LittleEndian.AppendUint64(b, l.id)
		b = binary.LittleEndian.AppendUint64(b, uint64(l.end))
	}
	b = b[:headerUsed-4]
	binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli()))
	return append(append(buf, sector[:]...), sector[:]...)
}

// headerState is what became of a header.
type headerState int

const (
	// headerBlank was never written: zeroes, or the header of the segment that
	// the file was before.
	headerBlank headerState = iota
	headerIntact
	headerBroken
	headerForeign // of another log
	headerGone    // though it was once acknowledged: later batches are there
)

// parseHeader reads the first intact copy of the header of a segment called so.
func parseHeader(start []byte, name tag) (header, headerState) {
	state := headerBlank
	for at := 0; at < headerBytes && at+headerUsed <= len(start); at += disk.SectorBytes {
		b := start[at : at+headerUsed]
		if !isHeader(b) {
			if !bytes.Equal(b, make([]byte, headerUsed)) {
				state = headerBroken
			}
			continue
		}
		if h := decodeHeader(b); h.tag == name && h.first > 0 && max(h.first, h.checkpoint) < maxPosition {
			return h, headerIntact
		}
	}
	return header{}, state
}

// isHeader says whether these bytes are an intact header.
func isHeader(b []byte) bool {
	sum := b[headerUsed-4:]
	return bytes.HasPrefix(b, []byte(magic)) && crc32.Checksum(b[:headerUsed-4], castagnoli()) == binary.LittleEndian.Uint32(sum)
}

// decodeHeader reads an intact header.
func decodeHeader(b []byte) header {
	h := header{
		id:         ID(b[8:24]),
		tag:        tag{number: binary.LittleEndian.Uint64(b[24:]), life: binary.LittleEndian.Uint64(b[32:])},
		first:      Position(binary.LittleEndian.Uint64(b[40:])),
		checkpoint: Position(binary.LittleEndian.Uint64(b[48:])),
	}
	lives := min(binary.LittleEndian.Uint64(b[56:]), maxLives)
	for b = b[64:]; lives > 0; lives-- {
		h.before = append(h.before, life{id: binary.LittleEndian.Uint64(b), end: Position(binary.LittleEndian.Uint64(b[8:]))})
		b = b[16:]
	}
	return h
}

// bound returns where an earlier segment of a life ends according to this one,
// and whether all below was acknowledged, which it knows of its own life and of
// those that it remembers.
func (h header) bound(id uint64) (cutoff Position, closed bool) {
	cutoff = h.first
	if id == h.tag.life {
		return cutoff, true
	}
	for _, l := range h.before {
		cutoff = l.end
		if l.id == id {
			return cutoff, true
		}
	}
	return cutoff, false
}

// roundUp returns the next multiple of a power of two.
func roundUp(n, unit int) int {
	return (n + unit - 1) &^ (unit - 1)
}

// place returns where a batch of n bytes starts that follows what ends at end:
// at the next sector, or at the next block if it then touches fewer blocks.
func place(end, n int) int {
	at := roundUp(end, disk.SectorBytes)
	block := roundUp(at, disk.BlockBytes)
	if roundUp(at+n, disk.BlockBytes)-at&^(disk.BlockBytes-1) > roundUp(n, disk.BlockBytes) {
		return block
	}
	return at
}
