package mqtt

import (
	"fmt"
	"net"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// The Eclipse Go client, as our own nodes use it.

type pahoClient struct {
	t testing.TB
	paho.Client
	messages chan paho.Message
}

// pahoOptions are those of the tests; each may change them.
func pahoOptions(address, id string) *paho.ClientOptions {
	return paho.NewClientOptions().
		AddBroker("tcp://" + address).
		SetClientID(id).
		SetOrderMatters(true).
		SetMaxReconnectInterval(50 * time.Millisecond).
		SetConnectRetryInterval(50 * time.Millisecond)
}

func pahoConnect(t testing.TB, o *paho.ClientOptions) *pahoClient {
	t.Helper()
	c := &pahoClient{t, nil, make(chan paho.Message, 1000)}
	c.Client = paho.NewClient(o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { c.messages <- m }))
	c.wait(c.Connect())
	t.Cleanup(func() { c.Client.Disconnect(100) })
	return c
}

func (c *pahoClient) wait(token paho.Token) {
	c.t.Helper()
	if !token.WaitTimeout(patience) {
		c.t.Fatal("no answer")
	}
	if err := token.Error(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *pahoClient) expect(topic, payload string, qos byte, retained bool) {
	c.t.Helper()
	select {
	case m := <-c.messages:
		got := fmt.Sprintf("%s=%s %d %v", m.Topic(), m.Payload(), m.Qos(), m.Retained())
		if want := fmt.Sprintf("%s=%s %d %v", topic, payload, qos, retained); got != want {
			c.t.Fatalf("got %s, want %s", got, want)
		}
	case <-time.After(patience):
		c.t.Fatalf("%s=%s does not come", topic, payload)
	}
}

func TestPahoQoS(t *testing.T) {
	_, address := startBroker(t, Config{})
	sub, pub := pahoConnect(t, pahoOptions(address, "sub")), pahoConnect(t, pahoOptions(address, "pub"))
	sub.wait(sub.SubscribeMultiple(map[string]byte{"zero": 0, "one": 1, "two": 2}, nil))
	for qos := range byte(2) {
		for i := range 200 {
			pub.wait(pub.Publish("one", qos, false, fmt.Sprint(i)))
			sub.expect("one", fmt.Sprint(i), qos, false)
		}
	}
	pub.wait(pub.Publish("zero", 1, false, "x"))
	sub.expect("zero", "x", 0, false)
	pub.wait(pub.Publish("two", 1, false, "x"))
	sub.expect("two", "x", 1, false)
	sub.wait(sub.Unsubscribe("one"))
	pub.wait(pub.Publish("one", 1, false, "unheard"))
	pub.wait(pub.Publish("zero", 1, false, "y"))
	sub.expect("zero", "y", 0, false)
}

func TestPahoRetained(t *testing.T) {
	_, address := startBroker(t, Config{})
	pub := pahoConnect(t, pahoOptions(address, "pub"))
	pub.wait(pub.Publish("dev/fridge/state", 1, true, "on"))
	sub := pahoConnect(t, pahoOptions(address, "sub"))
	sub.wait(sub.Subscribe("dev/+/state", 1, nil))
	sub.expect("dev/fridge/state", "on", 1, true)
	pub.wait(pub.Publish("dev/fridge/state", 1, true, "off"))
	sub.expect("dev/fridge/state", "off", 1, false)
}

func TestPahoWillAndTakeover(t *testing.T) {
	b, address := startBroker(t, Config{})
	watcher := pahoConnect(t, pahoOptions(address, "watcher"))
	watcher.wait(watcher.Subscribe("state", 1, nil))
	options := func() *paho.ClientOptions {
		return pahoOptions(address, "node").SetWill("state", "offline", 1, true).SetAutoReconnect(false)
	}
	lost := make(chan error, 1)
	first := pahoConnect(t, options().SetConnectionLostHandler(func(_ paho.Client, err error) { lost <- err }))
	first.wait(first.Publish("state", 1, true, "online"))
	watcher.expect("state", "online", 1, false)

	second := pahoConnect(t, options())
	second.wait(second.Publish("state", 1, true, "online again"))
	watcher.expect("state", "offline", 1, false)
	watcher.expect("state", "online again", 1, false)
	select {
	case <-lost:
	case <-time.After(patience):
		t.Fatal("the first connection is not told")
	}
	second.Client.Disconnect(100) // says goodbye: no will
	expectEnded(t, b, ReasonDisconnect, 1)
	late := pahoConnect(t, pahoOptions(address, "late"))
	late.wait(late.Subscribe("state", 1, nil))
	late.expect("state", "online again", 1, true)
}

// TestPahoReconnects restarts the broker on the same port.
func TestPahoReconnects(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	first := serveBroker(t, Config{}, l)
	connected := make(chan struct{}, 10)
	sub := pahoConnect(t, pahoOptions(address, "sub").SetAutoReconnect(true).SetCleanSession(false).SetResumeSubs(true).
		SetOnConnectHandler(func(paho.Client) { connected <- struct{}{} }))
	sub.wait(sub.Subscribe("a", 1, nil))
	<-connected
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	second := serveBroker(t, Config{}, l)
	select {
	case <-connected:
	case <-time.After(patience):
		t.Fatal("client does not come back")
	}
	sub.wait(sub.Subscribe("a", 1, nil))
	// Paho sends what it had not sent yet again when it is back, and calls the first
	// of both done when it takes up the second: ask the broker instead.
	waitFor(t, "the client subscribes", func() bool { return second.Stats().Subscriptions == 1 })
	if err := second.Publish(Message{Topic: "a", Payload: []byte("back"), QoS: 1}); err != nil {
		t.Fatal(err)
	}
	sub.expect("a", "back", 1, false)
}

// TestPahoRefused sees what a client makes of a refusal.
func TestPahoRefused(t *testing.T) {
	_, address := startBroker(t, Config{Hooks: Hooks{Authenticate: func(c Connect) (Identity, error) {
		if string(c.Password) != "sesame" {
			return Identity{}, ErrCredentials
		}
		return Identity{}, nil
	}}})
	c := paho.NewClient(pahoOptions(address, "n").SetUsername("u").SetPassword("wrong"))
	token := c.Connect()
	if !token.WaitTimeout(patience) || token.Error() == nil {
		t.Fatalf("admitted: %v", token.Error())
	}
	pahoConnect(t, pahoOptions(address, "n").SetUsername("u").SetPassword("sesame"))
}
