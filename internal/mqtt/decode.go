package mqtt

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// What can be wrong with a packet.
var (
	errLength        = malformed("remaining length of more than four bytes")
	errTooLarge      = error(&closeError{ReasonPacketTooLarge, "packet larger than the limit"})
	errTruncated     = malformed("packet ends in the middle of a field")
	errTrailing      = malformed("bytes left over at the end of the packet")
	errText          = malformed("text is not UTF-8 without U+0000")
	errFlags         = malformed("reserved bits of the fixed header are wrong")
	errNoID          = malformed("packet id is zero")
	errNoFilters     = violation("no topic filter in the packet")
	errQoS           = malformed("QoS above 2")
	errDup           = malformed("DUP on a QoS 0 message")
	errProtocol      = violation("protocol name is not MQTT")
	errVersion       = error(&closeError{ReasonVersion, "protocol version is not MQTT 3.1.1"})
	errConnFlags     = malformed("connect flags contradict each other")
	errSecondConnect = violation("second CONNECT on one connection")
)

// parseFrame cuts the first packet from b. size is the whole length of that
// packet, or 0 as long as its header is incomplete; f is only set once b holds
// all of it. A packet longer than limit is refused as soon as its header says
// so.
func parseFrame(b []byte, limit int) (f frame, size int, err error) {
	remaining := 0
	for i := 1; i < len(b); i++ {
		remaining |= int(b[i]&0x7f) << (7 * (i - 1))
		if b[i]&0x80 != 0 {
			if i == 4 {
				return frame{}, 0, errLength
			}
			continue
		}
		header := i + 1
		size = header + remaining
		if size > limit {
			return frame{}, size, errTooLarge
		}
		if size <= len(b) {
			f = frame{kind: kind(b[0] >> 4), flags: b[0] & 0x0f, body: b[header:size:size]}
		}
		return f, size, nil
	}
	return frame{}, 0, nil
}

// A cursor reads the fields of a packet one after the other. The first that
// does not fit sets err, and all later ones come out empty, so that a decoder
// reads as a list of fields and looks at err once.
type cursor struct {
	rest []byte
	err  error
}

func (c *cursor) take(n int) []byte {
	if c.err == nil && n > len(c.rest) {
		c.err = errTruncated
	}
	if c.err != nil {
		return nil
	}
	b := c.rest[:n:n]
	c.rest = c.rest[n:]
	return b
}

func (c *cursor) uint8() byte {
	b := c.take(1)
	if b == nil {
		return 0
	}
	return b[0]
}

func (c *cursor) uint16() uint16 {
	b := c.take(2)
	if b == nil {
		return 0
	}
	return binary.BigEndian.Uint16(b)
}

// packetID reads a packet identifier, which is never zero.
func (c *cursor) packetID() uint16 {
	id := c.uint16()
	if id == 0 && c.err == nil {
		c.err = errNoID
	}
	return id
}

// binary reads bytes with their length in front.
func (c *cursor) binary() []byte { return c.take(int(c.uint16())) }

// text reads a string (MQTT 3.1.1 section 1.5.3).
func (c *cursor) text() []byte {
	b := c.binary()
	if c.err == nil && (!utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0) {
		c.err = errText
	}
	return b
}

// end checks that nothing is left and returns what went wrong.
func (c *cursor) end() error {
	if c.err == nil && len(c.rest) > 0 {
		c.err = errTrailing
	}
	return c.err
}

// decodeConnect decodes a CONNECT (MQTT 3.1.1 section 3.1). A client that
// speaks another version gets errVersion before anything of its packet that
// looks different there is read.
func decodeConnect(f frame) (p connectPacket, err error) {
	c := cursor{rest: f.body}
	name, level := string(c.text()), c.uint8()
	switch {
	case f.flags != 0:
		return p, errFlags
	case c.err != nil:
		return p, c.err
	case name == "MQIsdp" || name == "MQTT" && level != 4:
		return p, errVersion
	case name != "MQTT":
		return p, errProtocol
	}
	flags := connectFlags(c.uint8())
	p.clean = flags&flagClean != 0
	p.keepAlive = c.uint16()
	p.clientID = string(c.text())
	if flags&flagWill != 0 {
		p.will = decodeWill(&c, flags)
	}
	if flags&flagUsername != 0 {
		p.username = string(c.text())
	}
	if flags&flagPassword != 0 {
		p.password = bytes.Clone(c.binary())
	}
	if c.err == nil && !flags.valid() {
		return p, errConnFlags
	}
	return p, c.end()
}

