package nodehost

import (
	"context"
	"net"
	"net/url"
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
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(c.ctx, "tcp", c.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(c.ctx, func() { conn.Close() })
	return &watchedConn{Conn: conn, forget: stop}, nil
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
