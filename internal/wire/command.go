package wire

import (
	"bytes"

	"github.com/iot-smart-meter/smartmeter"
)

// Command asks a node to set its relay. In the fielded text form it is no more
// than On; in ours it has an id and expires.
type Command struct {
	ID string // 1 to MaxIDLen bytes
	// Boot and BeforeT make it expire: the node refuses it in another boot, and
	// from BeforeT on, in its own milliseconds since boot.
	Boot    smartmeter.BootID
	BeforeT smartmeter.Millis
	On      bool
	// LeaseUntilT is when an ON falls back by itself unless it is renewed, in
	// the node's milliseconds since boot; 0 for no lease.
	LeaseUntilT smartmeter.Millis
	// Text marks the fielded form, which has none of the other fields but On.
	Text bool
}

// DecodeCommand reads relay/commands in either form.
func DecodeCommand(p []byte) (Command, error) {
	d := scan(p)
	if d.reason == 0 && d.peek() != '{' {
		return textCommand(p)
	}
	var c Command
	var set Position
	for d.begin(); d.next(); {
		switch d.field {
		case fieldID:
			d.text(&c.ID, MaxIDLen)
		case fieldBoot:
			d.boot(&c.Boot)
		case fieldBeforeT:
			millis(&d, &c.BeforeT, 0)
		case fieldSet:
			word(&d, &set, PositionOn, PositionOff)
		case fieldLeaseUntilT:
			millis(&d, &c.LeaseUntilT, 1)
		default:
			d.skip()
		}
	}
	c.On = set == PositionOn
	return c, d.end(fieldID | fieldBoot | fieldBeforeT | fieldSet)
}

// textCommand reads the fielded form.
func textCommand(p []byte) (Command, error) {
	switch {
	case bytes.EqualFold(p, []byte(TextOn)):
		return Command{On: true, Text: true}, nil
	case bytes.EqualFold(p, []byte(TextOff)):
		return Command{Text: true}, nil
	default:
		return Command{}, UnknownValue
	}
}

// AppendCommand appends c: as text if c.Text, else as JSON.
func AppendCommand(dst []byte, c *Command) []byte {
	switch {
	case c.Text && c.On:
		return append(dst, TextOn...)
	case c.Text:
		return append(dst, TextOff...)
	}
	dst = append(dst, '{')
	dst = appendText(dst, "id", c.ID)
	dst = appendBoot(dst, c.Boot)
	dst = appendInt(dst, "before_t", c.BeforeT)
	dst = appendText(dst, "set", positionOf(c.On))
	dst = appendSet(dst, "lease_until_t", c.LeaseUntilT)
	return append(dst, '}')
}

func positionOf(on bool) Position {
	if on {
		return PositionOn
	}
	return PositionOff
}

// Lease renews the lease of an ON.
type Lease struct {
	Boot        smartmeter.BootID
	LeaseUntilT smartmeter.Millis
}

// DecodeLease reads relay/lease.
func DecodeLease(p []byte) (Lease, error) {
	var l Lease
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldBoot:
			d.boot(&l.Boot)
		case fieldLeaseUntilT:
			millis(&d, &l.LeaseUntilT, 1)
		default:
			d.skip()
		}
	}
	return l, d.end(fieldBoot | fieldLeaseUntilT)
}

// AppendLease appends l as JSON.
func AppendLease(dst []byte, l Lease) []byte {
	dst = append(dst, '{')
	dst = appendBoot(dst, l.Boot)
	dst = appendInt(dst, "lease_until_t", l.LeaseUntilT)
	return append(dst, '}')
}

// Reset clears a latched cut-off. It expires as a Command does.
type Reset struct {
	ID      string
	Boot    smartmeter.BootID
	BeforeT smartmeter.Millis
}

// DecodeReset reads protection/reset.
func DecodeReset(p []byte) (Reset, error) {
	var r Reset
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldID:
			d.text(&r.ID, MaxIDLen)
		case fieldBoot:
			d.boot(&r.Boot)
		case fieldBeforeT:
			millis(&d, &r.BeforeT, 0)
		default:
			d.skip()
		}
	}
	return r, d.end(fieldID | fieldBoot | fieldBeforeT)
}

// AppendReset appends r as JSON.
func AppendReset(dst []byte, r *Reset) []byte {
	dst = append(dst, '{')
	dst = appendText(dst, "id", r.ID)
	dst = appendBoot(dst, r.Boot)
	dst = appendInt(dst, "before_t", r.BeforeT)
	return append(dst, '}')
}
