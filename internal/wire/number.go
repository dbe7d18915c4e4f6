package wire

import "math"

// decimal is a number as it was written, not yet evaluated.
type decimal struct {
	negative bool
	digits   []byte // at least one, with at most one point among them
	exponent int    // of ten
}

// maxExponent is where exponents stop growing: far beyond what all the digits
// of a payload could make up for.
const maxExponent = 100_000

// number reads a number by the grammar of RFC 8259 section 6.
func (d *scanner) number() decimal {
	if c := d.peek(); c != '-' && !isDigit(c) {
		d.mismatch()
	}
	if d.reason != 0 {
		return decimal{}
	}
	var n decimal
	n.negative = d.accept('-')
	from := d.i
	leading := d.accept('0')
	if !leading {
		d.someDigits()
	}
	if d.accept('.') {
		d.someDigits()
	}
	n.digits = d.p[from:d.i]
	if d.accept('e') || d.accept('E') {
		n.exponent = d.exponent()
	}
	if d.i < len(d.p) && !isDelimiter(d.p[d.i]) {
		d.fail(BadNumber)
	}
	return n
}

// accept consumes c if it comes next.
func (d *scanner) accept(c byte) bool {
	if d.i < len(d.p) && d.p[d.i] == c {
		d.i++
		return true
	}
	return false
}

// someDigits consumes one digit or more.
func (d *scanner) someDigits() {
	from := d.i
	for d.i < len(d.p) && isDigit(d.p[d.i]) {
		d.i++
	}
	if d.i == from {
		d.fail(BadNumber)
	}
}

// exponent reads what follows the e.
func (d *scanner) exponent() int {
	negative := d.accept('-')
	if !negative {
		d.accept('+')
	}
	from := d.i
	d.someDigits()
	e := 0
	for _, c := range d.p[from:d.i] {
		e = min(e*10+int(c-'0'), maxExponent)
	}
	if negative {
		return -e
	}
	return e
}

// scale evaluates the number in steps of 10^-places, rounded half away from
// zero. What is too large for an int64 saturates. exact tells whether nothing
// was rounded off.
func (n decimal) scale(places int) (v int64, exact bool) {
	whole := 0 // digits before the point
	for whole < len(n.digits) && n.digits[whole] != '.' {
		whole++
	}
	kept := whole + n.exponent + places
	up := false
	exact = true
	at := 0
	for _, c := range n.digits {
		if c == '.' {
			continue
		}
		if at < kept {
			v = shift(v, c-'0')
		} else if c != '0' {
			exact = false
			up = up || at == kept && c >= '5'
		}
		at++
	}
	for ; at < kept && v != 0 && v != math.MaxInt64; at++ {
		v = shift(v, 0)
	}
	if up && v != math.MaxInt64 {
		v++
	}
	if n.negative {
		v = -v
	}
	return v, exact
}

// shift returns 10v + digit, saturating.
func shift(v int64, digit byte) int64 {
	if v > (math.MaxInt64-int64(digit))/10 {
		return math.MaxInt64
	}
	return v*10 + int64(digit)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isDelimiter reports whether a number may end before c.
func isDelimiter(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', ',', ']', '}':
		return true
	default:
		return false
	}
}
