package archive

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

const (
	magic   = "SMarc\r\n"
	version = 1

	identityBytes = 40 // of the header: what tells a file from all others
	usedBytes     = 68 // of the header
	copyBytes     = disk.SectorBytes
	headerBytes   = 2 * copyBytes
)

// header is what a file says of itself and of the part before it.
type header struct {
	site   [16]byte
	id     uint64 // drawn when the file was made
	month  Month
	number uint32 // of the part

	previous uint32 // the part before it that counts; 0: none
	sound    int64  // all of it below this offset was acknowledged
	end      int64  // nothing of it from this offset on counts
}

// appendTo adds both copies.
func (h header) appendTo(b []byte) []byte {
	var sector [copyBytes]byte
	s := append(sector[:0], magic...)
	s = append(s, version)
	s = append(s, h.site[:]...)
	s = binary.LittleEndian.AppendUint64(s, h.id)
	s = binary.LittleEndian.AppendUint32(s, uint32(h.month))
	s = binary.LittleEndian.AppendUint32(s, h.number)
	s = binary.LittleEndian.AppendUint64(s, uint64(h.previous))
	s = binary.LittleEndian.AppendUint64(s, uint64(h.sound))
	s = binary.LittleEndian.AppendUint64(s, uint64(h.end))
	binary.LittleEndian.AppendUint32(s, crc32.Checksum(s, castagnoli()))
	b = append(b, sector[:]...)
	return append(b, sector[:]...)
}

// seed returns what the checksums of the file's frames start from.
func (h header) seed() uint32 {
	return crc32.Checksum(h.appendTo(nil)[:identityBytes], castagnoli())
}

// headerState is what can be said of a file by its first two sectors.
type headerState int

const (
	headerIntact headerState = iota
	headerBlank              // never written: the trace of a power cut
	headerBroken
	headerUnreadable // by the disk
	headerForeign    // of another site, or under the name of another file
	headerNewer      // of a format that came after this program
)

// parseHeader reads the first two sectors of a file that is named so.
// What is shorter was never acknowledged.
func parseHeader(b []byte, site [16]byte, m Month, number uint32) (header, headerState) {
	if len(b) < headerBytes {
		return header{}, headerBlank
	}
	blank := true
	for c := range 2 {
		s := b[c*copyBytes:]
		blank = blank && !anySet(s[:usedBytes])
		if h, v, ok := parseCopy(s); ok {
			return h, h.judge(v, site, m, number)
		}
	}
	if blank {
		return header{}, headerBlank
	}
	return header{}, headerBroken
}

// parseCopy reads one copy of a header, of which the checksum must be right.
func parseCopy(b []byte) (h header, v byte, ok bool) {
	if len(b) < usedBytes || !bytes.HasPrefix(b, []byte(magic)) ||
		crc32.Checksum(b[:usedBytes-4], castagnoli()) != binary.LittleEndian.Uint32(b[usedBytes-4:]) {
		return h, 0, false
	}
	return header{
		site:     [16]byte(b[8:24]),
		id:       binary.LittleEndian.Uint64(b[24:]),
		month:    Month(binary.LittleEndian.Uint32(b[32:])),
		number:   binary.LittleEndian.Uint32(b[36:]),
		previous: binary.LittleEndian.Uint32(b[40:]),
		sound:    int64(binary.LittleEndian.Uint64(b[48:])),
		end:      int64(binary.LittleEndian.Uint64(b[56:])),
	}, b[len(magic)], true
}

// judge says what a header with a right checksum is worth.
func (h header) judge(v byte, site [16]byte, m Month, number uint32) headerState {
	switch {
	case v != version:
		return headerNewer
	case h.site != site, h.month != m, h.number != number:
		return headerForeign
	case h.previous >= h.number, h.sound < 0, h.end < h.sound:
		return headerBroken
	}
	return headerIntact
}

// anySet says whether any byte is not zero.
func anySet(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return true
		}
	}
	return false
}
