package smartmeter

import "strconv"

// NodeID is a node's MQTT client id: 1 to 64 characters of A-Z a-z 0-9 . _ -
// but neither "." nor "..", which no web address can name.
type NodeID string

// ParseNodeID checks s and returns it as a NodeID.
func ParseNodeID(s string) (NodeID, error) {
	if !ValidNodeID(s) {
		return "", NewError(Invalid, "node", "a node id has 1 to 64 characters of A-Z a-z 0-9 . _ - and nothing else")
	}
	return NodeID(s), nil
}

// ValidNodeID reports whether s can be a NodeID, without allocating.
func ValidNodeID[T string | []byte](s T) bool {
	if len(s) < 1 || len(s) > 64 {
		return false
	}
	if s[0] == '.' && (len(s) == 1 || len(s) == 2 && s[1] == '.') {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		digit := c >= '0' && c <= '9'
		if !letter && !digit && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// DeviceID names what a person cares about ("fridge"). A device is made for
// each channel when its node is first accepted, and keeps its id when it is
// renamed or bound to another node.
type DeviceID string

// DefaultDeviceID is the id of the device made for a channel: the node's id,
// with ":<n>" for channels after the first.
func DefaultDeviceID(node NodeID, channel uint8) DeviceID {
	if channel == 0 {
		return DeviceID(node)
	}
	return DeviceID(string(node) + ":" + strconv.Itoa(int(channel)))
}

// Device is what a person cares about, and the channel it is bound to.
type Device struct {
	ID      DeviceID
	Name    string
	Room    string // "" for none
	Kind    LoadKind
	Node    NodeID
	Channel uint8
	// Parent is the device that measures this one, too; "" for none.
	Parent DeviceID
	// Settings are its node's, see there.
	Settings Settings `json:",omitzero"`
}

// LoadKind says what hangs on a relay, and so which defaults are safe.
type LoadKind string

// The load kinds.
const (
	Generic    LoadKind = "generic"
	MustStayOn LoadKind = "must_stay_on" // freezer, router: a long press to switch off
	Heater     LoadKind = "heater"       // off after a power cut
	Compressor LoadKind = "compressor"   // needs a rest between runs
	Lighting   LoadKind = "lighting"
)

// LoadKinds lists every load kind.
func LoadKinds() []LoadKind {
	return []LoadKind{Generic, MustStayOn, Heater, Compressor, Lighting}
}

// DeviceStatus is a device and all that is known of it now.
type DeviceStatus struct {
	Device
	// Online is false after the node's last will, after three missed
	// heartbeats, and until the first sign of life since the hub started.
	Online bool
	// LastSeen is the last live message of the node; 0 if there was none yet.
	LastSeen Instant
	// MeterSilent says that the node lives but its meter does not answer:
	// most likely no mains, which is not 0 W.
	MeterSilent bool
	// Latest is the newest reading; nil before the first. Quantities that a
	// node sends apart (the fielded sketch's energy) are gathered in it.
	Latest *Reading
	// Interval is how far apart the last two readings were; 0 if not known yet.
	Interval Millis
	Relay    Relay
	// Protocol is what the node speaks, and Caps what it announced it can do.
	Protocol uint8
	Caps     []string
	// Configured says what became of Settings.
	Configured Configured
	// Refused counts what the node sent and nobody could understand, by reason.
	Refused map[string]uint64
}

// Relay is what is known of a node's relay.
type Relay struct {
	State RelayState
	// Command is what moved it last, or was to; nil if nothing did.
	Command *Command
	// Lease is how long the present ON outlives the hub; 0 without a lease. OffAt
	// is when its node ends it in any case; 0 if it does not.
	Lease Millis
	OffAt Instant
}

// RelayState is a relay's position as its node reports it.
type RelayState uint8

// The positions of a relay.
const (
	RelayUnknown RelayState = iota
	RelayOff
	RelayOn
	// RelayNone: there is no relay to move.
	RelayNone
)

// RelayStateOf returns RelayOn or RelayOff.
func RelayStateOf(on bool) RelayState {
	if on {
		return RelayOn
	}
	return RelayOff
}

// String returns "on", "off", "unknown" or "none".
func (s RelayState) String() string {
	switch s {
	case RelayOn:
		return "on"
	case RelayOff:
		return "off"
	case RelayNone:
		return "none"
	default:
		return "unknown"
	}
}
