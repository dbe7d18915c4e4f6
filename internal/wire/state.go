package wire

// The payloads that are plain words.
const (
	Online  = "Online"  // status
	Offline = "Offline" // status, and the last will
	Alive   = "Alive"   // heartbeat

	TextOn  = "RELAY_ON"  // relay/commands, in any case
	TextOff = "RELAY_OFF" // relay/commands, in any case
)

// DecodeStatus reads "Online" or "Offline".
func DecodeStatus(p []byte) (online bool, err error) {
	return either(p, Online, Offline)
}

// either tells whether p is the one word or the other.
func either(p []byte, yes, no string) (bool, error) {
	if r := check(p); r != 0 {
		return false, r
	}
	switch string(p) {
	case yes:
		return true, nil
	case no:
		return false, nil
	default:
		return false, UnknownValue
	}
}

// AppendStatus appends "Online" or "Offline".
func AppendStatus(dst []byte, online bool) []byte {
	if online {
		return append(dst, Online...)
	}
	return append(dst, Offline...)
}

// DecodeHeartbeat checks that p is "Alive".
func DecodeHeartbeat(p []byte) error {
	_, err := either(p, Alive, Alive)
	return err
}

// AppendHeartbeat appends "Alive".
func AppendHeartbeat(dst []byte) []byte { return append(dst, Alive...) }

// DecodeRelayState reads "1" (on) or "0" (off).
func DecodeRelayState(p []byte) (on bool, err error) {
	return either(p, "1", "0")
}

// AppendRelayState appends "1" or "0".
func AppendRelayState(dst []byte, on bool) []byte {
	if on {
		return append(dst, '1')
	}
	return append(dst, '0')
}
