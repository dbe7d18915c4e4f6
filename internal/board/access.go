package board

import (
	"strconv"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
)

// SavedAccess is the name under which an Access is kept.
const SavedAccess = "access"

// Access is what a new node has to be told: which WiFi to join, and where the
// broker is.
type Access struct {
	// Network is the name of the WiFi, 1 to 32 bytes, and Password what it wants,
	// 8 to 63, or "" where it is open.
	Network, Password string
	// Broker is a host name or an IPv4 address, Port where it listens.
	Broker string
	Port   uint16
	// Username and Token are what the broker wants, "" for none: the username
	// and the secret that the hub gave out for this node.
	Username, Token string
}

// DefaultPort is where a broker listens without TLS.
const DefaultPort = 1883

// Known reports whether there is anything to join.
func (a *Access) Known() bool { return a.Network != "" }

// Objection returns the first field with which nothing could be reached, and
// why; "" if there is none.
func (a *Access) Objection() (field, reason string) {
	switch {
	case a.Network == "":
		return "network", "is missing"
	case len(a.Network) > 32:
		return "network", "is longer than 32 bytes"
	case a.Password != "" && (len(a.Password) < 8 || len(a.Password) > 63):
		return "password", "has 8 to 63 characters, or none"
	case a.Broker == "":
		return "broker", "is missing"
	case len(a.Broker) > 253 || !isHost(a.Broker):
		return "broker", "is a host name or an address, without mqtt:// and port"
	case a.Port == 0:
		return "port", "is 1 to 65535"
	case len(a.Username) > 64:
		return "username", "is longer than 64 bytes"
	case len(a.Token) > 128:
		return "token", "is longer than 128 bytes"
	default:
		return "", ""
	}
}

// isHost reports whether a text has the letters of a host name (RFC 1123).
func isHost(s string) bool {
	for _, c := range []byte(s) {
		if !isLetterOrDigit(c) && c != '-' && c != '.' {
			return false
		}
	}
	return isLetterOrDigit(s[0])
}

func isLetterOrDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// Append appends a as it is kept: a line for each field. No field may hold the
// end of one.
func (a *Access) Append(dst []byte) []byte {
	for _, line := range a.lines() {
		dst = append(append(dst, line...), '\n')
	}
	return dst
}

func (a *Access) lines() [6]string {
	return [6]string{a.Network, a.Password, a.Broker, strconv.Itoa(int(a.Port)), a.Username, a.Token}
}

var errAccess = smartmeter.NewError(smartmeter.Invalid, SavedAccess, "what was kept of the network cannot be read; set the node up again")

// DecodeAccess reads what Append wrote; nothing kept is no access.
func DecodeAccess(p []byte) (Access, error) {
	if len(p) == 0 {
		return Access{}, nil
	}
	lines := strings.Split(string(p), "\n")
	if len(lines) != 7 || lines[6] != "" {
		return Access{}, errAccess
	}
	port, err := strconv.ParseUint(lines[3], 10, 16)
	a := Access{lines[0], lines[1], lines[2], uint16(port), lines[4], lines[5]}
	if _, reason := a.Objection(); err != nil || reason != "" {
		return Access{}, errAccess
	}
	return a, nil
}

// MACOf returns a chip's network address from the two words of its fuses that
// hold it, the lower one first: its last byte is the lowest.
func MACOf(low, high uint32) [6]byte {
	return [6]byte{byte(high >> 8), byte(high), byte(low >> 24), byte(low >> 16), byte(low >> 8), byte(low)}
}
