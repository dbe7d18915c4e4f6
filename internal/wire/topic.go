package wire

import (
	"strconv"
	"strings"

	"github.com/iot-smart-meter/smartmeter"
)

// DefaultPrefix is what the fielded topics begin with.
const DefaultPrefix = "dev/"

// Kind says which topic of the contract it is, and so what its payload means.
type Kind uint8

// The kinds, with their topics below <prefix><node>/.
const (
	_                   Kind = iota
	KindStatus               // status
	KindHeartbeat            // heartbeat
	KindMetrics              // pzem/metrics, pzem/<n>/metrics
	KindEnergy               // pzem/energy, pzem/<n>/energy
	KindRelayState           // relay/state
	KindRelayCommands        // relay/commands
	KindLegacyConfig         // pzem/config
	KindThresholdAlert       // threshold/alert
	KindInfo                 // info
	KindBacklog              // pzem/backlog, pzem/<n>/backlog
	KindAck                  // pzem/ack, pzem/<n>/ack
	KindRelayLease           // relay/lease
	KindRelayAck             // relay/ack
	KindConfig               // config
	KindConfigAck            // config/ack
	KindProtectionReset      // protection/reset
	KindEvent                // event
	kinds                    // how many there are
)

// leaves are the topics below a node's, for channel 0.
var leaves = [kinds]string{
	KindStatus:          "status",
	KindHeartbeat:       "heartbeat",
	KindMetrics:         "pzem/metrics",
	KindEnergy:          "pzem/energy",
	KindRelayState:      "relay/state",
	KindRelayCommands:   "relay/commands",
	KindLegacyConfig:    "pzem/config",
	KindThresholdAlert:  "threshold/alert",
	KindInfo:            "info",
	KindBacklog:         "pzem/backlog",
	KindAck:             "pzem/ack",
	KindRelayLease:      "relay/lease",
	KindRelayAck:        "relay/ack",
	KindConfig:          "config",
	KindConfigAck:       "config/ack",
	KindProtectionReset: "protection/reset",
	KindEvent:           "event",
}

// String returns the topic below the node's, e.g. "pzem/metrics".
func (k Kind) String() string {
	if k == 0 || k >= kinds {
		return "unknown"
	}
	return leaves[k]
}

// ToNode reports whether a node subscribes to the kind. Only the hub and
// operators may publish it. Nobody obeys any other topic, least of all
// relay/state.
func (k Kind) ToNode() bool {
	switch k {
	case KindRelayCommands, KindRelayLease, KindConfig, KindLegacyConfig, KindAck, KindProtectionReset:
		return true
	default:
		return false
	}
}

// perChannel reports whether each metering channel has a topic of the kind.
func (k Kind) perChannel() bool {
	return k == KindMetrics || k == KindEnergy || k == KindBacklog || k == KindAck
}

// Address is what a topic says about its message.
type Address struct {
	Node    smartmeter.NodeID
	Channel uint8
	Kind    Kind
}

// Topics builds and reads topics. The zero value uses [DefaultPrefix].
type Topics struct {
	// Prefix comes before the node's id and ends in a slash.
	Prefix string
}

func (t Topics) prefix() string {
	if t.Prefix == "" {
		return DefaultPrefix
	}
	return t.Prefix
}

// Filter returns the topic filter for everything that all nodes publish.
func (t Topics) Filter() string { return t.prefix() + "+/#" }

// Topic returns the topic of a kind. The channel counts only where each
// channel has its own: metrics, energy, backlog and ack.
func (t Topics) Topic(node smartmeter.NodeID, kind Kind, channel uint8) string {
	return string(t.AppendTopic(make([]byte, 0, 128), node, kind, channel))
}

// AppendTopic appends what Topic returns.
func (t Topics) AppendTopic(dst []byte, node smartmeter.NodeID, kind Kind, channel uint8) []byte {
	dst = append(dst, t.prefix()...)
	dst = append(dst, node...)
	dst = append(dst, '/')
	leaf := kind.String()
	if channel == 0 || !kind.perChannel() {
		return append(dst, leaf...)
	}
	dst = append(dst, meter...)
	dst = strconv.AppendUint(dst, uint64(channel), 10)
	return append(dst, leaf[len(meter)-1:]...)
}

// meter is the branch of topics that may carry a channel's number.
const meter = "pzem/"

// Parse reads a topic that Topic could have built. The error is [UnknownTopic]
// or [BadNodeID]; with UnknownTopic the address has the node, if it is below a
// node's, and nothing else. It does not allocate: the address shares the
// topic's memory.
func (t Topics) Parse(topic string) (Address, error) {
	rest, ok := strings.CutPrefix(topic, t.prefix())
	if !ok {
		return Address{}, UnknownTopic
	}
	node, leaf, ok := strings.Cut(rest, "/")
	if !ok {
		return Address{}, UnknownTopic
	}
	if !smartmeter.ValidNodeID(node) {
		return Address{}, BadNodeID
	}
	a := Address{Node: smartmeter.NodeID(node)}
	if a.Kind = kindOf(leaf); a.Kind != 0 {
		return a, nil
	}
	if a.Kind, a.Channel = channelOf(leaf); a.Kind != 0 {
		return a, nil
	}
	return a, UnknownTopic
}

// kindOf returns the kind of a leaf, 0 if it is none.
func kindOf(leaf string) Kind {
	for k, s := range leaves {
		if k > 0 && s == leaf {
			return Kind(k)
		}
	}
	return 0
}

// channelOf reads "pzem/<n>/<what>" with n from 1 to 255 in its only spelling;
// the kind is 0 if it is something else.
func channelOf(leaf string) (Kind, uint8) {
	rest, ok := strings.CutPrefix(leaf, meter)
	if !ok {
		return 0, 0
	}
	number, what, _ := strings.Cut(rest, "/")
	n := 0
	for i := range len(number) {
		c := number[i]
		if c < '0' || c > '9' || i > 2 || c == '0' && i == 0 {
			return 0, 0
		}
		n = n*10 + int(c-'0')
	}
	if n < 1 || n > 255 {
		return 0, 0
	}
	for k := range kinds {
		if k.perChannel() && leaves[k][len(meter):] == what {
			return k, uint8(n)
		}
	}
	return 0, 0
}
