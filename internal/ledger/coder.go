package ledger

import (
	"encoding/binary"
	"errors"
)

// ErrDamaged says that bytes are not what this package has written. The day has
// to be made anew from its readings.
var ErrDamaged = errors.New("ledger: damaged record; make the day anew from its readings")

// coder writes numbers to bytes, or reads them from there: one function for
// each shape does both, so that they cannot disagree.
type coder struct {
	bytes   []byte
	reading bool
	failed  bool
}

// number is one signed number of 1 to 10 bytes; those near 0 are short.
func number[T ~int | ~int32 | ~int64 | ~uint8 | ~uint32](c *coder, v *T) {
	if !c.reading {
		c.bytes = binary.AppendVarint(c.bytes, int64(*v))
		return
	}
	read, n := binary.Varint(c.bytes)
	if n <= 0 || int64(T(read)) != read {
		c.fail()
		return
	}
	*v, c.bytes = T(read), c.bytes[n:]
}

// near is a number that is mostly close to base.
func near[T ~int | ~int32 | ~int64](c *coder, v *T, base T) {
	difference := *v - base
	number(c, &difference)
	if c.reading {
		*v = base + difference
	}
}

func flag(c *coder, v *bool) {
	b := bit(*v)
	number(c, &b)
	*v = b == 1
	if b > 1 {
		c.fail()
	}
}

// list is a count and the elements, of which each takes at least a byte.
func list[T any](c *coder, v *[]T, element func(*T)) {
	count := len(*v)
	number(c, &count)
	if c.reading {
		if count < 0 || count > len(c.bytes) {
			c.fail()
			return
		}
		if *v = nil; count > 0 {
			*v = make([]T, count)
		}
	}
	for i := range *v {
		element(&(*v)[i])
	}
}

// fail ends a reading: whatever is read from here on is 0.
func (c *coder) fail() { c.failed, c.bytes = true, nil }

// version is the first byte of all that is written.
const version = 1

// readFrom reads all of packed with read.
func readFrom(packed []byte, read func(*coder)) error {
	if len(packed) == 0 || packed[0] != version {
		return ErrDamaged
	}
	c := &coder{bytes: packed[1:], reading: true}
	read(c)
	if c.failed || len(c.bytes) > 0 {
		return ErrDamaged
	}
	return nil
}
