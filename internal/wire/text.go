package wire

import (
	"unicode/utf16"
	"unicode/utf8"
)

// quoted is a JSON string as it was written, without its quotes.
type quoted struct {
	raw     []byte
	escaped bool // there are escapes in it
}

// longestWord is longer than any word of the contract; wordBuffer holds one
// even if each of its characters is escaped.
const (
	longestWord = 24
	wordBuffer  = longestWord * len(`\u0000`)
)

// quoted reads a string by the grammar of RFC 8259 section 7. The payload is
// known to be UTF-8.
func (d *scanner) quoted() quoted {
	if d.peek() != '"' {
		d.mismatch()
		return quoted{}
	}
	d.i++
	from, escaped := d.i, false
	for d.i < len(d.p) {
		switch c := d.p[d.i]; {
		case c == '"':
			d.i++
			return quoted{d.p[from : d.i-1], escaped}
		case c == '\\':
			escaped = true
			d.i++
			if !d.escape() {
				d.fail(NotJSON)
				return quoted{}
			}
		case c < ' ':
			d.fail(NotJSON)
			return quoted{}
		default:
			d.i++
		}
	}
	d.fail(NotJSON)
	return quoted{}
}

// escape consumes what follows a backslash.
func (d *scanner) escape() bool {
	if d.i == len(d.p) {
		return false
	}
	c := d.p[d.i]
	d.i++
	if c != 'u' {
		_, ok := shortEscape(c)
		return ok
	}
	if len(d.p)-d.i < 4 {
		return false
	}
	_, ok := hex(d.p[d.i : d.i+4])
	d.i += 4
	return ok
}

// shortEscape returns the character that a two-byte escape stands for.
func shortEscape(c byte) (byte, bool) {
	switch c {
	case '"', '\\', '/':
		return c, true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	default:
		return 0, false
	}
}

// hex reads hex digits, at most 8.
func hex(digits []byte) (v uint32, ok bool) {
	for _, c := range digits {
		switch {
		case isDigit(c):
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | uint32(c)
	}
	return v, true
}

// word returns the string if it is short enough to be a word of the contract,
// nil otherwise. It uses buf, with room for wordBuffer bytes, where it has to.
func (q quoted) word(buf []byte) []byte {
	switch {
	case !q.escaped:
		return q.raw
	case len(q.raw) > wordBuffer:
		return nil
	default:
		return q.appendTo(buf)
	}
}

// appendTo appends the string with its escapes resolved. That is never longer
// than it was with them. Half a surrogate pair becomes U+FFFD.
func (q quoted) appendTo(dst []byte) []byte {
	for raw := q.raw; len(raw) > 0; {
		if raw[0] != '\\' {
			dst = append(dst, raw[0])
			raw = raw[1:]
			continue
		}
		if c, ok := shortEscape(raw[1]); ok {
			dst = append(dst, c)
			raw = raw[2:]
			continue
		}
		r := unit(raw)
		raw = raw[6:]
		if utf16.IsSurrogate(r) {
			pair := utf16.DecodeRune(r, unit(raw))
			if pair != utf8.RuneError {
				raw = raw[6:]
			}
			r = pair
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// unit returns the UTF-16 code unit that a leading \uXXXX stands for, -1 if
// raw begins with something else.
func unit(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return -1
	}
	v, ok := hex(raw[2:6])
	if !ok {
		return -1
	}
	return rune(v)
}
