package chunk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// MaxReadings is the most that one chunk holds: more than twice what a node
// measures in a day at its fastest, once a second.
const MaxReadings = 200_000

// ErrCorrupt says that bytes are not a whole chunk as it was written. Nothing
// of it can be used; another copy, or an earlier version, may be intact.
var ErrCorrupt = errors.New("chunk is damaged")

// ErrUnknownCodec says that a chunk is intact, but written by a newer program:
// update this one to read it.
var ErrUnknownCodec = errors.New("chunk was written by a newer version of smartmeter; update to read it")

// ID is the 128-bit id of a site or channel.
type ID [16]byte

// Day is a UTC date, as days since 1970-01-01.
type Day int32

const dayMillis = 24 * 60 * 60 * 1000

// DayOf returns the UTC day that i lies in.
func DayOf(i smartmeter.Instant) Day {
	days := i / dayMillis
	if i%dayMillis < 0 {
		days--
	}
	return Day(days)
}

// Midnight returns the instant at which the day begins.
func (d Day) Midnight() smartmeter.Instant { return smartmeter.Instant(d) * dayMillis }

// String returns the date as 2006-01-02.
func (d Day) String() string {
	return time.UnixMilli(int64(d.Midnight())).UTC().Format(time.DateOnly)
}

// Header says what a chunk is. Site, Channel and Day with Version name it; the
// rest follows from its readings, and Encode works it out.
type Header struct {
	Site    ID
	Channel ID
	Day     Day
	// Version counts the chunks of one channel and day: late data makes a
	// further one, which supersedes those before it.
	Version uint32

	// Codec and Revision say how the readings are packed.
	Codec, Revision uint8
	// Schema says which quantities there are, and in which units.
	Schema uint8
	// Quantities are those that any of the readings has.
	Quantities smartmeter.Quantities
	// Count is the number of readings, at most MaxReadings.
	Count int
	// First and Last are the times of the first and last reading; 0 where
	// there is none.
	First, Last smartmeter.Instant
	// Hash is the SHA-256 of the readings, see Hash. It does not depend on how
	// they are packed.
	Hash [32]byte
}

// The header's layout; integers are little-endian, signed ones in two's
// complement.
const (
	offMagic      = 0   // 4 bytes
	offCodec      = 4   // 1
	offRevision   = 5   // 1
	offSchema     = 6   // 1
	offQuantities = 7   // 1
	offSite       = 8   // 16
	offChannel    = 24  // 16
	offDay        = 40  // 4, signed
	offVersion    = 44  // 4
	offCount      = 48  // 4
	offBody       = 52  // 4, bytes that follow the header
	offFirst      = 56  // 8, signed
	offLast       = 64  // 8, signed
	offHash       = 72  // 32
	offCRC        = 104 // 4, of all before it and all after it
	headerSize    = 108
)

// What a header may say of the codec; none of these numbers is ever used again.
const (
	codecColumns    = 1 // columns of differences, in finite state entropy coding
	revisionColumns = 1
	schemaPZEM      = 1 // the quantities and units of a PZEM-004T
)

const magic = "SMch"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum returns the CRC-32C of a chunk but for the checksum's own place.
func checksum(p []byte) uint32 {
	return crc32.Update(crc32.Checksum(p[:offCRC], castagnoli), castagnoli, p[headerSize:])
}

// seal writes the header into the first bytes of the chunk p, whose body is
// complete.
func (h *Header) seal(p []byte) {
	le := binary.LittleEndian
	copy(p[offMagic:], magic)
	p[offCodec], p[offRevision], p[offSchema] = h.Codec, h.Revision, h.Schema
	p[offQuantities] = byte(h.Quantities)
	copy(p[offSite:], h.Site[:])
	copy(p[offChannel:], h.Channel[:])
	le.PutUint32(p[offDay:], uint32(h.Day))
	le.PutUint32(p[offVersion:], h.Version)
	le.PutUint32(p[offCount:], uint32(h.Count))
	le.PutUint32(p[offBody:], uint32(len(p)-headerSize))
	le.PutUint64(p[offFirst:], uint64(h.First))
	le.PutUint64(p[offLast:], uint64(h.Last))
	copy(p[offHash:], h.Hash[:])
	le.PutUint32(p[offCRC:], checksum(p))
}

// ReadHeader returns the header of the chunk p, whatever its codec. It checks
// the checksum of the whole chunk, and unpacks nothing. The error is ErrCorrupt,
// with a reason.
func ReadHeader(p []byte) (Header, error) {
	var h Header
	if len(p) < headerSize || string(p[offMagic:offMagic+len(magic)]) != magic {
		return h, fmt.Errorf("%w: it does not begin like one", ErrCorrupt)
	}
	le := binary.LittleEndian
	if uint64(le.Uint32(p[offBody:])) != uint64(len(p)-headerSize) {
		return h, fmt.Errorf("%w: it is cut short, or something follows it", ErrCorrupt)
	}
	if le.Uint32(p[offCRC:]) != checksum(p) {
		return h, fmt.Errorf("%w: the checksum differs", ErrCorrupt)
	}
	h = Header{
		Codec: p[offCodec], Revision: p[offRevision], Schema: p[offSchema],
		Quantities: smartmeter.Quantities(p[offQuantities]),
		Site:       ID(p[offSite:]),
		Channel:    ID(p[offChannel:]),
		Day:        Day(le.Uint32(p[offDay:])),
		Version:    le.Uint32(p[offVersion:]),
		First:      smartmeter.Instant(le.Uint64(p[offFirst:])),
		Last:       smartmeter.Instant(le.Uint64(p[offLast:])),
		Hash:       [32]byte(p[offHash:]),
	}
	count := le.Uint32(p[offCount:])
	if count > MaxReadings {
		return h, fmt.Errorf("%w: it claims %d readings", ErrCorrupt, count)
	}
	h.Count = int(count)
	return h, nil
}
