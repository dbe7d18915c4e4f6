package wal

import (
	"encoding/binary"
	"hash/crc32"
	"math"
)

const (
	frameBytes   = 12 // a frame without its payload
	maxPayload   = 1<<23 - 1
	firstOfBatch = 1 << 23 // in a frame's length

	typeCheckpoint = 0
)

// castagnoli is CRC-32C's table; the processor has an instruction for it.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// frame is a record as a segment holds it.
type frame struct {
	at       int // offset in the segment
	end      int
	position Position
	kind     byte
	starts   bool // first of its batch
	payload  []byte
}

// appendFrame adds a frame to a buffer. Its checksum and whether it starts a
// batch are only known, and set by finish, when it is written.
func appendFrame(buf []byte, position Position, kind byte, payload []byte) []byte {
	buf = append(buf, 0, 0, 0, 0)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(payload))|uint32(kind)<<24)
	buf = binary.LittleEndian.AppendUint32(buf, uint32(position))
	return append(buf, payload...)
}

// frameLen returns the length of the frame at the start of a buffer, which must
// hold at least its first 12 bytes.
func frameLen(buf []byte) int {
	return frameBytes + int(binary.LittleEndian.Uint32(buf[4:])&maxPayload)
}

// finish makes one batch of the frames in a buffer, for the segment with this
// checksum seed.
func finish(batch []byte, seed uint32) {
	for first := true; len(batch) > 0; first = false {
		word := binary.LittleEndian.Uint32(batch[4:]) &^ firstOfBatch
		if first {
			word |= firstOfBatch
		}
		binary.LittleEndian.PutUint32(batch[4:], word)
		n := frameLen(batch)
		binary.LittleEndian.PutUint32(batch, crc32.Update(seed, castagnoli(), batch[4:n]))
		batch = batch[n:]
	}
}

// parse reads the frame at an offset of a segment. It must be intact and have a
// position from the expected one up to most further ones.
func parse(segment []byte, at int, seed uint32, expected Position, most uint32) (frame, bool) {
	if len(segment)-at < frameBytes {
		return frame{}, false
	}
	head := segment[at : at+frameBytes]
	ahead := binary.LittleEndian.Uint32(head[8:]) - uint32(expected)
	if ahead > most || uint64(expected) > math.MaxUint64-uint64(ahead) {
		return frame{}, false
	}
	n := frameLen(head)
	if n > len(segment)-at {
		return frame{}, false
	}
	if crc32.Update(seed, castagnoli(), segment[at+4:at+n]) != binary.LittleEndian.Uint32(head) {
		return frame{}, false
	}
	return frame{
		at:       at,
		end:      at + n,
		position: expected + Position(ahead),
		kind:     head[7],
		starts:   head[6]&(firstOfBatch>>16) != 0,
		payload:  segment[at+frameBytes : at+n : at+n],
	}, true
}

// positionAt returns what the head of a frame says of its position.
func positionAt(head []byte) uint32 {
	return binary.LittleEndian.Uint32(head[8:])
}
