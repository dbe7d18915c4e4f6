package archive

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

const (
	marker     = "SM\xf5" // no UTF-8, and rare in what is compressed
	frameBytes = 16       // a frame without its payload

	// MaxPayload is the size of the largest payload in bytes.
	MaxPayload = 1<<24 - 1
)

// role is what a frame is in its batch, a byte of its head.
type role byte

const (
	inBatch      role = 0xf8
	firstOfBatch role = 1 // these are added
	lastOfBatch  role = 2
)

// castagnoli is CRC-32C's table; the processor has an instruction for it.
func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// head is a frame without its payload, as a file has it at an offset.
type head struct {
	at     int64
	kind   Kind
	length int  // of the payload
	starts bool // first of its batch
	ends   bool // last of its batch
	sum    uint32
	want   uint32 // the checksum that sum and the payload must give
}

// end returns the offset behind the frame.
func (h head) end() int64 {
	return h.at + frameBytes + int64(h.length)
}

// appendFrame adds a frame that will be at an offset of the file with this seed.
func appendFrame(b []byte, seed uint32, at int64, k Kind, payload []byte, in role) []byte {
	first := len(b)
	b = append(b, marker...)
	b = append(b, byte(in))
	b = binary.LittleEndian.AppendUint32(b, uint32(k)|uint32(len(payload))<<8)
	sum := headSum(seed, at, b[first:])
	b = binary.LittleEndian.AppendUint32(b, sum)
	b = binary.LittleEndian.AppendUint32(b, crc32.Update(sum, castagnoli(), payload))
	return append(b, payload...)
}

// parseHead reads the head of a frame, which must be intact.
func parseHead(b []byte, seed uint32, at int64) (head, bool) {
	if len(b) < frameBytes || string(b[:len(marker)]) != marker {
		return head{}, false
	}
	in := role(b[3])
	sum := headSum(seed, at, b[:8])
	word := binary.LittleEndian.Uint32(b[4:])
	h := head{
		at:     at,
		kind:   Kind(word),
		length: int(word >> 8),
		starts: in&firstOfBatch != 0,
		ends:   in&lastOfBatch != 0,
		sum:    sum,
		want:   binary.LittleEndian.Uint32(b[12:]),
	}
	return h, in&inBatch == inBatch && h.kind != 0 && binary.LittleEndian.Uint32(b[8:]) == sum
}

// holds says whether a payload is the frame's.
func (h head) holds(payload []byte) bool {
	return len(payload) == h.length && crc32.Update(h.sum, castagnoli(), payload) == h.want
}

// headSum is the checksum of a frame's first 8 bytes at their place.
func headSum(seed uint32, at int64, first8 []byte) uint32 {
	var offset [8]byte
	binary.LittleEndian.PutUint64(offset[:], uint64(at))
	return crc32.Update(crc32.Update(seed, castagnoli(), offset[:]), castagnoli(), first8)
}

// nextSector returns the first offset from at on where a batch can begin.
func nextSector(at int64) int64 {
	return (at + disk.SectorBytes - 1) &^ (disk.SectorBytes - 1)
}
