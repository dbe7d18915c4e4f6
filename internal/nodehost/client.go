package nodehost

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/iot-smart-meter/smartmeter"
)

// options sets the MQTT library to what a node needs: no session that a broker
// could queue commands in, no reconnecting of its own.
func (c *Connection) options(lost chan<- error) *paho.ClientOptions {
	will := c.peer.Will()
	return paho.NewClientOptions().
		AddBroker("tcp://"+c.address).
		SetCustomOpenConnectionFn(c.dial).
		SetClientID(string(c.peer.ID())).
		SetUsername(c.broker.Username).
		SetPassword(c.broker.Password).
		SetProtocolVersion(4). // 3.1.1, and no falling back to 3.1
		SetCleanSession(true).
		SetAutoReconnect(false).
		SetConnectRetry(false).
		SetConnectTimeout(patience).
		SetPingTimeout(patience).
		SetWriteTimeout(handover).
		SetKeepAlive(c.broker.KeepAlive).
		SetBinaryWill(will.Topic, will.Payload, will.QoS, will.Retained).
		SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) {
			c.peer.Receive(smartmeter.Message{Topic: m.Topic(), Payload: m.Payload(), QoS: m.Qos(), Retained: m.Retained()})
		}).
		SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err })
}

// dial opens a network connection that ends with the Connection.
func (c *Connection) dial(*url.URL, paho.ClientOptions) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(c.ctx, patience)
	defer cancel()
	address, err := resolve(ctx, c.address)
	if err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(c.ctx, func() { conn.Close() })
	watched := &watchedConn{Conn: conn, forget: stop}
	secure := c.broker.secure()
	if secure == nil {
		return watched, nil
	}
	encrypted := tls.Client(watched, secure)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		watched.Close()
		return nil, err
	}
	return encrypted, nil
}

// resolve replaces a name that only the local network knows, at every attempt:
// the hub may have another address than before.
func resolve(ctx context.Context, address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), localSuffix) {
		return address, err
	}
	found, err := lookupLocal(ctx, host, everyone)
	if err != nil {
		return "", err
	}
	return net.JoinHostPort(found.String(), port), nil
}

// watchedConn gives up writing to a broker that stopped reading.
type watchedConn struct {
	net.Conn
	forget func() bool
}

// Write writes within patience.
func (c *watchedConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close closes the connection, now that nobody else needs to.
func (c *watchedConn) Close() error {
	c.forget()
	return c.Conn.Close()
}
