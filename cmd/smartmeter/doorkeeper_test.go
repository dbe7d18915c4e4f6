package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/access"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// door is a broker with the doorkeeper before it, and what came through.
type door struct {
	t      *testing.T
	broker *mqtt.Broker
	nodes  *access.Nodes
	addr   string

	mu    sync.Mutex
	heard map[string]bool // topic and payload
}

func newDoor(t *testing.T, nodes *access.Nodes) *door {
	t.Helper()
	d := &door{t: t, nodes: nodes, heard: map[string]bool{}}
	d.broker = mqtt.New(mqtt.Config{Logger: slog.New(slog.DiscardHandler), Hooks: (&doorkeeper{nodes: nodes}).hooks()})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.addr = l.Addr().String()
	served := make(chan error, 1)
	go func() { served <- d.broker.Serve(l) }()
	t.Cleanup(func() { d.broker.Close(); <-served })
	_, err = d.broker.Subscribe("#", func(m mqtt.Message) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.heard[m.Topic+" "+string(m.Payload)] = true
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newNodes(t *testing.T) *access.Nodes {
	t.Helper()
	nodes, err := access.OpenNodes(faultdisk.New(1), nil)
	if err != nil {
		t.Fatal(err)
	}
	return nodes
}

// caller is an MQTT client that sends what no library would.
type caller struct {
	t    *testing.T
	conn net.Conn
	id   uint16
}

// call connects and returns how the broker answers.
func (d *door) call(id, password string, will *packets.PublishPacket) (*caller, byte) {
	d.t.Helper()
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	c := &caller{t: d.t, conn: conn}
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession, hello.ClientIdentifier = "MQTT", 4, true, id
	if password != "" {
		hello.UsernameFlag, hello.PasswordFlag, hello.Username, hello.Password = true, true, id, []byte(password)
	}
	if will != nil {
		hello.WillFlag, hello.WillTopic, hello.WillMessage, hello.WillRetain = true, will.TopicName, will.Payload, will.Retain
	}
	return c, c.ask(hello).(*packets.ConnackPacket).ReturnCode
}

// ask sends a packet and returns the answer.
func (c *caller) ask(p packets.ControlPacket) packets.ControlPacket {
	c.t.Helper()
	if err := p.Write(c.conn); err != nil {
		c.t.Fatal(err)
	}
	c.conn.SetReadDeadline(time.Now().Add(patience))
	for {
		answer, err := packets.ReadPacket(c.conn)
		if err != nil {
			c.t.Fatal(err)
		}
		if _, message := answer.(*packets.PublishPacket); !message {
			return answer
		}
	}
}

func (c *caller) subscribes(filters ...string) []byte {
	c.t.Helper()
	c.id++
	p := packets.NewControlPacket(packets.Subscribe).(*packets.SubscribePacket)
	p.MessageID, p.Topics, p.Qoss = c.id, filters, make([]byte, len(filters))
	return c.ask(p).(*packets.SubackPacket).ReturnCodes
}

func (c *caller) publishes(topic, payload string, retain bool) {
	c.t.Helper()
	c.id++
	p := publication(topic, payload, retain)
	p.Qos, p.MessageID = 1, c.id
	c.ask(p)
}

func publication(topic, payload string, retain bool) *packets.PublishPacket {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload, p.Retain = topic, []byte(payload), retain
	return p
}

// fleet accepts nodes whose ids begin like each other, every second one with a
// login; passwords by id.
func fleet(t *testing.T, nodes *access.Nodes, n int) (ids []string, passwords map[string]string) {
	t.Helper()
	passwords = map[string]string{}
	for i := range n {
		id := "node" + strings.Repeat("0", i/10) + fmt.Sprint(i%10)
		ids = append(ids, id)
		var err error
		if i%2 == 0 {
			err = nodes.Accept(smartmeter.NodeID(id), access.AtConsole())
		} else {
			passwords[id], err = nodes.MakeLogin(smartmeter.NodeID(id), access.AtConsole())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return ids, passwords
}

// TestS7FiftyByFifty has each of 50 nodes try all topics of each of the 50, at
// the real broker: to read them, to write them live and retained, and to leave
// a will there, retained and not.
func TestS7FiftyByFifty(t *testing.T) {
	d := newDoor(t, newNodes(t))
	ids, passwords := fleet(t, d.nodes, 50)
	leaves := []string{"status", "pzem/metrics", "relay/state"}
	want := map[string]bool{}
	for _, who := range ids {
		c, code := d.call(who, passwords[who], nil)
		if code != packets.Accepted {
			t.Fatalf("%s does not come in: %d", who, code)
		}
		for _, whose := range ids {
			filters := []string{"dev/" + whose + "/#", "dev/" + whose + "/+", "dev/" + whose + "/relay/commands"}
			for i, code := range c.subscribes(filters...) {
				if granted := code != 0x80; granted != (who == whose) {
					t.Errorf("%s subscribes to %s: %#x", who, filters[i], code)
				}
			}
			for _, leaf := range leaves {
				for _, retain := range []bool{false, true} {
					c.publishes("dev/"+whose+"/"+leaf, fmt.Sprint(who, retain), retain)
				}
				want["dev/"+who+"/"+leaf+" "+who+"false"], want["dev/"+who+"/"+leaf+" "+who+"true"] = true, true
			}
		}
		c.conn.Close()
		for _, whose := range ids {
			for _, retain := range []bool{false, true} {
				c, _ := d.call(who, passwords[who], publication("dev/"+whose+"/will", fmt.Sprint(who, retain), retain))
				c.conn.Close() // without goodbye
			}
		}
		want["dev/"+who+"/will "+who+"false"], want["dev/"+who+"/will "+who+"true"] = true, true
	}
	eventually(t, "all wills are done", func() error {
		if n := d.broker.Stats().Connections; n > 0 {
			return fmt.Errorf("%d connections", n)
		}
		return nil
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := cmp.Diff(want, d.heard); diff != "" {
		t.Errorf("what came through (-own topics +heard):\n%s", diff)
	}
	for m := range d.broker.Retained() {
		if who, _, _ := strings.Cut(strings.TrimPrefix(m.Topic, "dev/"), "/"); string(m.Payload) != who+"true" {
			t.Errorf("%s holds %s", m.Topic, m.Payload)
		}
	}
}

func TestS7NobodyReadsAllNodes(t *testing.T) {
	d := newDoor(t, newNodes(t))
	_, passwords := fleet(t, d.nodes, 2)
	c, _ := d.call("node1", passwords["node1"], nil)
	for i, code := range c.subscribes("#", "+/#", "dev/#", "dev/+/status", "dev/+/#", "$SYS/#", "smartmeter/probe", "dev/node0/#", "/dev/node1/#") {
		if code != 0x80 {
			t.Errorf("filter %d: %#x", i, code)
		}
	}
	for id, password := range map[string]string{"stranger": "", "node1": "", "node0 ": "", "*": "", "": ""} {
		if _, code := d.call(id, password, publication("dev/node0/status", "x", true)); code == packets.Accepted {
			t.Errorf("%q comes in", id)
		}
	}
	if len(d.heard) != 0 {
		t.Errorf("heard %v", d.heard)
	}
}

// TestS7OrdersAreNoNodesToGive tries each topic that nodes obey, at a closed and
// at an open hub: nothing is kept there, ever.
func TestS7OrdersAreNoNodesToGive(t *testing.T) {
	for name, nodes := range map[string]*access.Nodes{"closed": newNodes(t), "open": nil} {
		t.Run(name, func(t *testing.T) {
			d := newDoor(t, nodes)
			if nodes != nil {
				fleet(t, nodes, 1)
			}
			orders := []string{"relay/commands", "relay/lease", "pzem/config", "pzem/ack", "config", "protection/reset", "pzem/1/ack"}
			c, _ := d.call("node0", "", nil)
			for _, leaf := range orders {
				c.publishes("dev/node0/"+leaf, "retained", true)
				c.publishes("dev/node0/"+leaf, "live", false)
				will, _ := d.call("node0", "", publication("dev/node0/"+leaf, "will", true))
				will.conn.Close()
				c, _ = d.call("node0", "", nil)
			}
			for m := range d.broker.Retained() {
				t.Errorf("%s holds %s", m.Topic, m.Payload)
			}
			d.mu.Lock()
			defer d.mu.Unlock()
			for heard := range d.heard {
				if nodes != nil || !strings.HasSuffix(heard, " live") {
					t.Errorf("heard %s", heard)
				}
			}
			if nodes == nil && len(d.heard) != len(orders) {
				t.Errorf("an open hub passes %d live orders on", len(d.heard))
			}
		})
	}
}

// TestS7RevokingCutsOff revokes nodes while they are connected: within a second
// their sockets are closed, and they do not come back.
func TestS7RevokingCutsOff(t *testing.T) {
	d := newDoor(t, newNodes(t))
	ids, passwords := fleet(t, d.nodes, 2)
	for _, id := range ids {
		c, _ := d.call(id, passwords[id], nil)
		if err := d.nodes.Revoke(smartmeter.NodeID(id), access.AtConsole()); err != nil {
			t.Fatal(err)
		}
		d.broker.Disconnect(id)
		c.conn.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := c.conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s a second later: %v", id, err)
		}
		if _, code := d.call(id, passwords[id], nil); code == packets.Accepted {
			t.Errorf("%s is back", id)
		}
	}
}

// TestS7NothingOfAStrangerIsRecorded knocks at a real hub, encrypted and not.
func TestS7NothingOfAStrangerIsRecorded(t *testing.T) {
	hub := startReady(t, "hub", "--data", t.TempDir(), "--log-level", "error",
		"--http", "127.0.0.1:0", "--https", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--mqtts", "127.0.0.1:0")
	hub.firstRun()
	d := &door{t: t, addr: hub.mqtt}
	if _, code := d.call("stranger", "", publication("dev/stranger/pzem/metrics", `{"voltage":230}`, true)); code != packets.ErrRefusedNotAuthorised {
		t.Errorf("a stranger is answered %d", code)
	}
	encrypted, err := tls.Dial("tcp", hub.mqtts, &tls.Config{RootCAs: x509.NewCertPool(), InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer encrypted.Close()
	c := &caller{t: t, conn: encrypted}
	hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
	hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession, hello.ClientIdentifier = "MQTT", 4, true, "stranger"
	if code := c.ask(hello).(*packets.ConnackPacket).ReturnCode; code == packets.Accepted {
		t.Error("a stranger comes in encrypted")
	}
	if _, found := hub.device("stranger"); found || hub.refusals("stranger") != 0 {
		t.Error("there is a device of a stranger")
	}
}
