package access

import (
	"strings"

	"github.com/iot-smart-meter/smartmeter"
)

// Direction is what a client wants with a topic.
type Direction uint8

// The directions.
const (
	Subscribe Direction = iota + 1
	Publish
)

// DefaultPrefix is what a node's topics begin with.
const DefaultPrefix = "dev/"

// MayTopic reports whether p may publish to a topic or subscribe to a filter,
// where prefix ("" for [DefaultPrefix]) and the node's id begin every topic of
// a node. A node has what is below <prefix><its id>/ and nothing else; nobody
// else has anything. Wills and retained messages are publications like any
// other, and are to be asked about here as well.
func MayTopic(prefix string, p Principal, want Direction, topic string) bool {
	if !p.Kind.node() || !smartmeter.ValidNodeID(p.Name) {
		return false
	}
	if prefix == "" {
		prefix = DefaultPrefix
	}
	// An id holds neither slash nor wildcard, so what begins like this stays
	// below it, whatever wildcards follow.
	rest, own := strings.CutPrefix(topic, prefix+p.Name+"/")
	if !own || rest == "" {
		return false
	}
	switch want {
	case Subscribe:
		return true
	case Publish:
		return !strings.ContainsAny(rest, "+#")
	default:
		return false
	}
}