// connectFlags is the flag byte of a CONNECT (MQTT 3.1.1 section 3.1.2.3).
type connectFlags byte

const (
	flagReserved   connectFlags = 0x01
	flagClean      connectFlags = 0x02
	flagWill       connectFlags = 0x04
	flagWillRetain connectFlags = 0x20
	flagPassword   connectFlags = 0x40
	flagUsername   connectFlags = 0x80
)

func (f connectFlags) willQoS() byte { return byte(f>>3) & 3 }

func (f connectFlags) valid() bool {
	switch {
	case f&flagReserved != 0, f.willQoS() > 2:
		return false
	case f&flagWill == 0 && (f.willQoS() != 0 || f&flagWillRetain != 0):
		return false
	default:
		return f&flagPassword == 0 || f&flagUsername != 0
	}
}

func decodeWill(c *cursor, flags connectFlags) *Message {
	return &Message{
		Topic:   string(c.text()),
		Payload: bytes.Clone(c.binary()),
		QoS:     flags.willQoS(),
		Retain:  flags&flagWillRetain != 0,
	}
}

// decodePublish decodes a PUBLISH (MQTT 3.1.1 section 3.3). The result points
// into f.
func decodePublish(f frame) (p publishPacket, err error) {
	p.dup = f.flags&0x08 != 0
	p.qos = f.flags >> 1 & 3
	p.retain = f.flags&0x01 != 0
	switch {
	case p.qos > 2:
		return p, errQoS
	case p.dup && p.qos == 0:
		return p, errDup
	}
	c := cursor{rest: f.body}
	p.topic = c.text()
	if p.qos > 0 {
		p.id = c.packetID()
	}
	p.payload = c.rest
	return p, c.err
}

// decodePuback decodes a PUBACK (MQTT 3.1.1 section 3.4) to its packet id.
func decodePuback(f frame) (uint16, error) {
	if f.flags != 0 {
		return 0, errFlags
	}
	c := cursor{rest: f.body}
	return c.packetID(), c.end()
}

// decodeSubscribe decodes a SUBSCRIBE (MQTT 3.1.1 section 3.8).
func decodeSubscribe(f frame) (p subscribePacket, err error) {
	if f.flags != 2 {
		return p, errFlags
	}
	c := cursor{rest: f.body}
	p.id = c.packetID()
	for c.err == nil && len(c.rest) > 0 {
		s := subscription{filter: string(c.text()), qos: c.uint8()}
		if s.qos > 2 {
			return p, errQoS
		}
		p.filters = append(p.filters, s)
	}
	if c.err == nil && len(p.filters) == 0 {
		return p, errNoFilters
	}
	return p, c.end()
}

// decodeUnsubscribe decodes an UNSUBSCRIBE (MQTT 3.1.1 section 3.10).
func decodeUnsubscribe(f frame) (p unsubscribePacket, err error) {
	if f.flags != 2 {
		return p, errFlags
	}
	c := cursor{rest: f.body}
	p.id = c.packetID()
	for c.err == nil && len(c.rest) > 0 {
		p.filters = append(p.filters, string(c.text()))
	}
	if c.err == nil && len(p.filters) == 0 {
		return p, errNoFilters
	}
	return p, c.end()
}

// decodeEmpty checks a packet that consists of its kind: PINGREQ and
// DISCONNECT (MQTT 3.1.1 sections 3.12 and 3.14).
func decodeEmpty(f frame) error {
	if f.flags != 0 {
		return errFlags
	}
	c := cursor{rest: f.body}
	return c.end()
}
