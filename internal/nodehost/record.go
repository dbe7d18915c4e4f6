package nodehost

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/iot-smart-meter/smartmeter"
)

// A record has 64 bytes, so that none crosses the border of a disk's sector:
// a checksum (CRC-32C) of what follows it, then the fields below, little endian.
const recordLen = 64

// checksums is the table of CRC-32C.
var checksums = crc32.MakeTable(crc32.Castagnoli)

// seal puts the checksum before a record.
func seal(r *[recordLen]byte) {
	binary.LittleEndian.PutUint32(r[:], crc32.Checksum(r[4:], checksums))
}

// intact reports whether a record's checksum is right.
func intact(r []byte) bool {
	return binary.LittleEndian.Uint32(r) == crc32.Checksum(r[4:], checksums)
}

// encodeRecord puts a sample into a record. Its quantities fit, for a node only
// keeps what is within the meter's physical range.
func encodeRecord(r *[recordLen]byte, position uint64, s *smartmeter.Sample) {
	le := binary.LittleEndian
	*r = [recordLen]byte{}
	le.PutUint64(r[4:], position)
	le.PutUint32(r[12:], uint32(s.Boot))
	le.PutUint32(r[16:], s.Seq)
	le.PutUint64(r[20:], uint64(s.T))
	le.PutUint64(r[28:], uint64(s.At))
	le.PutUint64(r[36:], uint64(s.Energy))
	le.PutUint32(r[44:], uint32(s.Current))
	le.PutUint32(r[48:], uint32(s.Power))
	le.PutUint16(r[52:], uint16(s.Voltage))
	le.PutUint16(r[54:], uint16(s.Frequency))
	r[56] = byte(s.PowerFactor)
	r[57] = byte(s.Has)
	r[58] = isRecord
	seal(r)
}

// The kinds of records; a file of zeroes has none.
const (
	isRecord = 1
	isHead   = 2
)

// decodeRecord reads a record; ok is false if it is none.
func decodeRecord(r []byte, s *smartmeter.Sample) (position uint64, ok bool) {
	if r[58] != isRecord || !intact(r) {
		return 0, false
	}
	le := binary.LittleEndian
	*s = smartmeter.Sample{
		Boot: smartmeter.BootID(le.Uint32(r[12:])),
		Seq:  le.Uint32(r[16:]),
		T:    smartmeter.Millis(le.Uint64(r[20:])),
		At:   smartmeter.Instant(le.Uint64(r[28:])),
		Measurement: smartmeter.Measurement{
			Energy:      smartmeter.WattHour(le.Uint64(r[36:])),
			Current:     smartmeter.Milliamp(le.Uint32(r[44:])),
			Power:       smartmeter.Deciwatt(le.Uint32(r[48:])),
			Voltage:     smartmeter.Decivolt(le.Uint16(r[52:])),
			Frequency:   smartmeter.Decihertz(le.Uint16(r[54:])),
			PowerFactor: smartmeter.Hundredth(r[56]),
			Has:         smartmeter.Quantities(r[57]),
		},
	}
	return le.Uint64(r[4:]), true
}

// encodeHead puts the oldest position, and the size of the ring, into a record.
func encodeHead(r *[recordLen]byte, first, kept uint64) {
	*r = [recordLen]byte{}
	binary.LittleEndian.PutUint64(r[4:], first)
	binary.LittleEndian.PutUint64(r[12:], kept)
	r[58] = isHead
	seal(r)
}

// decodeHead reads what encodeHead wrote for a ring of the same size.
func decodeHead(r []byte, kept uint64) (first uint64, ok bool) {
	if r[58] != isHead || !intact(r) || binary.LittleEndian.Uint64(r[12:]) != kept {
		return 0, false
	}
	return binary.LittleEndian.Uint64(r[4:]), true
}
