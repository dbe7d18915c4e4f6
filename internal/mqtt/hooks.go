package mqtt

import (
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// Hooks let the embedding program decide. Each has one purpose and each may be
// nil. They are called on the goroutine of the connection concerned, without
// any lock held, so a slow hook slows its own client only, and a hook may call
// the Broker. A hook that panics ends the connection it was called for.
type Hooks struct {
	// Authenticate decides whether a client may connect, and as whom. It must
	// check that the account may use Connect.ClientID: whoever connects with
	// an id takes over from the connection that had it. The broker sets
	// ClientID in the returned Identity itself. ErrCredentials is answered
	// with CONNACK code 4, any other error with code 5. Nil admits everyone.
	Authenticate func(Connect) (Identity, error)

	// Authorize decides whether a client may publish to a topic (Write) or
	// subscribe to a filter (Read). It is asked once for each SUBSCRIBE, with
	// the filter, wildcards included (Covers helps), and a grant holds for
	// everything the filter matches; and it is asked for every message, wills
	// and retained ones no less. A message refused is dropped, counted, and
	// still acknowledged, because MQTT 3.1.1 has no way to say no. Nil allows
	// everything.
	Authorize func(who Identity, access Access, topic string, retain bool, qos byte) bool

	// Published is told of every message of a client (Message.From), wills
	// included, after it was authorized and before anyone else gets it. An
	// error keeps the message from being retained, delivered and acknowledged,
	// and closes the connection: a client of QoS 1 will send it again.
	Published func(Message) error

	// Connected is called when a client has been admitted, before it hears so.
	Connected func(Identity)

	// Disconnected is called once for every Connected, after the client's will
	// has been published and before another connection of the same client id
	// is admitted.
	Disconnected func(Identity, Reason)
}

// Access is what a client wants with a topic.
type Access uint8

const (
	Read  Access = iota + 1 // subscribe to a filter
	Write                   // publish to a topic
)

// String returns "read" or "write".
func (a Access) String() string {
	if a == Read {
		return "read"
	}
	return "write"
}

// Connect is a client's request to be admitted (MQTT 3.1.1 section 3.1).
type Connect struct {
	ClientID  string // as sent, or as generated for a client that sent none
	Username  string
	Password  []byte
	Clean     bool // clean session; false is served as true, for now
	KeepAlive time.Duration
	Will      *Message // nil for none

	RemoteAddr net.Addr
	TLS        *tls.ConnectionState // nil on a plain connection
}

// ErrCredentials is what Hooks.Authenticate returns, possibly wrapped, for a
// bad user name or password.
var ErrCredentials = errors.New("bad user name or password")
