package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// healthy says what is wrong with a hub's broker.
func healthy(hub *process) error {
	var health struct {
		Status string
		Checks struct{ Broker struct{ Detail string } }
	}
	hub.call("GET", "/api/v1/health", "", &health)
	if health.Status != "ok" {
		return fmt.Errorf("%s: %s", health.Status, health.Checks.Broker.Detail)
	}
	return nil
}

// A hub does not need its broker to start, says what is missing, and connects
// when it can.
func TestBrokerIsDown(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	hub := startReady(t, "hub", "--open", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--broker", "mqtt://"+address)
	if hub.mqtt != "" {
		t.Errorf("it says mqtt=%s, and has no broker inside", hub.mqtt)
	}
	eventually(t, "it says that the broker is down", func() error {
		err := healthy(hub)
		if want := "degraded: the broker at " + address + " is not reachable: connect: connection refused"; err == nil || err.Error() != want {
			return fmt.Errorf("%v, want %s", err, want)
		}
		return nil
	})
	startMosquittoAt(t, address)
	eventually(t, "it connects", func() error { return healthy(hub) })
	if err := hub.stop(); err != nil {
		t.Error(err)
	}
}

// Several hubs may share a broker: each sees every node, and none throws
// another one out.
func TestHubsShareABroker(t *testing.T) {
	t.Parallel()
	broker := startMosquitto(t)
	var hubs []*process
	for range 3 {
		hub := startReady(t, "hub", "--open", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--broker", "mqtt://"+broker.address)
		eventually(t, "it connects", func() error { return healthy(hub) })
		hubs = append(hubs, hub)
	}
	node := connect(t, broker.address, "n1")
	defer node.Disconnect(0)
	wait(t, node.Publish("dev/n1/heartbeat", 1, false, "Alive"))
	for _, hub := range hubs {
		eventually(t, "it meets the node", func() error {
			if d, _ := hub.device("n1"); !d.Online {
				return errors.New("not yet")
			}
			return nil
		})
	}
	for range 5 {
		for i, hub := range hubs {
			if err := healthy(hub); err != nil {
				t.Errorf("hub %d: %v", i, err)
			}
		}
	}
}

// Mosquitto is killed ten times while nodes publish, and every reading that it
// acknowledged while the hub was connected is stored, once.
//
// The nodes are never more than a few readings ahead of the hub. What waits in
// a broker dies with it, and no hub can help that.
func TestBrokerIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	const kills, bursts = 10, 12
	broker := startMosquitto(t)
	hub := startReady(t, "hub", "--open", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--broker", "mqtt://"+broker.address)
	nodes := []*numberingNode{{id: "load-1"}, {id: "load-2"}}
	for kill := range kills {
		for _, n := range nodes {
			n.connect(t, broker.address)
			n.publish() // the hub may hear it or not
		}
		eventually(t, "the hub is back", func() error { return healthy(hub) })
		for range bursts {
			for _, n := range nodes {
				n.publish()
			}
			for _, n := range nodes {
				n.awaitAll(t)
				eventually(t, "the hub keeps up", func() error { return n.isShown(hub) })
			}
		}
		for _, n := range nodes {
			n.publish()
		}
		nodes[kill%2].tokens[kill%burst].WaitTimeout(patience) // some are acknowledged, some are not
		broker.running.kill()
		for _, n := range nodes {
			n.awaitEnd(t)
		}
		broker.start()
	}
	for _, n := range nodes {
		eventually(t, n.id+"'s readings are stored", func() error { return n.isStored(hub) })
		t.Logf("%s: %d published, %d owed, %d stored", n.id, n.last, len(n.owed), len(hub.readings(n.id).T))
	}
}

// burst is how many readings a node publishes at once.
const burst = 4

// numberingNode is a node of protocol 1 whose energy register counts its
// readings, one for each second of a clock that runs far too fast.
type numberingNode struct {
	id     string
	client mqtt.Client
	last   int // the number of its last reading
	tokens [burst]mqtt.Token
	owed   []int // numbers that the broker acknowledged while the hub was there
}

func (n *numberingNode) connect(t *testing.T, broker string) {
	t.Helper()
	n.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID(n.id).SetAutoReconnect(false).SetWriteTimeout(time.Second))
	wait(t, n.client.Connect())
}

// publish publishes some readings, and does not wait for them.
func (n *numberingNode) publish() {
	for i := range n.tokens {
		n.last++
		n.tokens[i] = n.client.Publish("dev/"+n.id+"/pzem/metrics", 1, false, fmt.Sprintf(
			`{"voltage":230.1,"current":1.234,"power":264.6,"energy_wh":%d,"boot":"0000beef","seq":%d,"first":1,"t":%d}`,
			n.last, n.last, n.last*1000))
	}
}

// awaitAll waits until the broker has acknowledged what was published last.
func (n *numberingNode) awaitAll(t *testing.T) {
	t.Helper()
	for _, token := range n.tokens {
		wait(t, token)
	}
	n.count()
}

// awaitEnd waits until it is known what a broker acknowledged before it died.
func (n *numberingNode) awaitEnd(t *testing.T) {
	t.Helper()
	for _, token := range n.tokens {
		if !token.WaitTimeout(patience) {
			t.Fatal("the end of the connection goes unnoticed")
		}
	}
	n.count()
	n.client.Disconnect(0)
}

func (n *numberingNode) count() {
	for i, token := range n.tokens {
		if token.Error() == nil {
			n.owed = append(n.owed, n.last-burst+1+i)
		}
	}
}

// isShown says what is missing for the hub to show the last reading.
func (n *numberingNode) isShown(hub *process) error {
	d, _ := hub.device(n.id)
	if got := fmt.Sprint(d.Latest["energy_wh"]); got != fmt.Sprint(n.last) {
		return fmt.Errorf("%s is at %s, want %d", n.id, got, n.last)
	}
	return nil
}

// isStored says which readings the hub lacks, or has twice.
func (n *numberingNode) isStored(hub *process) error {
	stored := make(map[json.Number]int)
	for _, energy := range hub.readings(n.id).Energy {
		stored[energy]++
		if stored[energy] > 1 {
			return fmt.Errorf("%s is stored twice", energy)
		}
	}
	var lost []string
	for _, number := range n.owed {
		if energy := fmt.Sprint(number); stored[json.Number(energy)] == 0 {
			lost = append(lost, energy)
		}
	}
	if len(lost) > 0 {
		return fmt.Errorf("%d of %d are lost: %s", len(lost), len(n.owed), strings.Join(lost, " "))
	}
	return nil
}
