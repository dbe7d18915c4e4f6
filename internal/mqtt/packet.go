package mqtt

// kind is the type of a control packet (MQTT 3.1.1 section 2.2.1).
type kind byte

const (
	kindConnect     kind = 1
	kindConnack     kind = 2
	kindPublish     kind = 3
	kindPuback      kind = 4
	kindSubscribe   kind = 8
	kindSuback      kind = 9
	kindUnsubscribe kind = 10
	kindUnsuback    kind = 11
	kindPingreq     kind = 12
	kindPingresp    kind = 13
	kindDisconnect  kind = 14
)

// CONNACK return codes (MQTT 3.1.1 section 3.2.2.3).
const (
	codeAccepted      = 0
	codeVersion       = 1
	codeClientID      = 2
	codeUnavailable   = 3
	codeCredentials   = 4
	codeNotAuthorized = 5
)

// subscriptionRefused answers one filter of a SUBSCRIBE (MQTT 3.1.1 section
// 3.9.3).
const subscriptionRefused = 0x80

// A frame is one packet cut out of the stream, not yet understood. Its body is
// only valid until the next one is read.
type frame struct {
	kind  kind
	flags byte
	body  []byte
}

type connectPacket struct {
	clientID  string
	username  string
	password  []byte
	clean     bool
	keepAlive uint16 // seconds, 0 for none
	will      *Message
}

// publishPacket points into the frame it was decoded from.
type publishPacket struct {
	dup     bool
	qos     byte // 0 to 2
	retain  bool
	id      uint16 // 0 for QoS 0
	topic   []byte
	payload []byte
}

type subscribePacket struct {
	id      uint16
	filters []subscription
}

type subscription struct {
	filter string
	qos    byte // as requested, 0 to 2
}

type unsubscribePacket struct {
	id      uint16
	filters []string
}
