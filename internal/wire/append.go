package wire

import (
	"strconv"
	"unicode/utf8"

	"github.com/iot-smart-meter/smartmeter"
)

// appendName appends a field's name, and a comma before it where one is due.
func appendName(dst []byte, name string) []byte {
	if n := len(dst); n > 0 && dst[n-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

func appendInt[T ~int32 | ~int64 | ~uint8 | ~uint32](dst []byte, name string, v T) []byte {
	return strconv.AppendInt(appendName(dst, name), int64(v), 10)
}

// appendSet appends a number unless it is 0.
func appendSet[T ~int32 | ~int64 | ~uint32](dst []byte, name string, v T) []byte {
	if v == 0 {
		return dst
	}
	return appendInt(dst, name, v)
}

func appendDecimal[T ~int32 | ~int64](dst []byte, name string, v T, places int) []byte {
	return appendSteps(appendName(dst, name), int64(v), places, 1)
}

// appendSteps appends v steps of 10^-places with as many decimals as it takes,
// but not fewer than least.
func appendSteps(dst []byte, v int64, places, least int) []byte {
	if v < 0 {
		dst = append(dst, '-')
	}
	unit := uint64(1)
	for range places {
		unit *= 10
	}
	magnitude := uint64(max(v, -v))
	dst = strconv.AppendUint(dst, magnitude/unit, 10)
	dst = append(dst, '.')
	for rest := magnitude % unit; places > 0 && (least > 0 || rest > 0); places-- {
		unit /= 10
		dst = append(dst, '0'+byte(rest/unit))
		rest %= unit
		least--
	}
	return dst
}

func appendBoot(dst []byte, b smartmeter.BootID) []byte {
	dst = append(appendName(dst, "boot"), '"')
	for shift := 28; shift >= 0; shift -= 4 {
		dst = append(dst, hexDigits[b>>shift&0xF])
	}
	return append(dst, '"')
}

const hexDigits = "0123456789abcdef"

func appendBool(dst []byte, name string, v bool) []byte {
	return strconv.AppendBool(appendName(dst, name), v)
}

// appendState appends a relay's position unless it is unknown.
func appendState(dst []byte, s smartmeter.RelayState) []byte {
	switch s {
	case smartmeter.RelayOn:
		return append(appendName(dst, "state"), '1')
	case smartmeter.RelayOff:
		return append(appendName(dst, "state"), '0')
	default:
		return dst
	}
}

// appendText appends a string field unless it is empty.
func appendText[T ~string](dst []byte, name string, s T) []byte {
	if s == "" {
		return dst
	}
	return appendQuoted(appendName(dst, name), string(s))
}

// appendQuoted appends s as a JSON string, invalid UTF-8 replaced.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[r>>4], hexDigits[r&0xF])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
