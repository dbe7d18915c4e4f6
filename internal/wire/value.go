package wire

import (
	"math"

	"github.com/iot-smart-meter/smartmeter"
)

// The functions here read the value of the scanner's current field into dst.
// An absent value leaves dst alone.

// decimal reads a number in steps of 10^-places. ok is false if it is absent.
func (d *scanner) decimal(places int) (v int64, ok bool) {
	if !d.present() {
		return 0, false
	}
	v, _ = d.number().scale(places)
	return v, d.reason == 0
}

// integer reads a number without a fraction. ok is false if it is absent.
func (d *scanner) integer() (v int64, ok bool) {
	if !d.present() {
		return 0, false
	}
	v, exact := d.number().scale(0)
	if !exact {
		d.fail(BadNumber)
	}
	return v, d.reason == 0
}

// whole reads an integer from low to high. Outside it is noted as out of range,
// and dst left alone.
func whole[T ~uint8 | ~uint32 | ~int64](d *scanner, dst *T, low, high int64) {
	v, ok := d.integer()
	switch {
	case !ok:
	case v < low || v > high:
		d.out |= d.field
	default:
		*dst = T(v)
	}
}

// millis reads a time since boot or since 1970.
func millis[T smartmeter.Millis | smartmeter.Instant](d *scanner, dst *T, low int64) {
	whole(d, dst, low, int64(MaxMillis))
}

// saturated reads any integer, brought into the range of an int32.
func saturated[T ~int32 | ~int64](d *scanner, dst *T) {
	if v, ok := d.integer(); ok {
		*dst = T(clamp(v))
	}
}

func clamp(v int64) int32 {
	return int32(max(math.MinInt32, min(v, math.MaxInt32)))
}

// boot reads the 8 hex digits of a boot's id.
func (d *scanner) boot(dst *smartmeter.BootID) {
	if !d.present() {
		return
	}
	var buf [wordBuffer]byte
	digits := d.quoted().word(buf[:0])
	if d.reason != 0 {
		return
	}
	v, ok := hex(digits)
	if !ok || len(digits) != 8 {
		d.fail(UnknownValue)
		return
	}
	*dst = smartmeter.BootID(v)
}

// state reads a relay's position, 0 or 1.
func (d *scanner) state(dst *smartmeter.RelayState) {
	switch v, ok := d.integer(); {
	case !ok:
	case v == 0 || v == 1:
		*dst = smartmeter.RelayStateOf(v == 1)
	default:
		d.fail(UnknownValue)
	}
}

// boolean reads true or false.
func (d *scanner) boolean(dst *bool) {
	switch {
	case !d.present():
	case d.peek() == 't' && d.literal("true"):
		*dst = true
	case d.peek() == 'f' && d.literal("false"):
		*dst = false
	default:
		d.mismatch()
	}
}

// text reads a string of at most limit bytes. An empty one counts as absent.
func (d *scanner) text(dst *string, limit int) {
	if d.present() {
		*dst = d.string(limit)
	}
	if *dst == "" {
		d.got &^= d.field
	}
}

// string reads a string of at most limit bytes.
func (d *scanner) string(limit int) string {
	q := d.quoted()
	if len(q.raw) > limit*len(`\u0000`) {
		d.fail(TooLong)
	}
	if d.reason != 0 {
		return ""
	}
	s := string(q.raw)
	if q.escaped {
		s = string(q.appendTo(make([]byte, 0, len(q.raw))))
	}
	if len(s) > limit {
		d.fail(TooLong)
	}
	return s
}

// word reads one of the words allowed. It allocates nothing: dst gets the
// word from the list.
func word[T ~string](d *scanner, dst *T, allowed ...T) {
	if !d.present() {
		return
	}
	var buf [wordBuffer]byte
	w := d.quoted().word(buf[:0])
	if d.reason != 0 {
		return
	}
	for _, a := range allowed {
		if string(a) == string(w) {
			*dst = a
			return
		}
	}
	d.fail(UnknownValue)
}
