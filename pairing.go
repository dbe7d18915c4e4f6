package smartmeter

import "strings"

// PairingCode is what a person carries from a hub to a node, once, to make them
// known to each other: a secret that the hub made up, and the beginning of the
// SHA-256 of the certificate of the hub's authority. The node knows the hub by
// the second, the hub knows the node by the first.
type PairingCode struct {
	// Secret is good for one node and some minutes.
	Secret [6]byte
	// Authority is long enough that nobody finds another certificate like it.
	Authority [11]byte
}

// A code is written in groups of four digits, of five bits each, and one that
// checks them. The digits are those of Crockford's base 32: no letters that
// look like a number, or that make words.
const (
	pairingDigits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
	pairingGroups = 7
	groupData     = 4
)

// String returns the code as it is shown and typed: seven groups of five.
func (c PairingCode) String() string {
	var bits bitReader
	bits.left = append(append(bits.left, c.Secret[:]...), c.Authority[:]...)
	out := make([]byte, 0, pairingGroups*(groupData+2))
	for group := range pairingGroups {
		if group > 0 {
			out = append(out, '-')
		}
		check := newGroupCheck(group)
		for range groupData {
			digit := bits.next()
			check.add(digit)
			out = append(out, pairingDigits[digit])
		}
		out = append(out, pairingDigits[check])
	}
	return string(out)
}

// ParsePairingCode reads what a person has typed: in any case, with any spaces
// and hyphens, with O for 0 and I or L for 1. The error names the group that
// has a mistake in it.
func ParsePairingCode(typed string) (c PairingCode, err error) {
	digits, ok := pairingValues(typed)
	if !ok || len(digits) != pairingGroups*(groupData+1) {
		return c, NewError(Invalid, "pair", "a pairing code has seven groups of five letters and digits; copy all of it from the hub")
	}
	var bits bitWriter
	for group := range pairingGroups {
		of := digits[group*(groupData+1):][:groupData+1]
		check := newGroupCheck(group)
		for _, digit := range of[:groupData] {
			check.add(digit)
			bits.add(digit)
		}
		if byte(check) != of[groupData] {
			return c, NewError(Invalid, "pair", "there is a typing mistake in group "+string(rune('1'+group))+" of the pairing code")
		}
	}
	copy(c.Secret[:], bits.bytes)
	copy(c.Authority[:], bits.bytes[len(c.Secret):])
	return c, nil
}

// pairingValues returns the values of the digits in what was typed.
func pairingValues(typed string) (digits []byte, ok bool) {
	for i := range len(typed) {
		b := typed[i]
		switch {
		case b == '-' || b == ' ':
			continue
		case b >= 'a' && b <= 'z':
			b -= 'a' - 'A'
		}
		switch b {
		case 'O':
			b = '0'
		case 'I', 'L':
			b = '1'
		}
		value := strings.IndexByte(pairingDigits, b)
		if value < 0 {
			return nil, false
		}
		digits = append(digits, byte(value))
	}
	return digits, true
}

// groupCheck is the digit that checks a group: a polynomial in the field of 32
// elements (x^5+x^2+1) at its generator. One digit that is wrong, two that
// changed places, or another group in this one's place never go unnoticed.
type groupCheck byte

func newGroupCheck(group int) groupCheck { return groupCheck(group + 1) }

func (c *groupCheck) add(digit byte) {
	sum := byte(*c) ^ digit
	if sum <<= 1; sum >= 32 {
		sum ^= 0b100101
	}
	*c = groupCheck(sum)
}

// bitReader takes five bits at a time, and zeroes behind the end.
type bitReader struct {
	left  []byte
	taken int
}

func (r *bitReader) next() (digit byte) {
	for range 5 {
		digit <<= 1
		if at := r.taken / 8; at < len(r.left) {
			digit |= r.left[at] >> (7 - r.taken%8) & 1
		}
		r.taken++
	}
	return digit
}

// bitWriter puts bytes together of five bits at a time.
type bitWriter struct {
	bytes []byte
	given int
}

func (w *bitWriter) add(digit byte) {
	for bit := range 5 {
		if w.given%8 == 0 {
			w.bytes = append(w.bytes, 0)
		}
		w.bytes[w.given/8] |= digit >> (4 - bit) & 1 << (7 - w.given%8)
		w.given++
	}
}

// pairingUser begins the MQTT user name of a node that pairs.
const pairingUser = "pair-"

// User returns the MQTT user name with which a node offers the code's secret.
func (c PairingCode) User() string {
	const hex = "0123456789abcdef"
	name := []byte(pairingUser)
	for _, b := range c.Secret {
		name = append(name, hex[b>>4], hex[b&15])
	}
	return string(name)
}

// IsPairing reports whether an MQTT user name is one of a node that pairs. It
// holds a secret then.
func IsPairing(user string) bool { return strings.HasPrefix(user, pairingUser) }
