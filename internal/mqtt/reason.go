package mqtt

// A Reason says why a connection ended. Every connection ends for exactly one,
// the first that applied, and is counted under it in Stats.
type Reason uint8

// The reasons, in the order in which a connection can meet them.
const (
	reasonNone Reason = iota

	ReasonConnectionLimit   // Limits.Connections was reached
	ReasonAddressLimit      // Limits.ConnectionsPerAddress was reached
	ReasonConnectTimeout    // no complete CONNECT within Limits.ConnectTimeout
	ReasonVersion           // asked for a protocol other than MQTT 3.1.1
	ReasonClientID          // the client id is not acceptable
	ReasonCredentials       // Hooks.Authenticate: bad user name or password
	ReasonNotAuthorized     // Hooks.Authenticate: not allowed to connect
	ReasonUnavailable       // the previous connection of this client did not end in time
	ReasonDisconnect        // the client said goodbye
	ReasonLost              // the network connection broke, without goodbye
	ReasonKeepAlive         // no packet for 1.5 times the keep-alive
	ReasonPacketTimeout     // stopped in the middle of a packet, see Limits.PacketTimeout
	ReasonTakenOver         // another connection came with the same client id
	ReasonRevoked           // Broker.Disconnect was called
	ReasonShutdown          // Broker.Close was called
	ReasonMalformed         // a packet could not be decoded
	ReasonProtocol          // a well-formed packet that is not allowed here
	ReasonUnsupported       // QoS 2, which this broker does not speak yet
	ReasonPacketTooLarge    // Limits.PacketBytes or Limits.ConnectBytes
	ReasonTopicLevels       // Limits.TopicLevels
	ReasonSubscriptionLimit // Limits.Subscriptions
	ReasonQueueFull         // a QoS 1 message found no room in the session's queue
	ReasonWriteTimeout      // the client stopped reading
	ReasonNotTaken          // Hooks.Published did not take a message
	ReasonPanic             // a bug: a panic while serving this connection

	reasonCount
)

var reasonNames = [reasonCount]string{
	ReasonConnectionLimit:   "connection limit",
	ReasonAddressLimit:      "connection limit of the address",
	ReasonConnectTimeout:    "no CONNECT in time",
	ReasonVersion:           "protocol version",
	ReasonClientID:          "client id",
	ReasonCredentials:       "bad credentials",
	ReasonNotAuthorized:     "not authorized",
	ReasonUnavailable:       "previous connection still busy",
	ReasonDisconnect:        "disconnect",
	ReasonLost:              "connection lost",
	ReasonKeepAlive:         "keep-alive",
	ReasonPacketTimeout:     "incomplete packet",
	ReasonTakenOver:         "taken over",
	ReasonRevoked:           "revoked",
	ReasonShutdown:          "shutdown",
	ReasonMalformed:         "malformed packet",
	ReasonProtocol:          "protocol violation",
	ReasonUnsupported:       "unsupported",
	ReasonPacketTooLarge:    "packet too large",
	ReasonTopicLevels:       "topic too deep",
	ReasonSubscriptionLimit: "too many subscriptions",
	ReasonQueueFull:         "queue full",
	ReasonWriteTimeout:      "not reading",
	ReasonNotTaken:          "message not taken",
	ReasonPanic:             "panic",
}

// String names r in a few words, for logs and metric labels.
func (r Reason) String() string {
	if r == reasonNone || r >= reasonCount {
		return "unknown"
	}
	return reasonNames[r]
}

// leavesWill tells whether the client's will is published when its connection
// ends for r (MQTT 3.1.1 section 3.1.2.5). Our own shutdown leaves none: the
// clients did nothing wrong, and will be back as soon as we are.
func (r Reason) leavesWill() bool { return r != ReasonDisconnect && r != ReasonShutdown }

// A closeError ends a connection, and says for which Reason.
type closeError struct {
	reason Reason
	text   string
}

func (e *closeError) Error() string { return e.text }

func malformed(text string) error { return &closeError{ReasonMalformed, text} }

func violation(text string) error { return &closeError{ReasonProtocol, text} }
