package mqtt

import (
	"crypto/rand"
	"crypto/tls"
	"errors"
	"strings"
	"time"
	"unicode"
)

var (
	errNotConnect  = violation("first packet is not a CONNECT")
	errWillTopic   = malformed("will topic is not a topic to publish to")
	errUnavailable = error(&closeError{ReasonUnavailable, "previous connection with this client id did not end in time"})
	errKilled      = errors.New("connection was ended by the broker")
)

// connect reads the CONNECT and admits or refuses the client (MQTT 3.1.1
// sections 3.1.4 and 3.2).
func (c *conn) connect() error {
	if err := c.net.SetDeadline(time.Now().Add(c.broker.limits.ConnectTimeout)); err != nil {
		return err
	}
	f, err := c.in.next()
	if err != nil {
		return err
	}
	c.packet = f
	if f.kind != kindConnect {
		return errNotConnect
	}
	p, err := decodeConnect(f)
	if errors.Is(err, errVersion) {
		return c.refuse(codeVersion, ReasonVersion, errVersion.Error())
	}
	if err != nil {
		return err
	}
	who, err := c.identify(&p)
	if err != nil {
		return err
	}
	return c.welcome(&p, who)
}

// identify finds out who the client is and whether it may come in.
func (c *conn) identify(p *connectPacket) (Identity, error) {
	if p.clientID == "" && p.clean {
		p.clientID = "auto-" + rand.Text()
	}
	if !validClientID(p.clientID) {
		return Identity{}, c.refuse(codeClientID, ReasonClientID, "client id is empty, too long or has characters that are not allowed")
	}
	if p.will != nil {
		if checkTopic(p.will.Topic, c.broker.limits.TopicLevels) != nil {
			return Identity{}, errWillTopic
		}
		p.will.QoS = min(p.will.QoS, 1)
	}
	c.broker.claim(c, p.clientID)
	var who Identity
	if authenticate := c.broker.hooks.Authenticate; authenticate != nil {
		var err error
		who, err = authenticate(c.request(p))
		if errors.Is(err, ErrCredentials) {
			return who, c.refuse(codeCredentials, ReasonCredentials, err.Error())
		}
		if err != nil {
			return who, c.refuse(codeNotAuthorized, ReasonNotAuthorized, err.Error())
		}
	}
	return Identity{ClientID: p.clientID, User: who.User}, nil
}

// validClientID tells whether id can name a client: it may end up in topics,
// topic filters, permissions and file names, and must not mean anything there.
func validClientID(id string) bool {
	return id != "" && len(id) <= maxClientIDBytes && !strings.ContainsAny(id, "+#/*") && !strings.ContainsFunc(id, unicode.IsControl)
}

// request is what Hooks.Authenticate is asked.
func (c *conn) request(p *connectPacket) Connect {
	r := Connect{
		ClientID:   p.clientID,
		Username:   p.username,
		Password:   p.password,
		Clean:      p.clean,
		KeepAlive:  time.Duration(p.keepAlive) * time.Second,
		Will:       p.will,
		RemoteAddr: c.net.RemoteAddr(),
	}
	if t, ok := c.net.(*tls.Conn); ok {
		state := t.ConnectionState()
		r.TLS = &state
	}
	return r
}

// welcome gives the client its session and says so.
func (c *conn) welcome(p *connectPacket, who Identity) error {
	err := c.broker.admit(c, who)
	if errors.Is(err, errUnavailable) {
		return c.refuse(codeUnavailable, ReasonUnavailable, err.Error())
	}
	if err != nil {
		return err
	}
	if c.will = p.will; c.will != nil {
		c.will.From = who
	}
	c.in.limit = c.broker.limits.PacketBytes
	c.grace = time.Duration(p.keepAlive) * time.Second * 3 / 2
	c.heard = c.readAt
	if err := errors.Join(c.net.SetReadDeadline(c.due()), c.net.SetWriteDeadline(time.Time{})); err != nil {
		return err
	}
	if connected := c.broker.hooks.Connected; connected != nil {
		connected(who)
	}
	c.answer(func(b []byte) []byte { return appendConnack(b, codeAccepted) })
	c.packet = frame{}
	return nil
}

// refuse answers the CONNECT with a return code and ends the connection. The
// writer is not at work yet, so the answer is written here.
func (c *conn) refuse(code byte, reason Reason, text string) error {
	// Deciding may have used up the time to connect.
	_ = c.net.SetWriteDeadline(time.Now().Add(c.broker.limits.ConnectTimeout))
	n, _ := c.net.Write(appendConnack(nil, code))
	c.broker.counters.bytesSent.Add(uint64(n))
	return &closeError{reason, text}
}
