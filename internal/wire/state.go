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
func DecodeStatus(p []byte) (online bool, err error) { return false, UnknownValue }

// AppendStatus appends "Online" or "Offline".
func AppendStatus(dst []byte, online bool) []byte { return dst }

// DecodeHeartbeat checks that p is "Alive".
func DecodeHeartbeat(p []byte) error { return UnknownValue }

// AppendHeartbeat appends "Alive".
func AppendHeartbeat(dst []byte) []byte { return append(dst, Alive...) }

// DecodeRelayState reads "1" (on) or "0" (off).
func DecodeRelayState(p []byte) (on bool, err error) { return false, UnknownValue }

// AppendRelayState appends "1" or "0".
func AppendRelayState(dst []byte, on bool) []byte { return dst }
