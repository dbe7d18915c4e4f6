package wire

import "unicode/utf8"

// scanner walks once over a JSON payload (RFC 8259) and hands out what the
// decoders ask for. It never looks back, copies nothing and remembers only the
// first thing that was wrong: from then on every method does nothing, so that a
// decoder reads as if all were well and asks once, at the end.
type scanner struct {
	p      []byte
	i      int  // the next byte
	depth  int  // how many containers are open
	fresh  bool // just inside a container: no comma is due yet
	reason Reason
	object
}

// object is what is known of the object that the scanner is in.
type object struct {
	field fields // the one whose value comes next, 0 if the contract has none
	seen  fields // all so far, to find duplicates
	got   fields // those with a value: present, not null, not empty
	out   fields // those out of range, in inner objects and array elements, too
}

// scan starts on a payload that is small enough and UTF-8 throughout.
func scan(p []byte) scanner {
	return scanner{p: p, reason: check(p)}
}

// check returns what can be said against any payload, JSON or not.
func check(p []byte) Reason {
	switch {
	case len(p) > MaxPayload:
		return TooLarge
	case !utf8.Valid(p):
		return NotUTF8
	default:
		return 0
	}
}

// fail notes what is wrong, unless something was wrong before.
func (d *scanner) fail(r Reason) {
	if d.reason == 0 {
		d.reason = r
	}
}

// end closes the payload and returns its verdict: nothing may follow, and the
// required fields of the outermost object must have come. OutOfRange comes
// last: everything else is in order then.
func (d *scanner) end(required fields) error {
	if d.peek(); d.i < len(d.p) {
		d.fail(NotJSON)
	}
	d.require(required)
	if d.out != 0 {
		d.fail(OutOfRange)
	}
	return d.reason.err()
}

// require fails unless all of the fields have come in this object.
func (d *scanner) require(f fields) {
	if d.got&f != f {
		d.fail(MissingField)
	}
}

// peek skips white space and returns the next byte, 0 at the end.
func (d *scanner) peek() byte {
	for ; d.i < len(d.p); d.i++ {
		switch c := d.p[d.i]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// enter opens an object or an array.
func (d *scanner) enter(bracket byte) {
	switch {
	case d.reason != 0:
	case d.peek() != bracket:
		d.mismatch()
	case d.depth == MaxDepth:
		d.fail(TooDeep)
	default:
		d.i++
		d.depth++
		d.fresh = true
	}
}

// more goes to the next element of a container. At its end, which it consumes,
// and on failure it returns false.
func (d *scanner) more(end byte) bool {
	if d.reason != 0 {
		return false
	}
	c := d.peek()
	if c == end {
		d.i++
		d.depth--
		d.fresh = false
		return false
	}
	if !d.fresh {
		if c != ',' {
			d.fail(NotJSON)
			return false
		}
		d.i++
	}
	d.fresh = false
	return true
}

// begin opens an object and returns what was known of the one around it, for
// leave.
func (d *scanner) begin() object {
	d.enter('{')
	outer := d.object
	d.object = object{}
	return outer
}

// leave returns to the object around the one that next has finished.
func (d *scanner) leave(outer object) {
	outer.out |= d.out
	d.object = outer
}

// next goes to the object's next field and notes which it is. Its value must be
// read, or skipped, before the next call.
func (d *scanner) next() bool {
	if !d.more('}') {
		return false
	}
	if d.peek() != '"' {
		d.fail(NotJSON)
		return false
	}
	name := d.quoted()
	if d.peek() != ':' {
		d.fail(NotJSON)
	}
	if d.reason != 0 {
		return false
	}
	d.i++
	var buf [wordBuffer]byte
	d.field = fieldOf(name.word(buf[:0]))
	return true
}

// present begins the value of a known field. It returns false if that is null,
// which means absent, or on failure.
func (d *scanner) present() bool {
	if d.reason != 0 {
		return false
	}
	if d.seen&d.field != 0 {
		d.fail(DuplicateField)
		return false
	}
	d.seen |= d.field
	if d.peek() == 'n' && d.literal("null") {
		return false
	}
	d.got |= d.field
	return true
}

// literal consumes word if it comes next.
func (d *scanner) literal(word string) bool {
	if len(d.p)-d.i < len(word) || string(d.p[d.i:d.i+len(word)]) != word {
		return false
	}
	d.i += len(word)
	return true
}

// mismatch fails because something else was wanted than what comes next, which
// may be another type, or no JSON at all.
func (d *scanner) mismatch() {
	switch c := d.peek(); {
	case c == '{', c == '[', c == '"', c == '-', isDigit(c):
		d.fail(WrongType)
	case c == 't' && d.literal("true"), c == 'f' && d.literal("false"), c == 'n' && d.literal("null"):
		d.fail(WrongType)
	case c == '+', c == '.', c == 'n', c == 'N', c == 'i', c == 'I':
		d.fail(BadNumber) // nan and inf, as microcontrollers print them
	default:
		d.fail(NotJSON)
	}
}

// skip passes over a value of any type, which must be valid all the same.
func (d *scanner) skip() {
	if d.reason != 0 {
		return
	}
	switch c := d.peek(); {
	case c == '{':
		d.skipObject()
	case c == '[':
		for d.enter('['); d.more(']'); {
			d.skip()
		}
	case c == '"':
		d.quoted()
	case c == '-', isDigit(c):
		d.number()
	case c == 't' && d.literal("true"), c == 'f' && d.literal("false"), c == 'n' && d.literal("null"):
	default:
		d.mismatch()
	}
}

func (d *scanner) skipObject() {
	outer := d.begin()
	for d.next() {
		d.skip()
	}
	d.leave(outer)
}
