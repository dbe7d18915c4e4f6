package main

import (
	"bufio"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sys/unix"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

var (
	nodeKills    = flag.Int("nodekills", 6, "how often TestNodeIsKilled kills the node")
	nodeKillSeed = flag.Uint64("nodekillseed", 0, "what it does by chance; 0 draws a seed")
)

// A real node is killed while it obeys and is configured. The relay's file is a
// pipe, which tells every level that was ever written: one at each start, where
// the relay was, and one for each command.
func TestNodeIsKilled(t *testing.T) {
	t.Parallel()
	seed := *nodeKillSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-nodekills=%d -nodekillseed=%d", *nodeKills, seed)
	n := newMortal(t, rand.New(rand.NewPCG(seed, 0)))
	for range *nodeKills {
		n.live()
		n.die()
	}
}

// mortal is a node that is killed again and again.
type mortal struct {
	t      *testing.T
	chance *rand.Rand
	args   []string
	app    mqtt.Client
	heard  chan mqtt.Message
	pipe   *os.File
	levels chan string // written to the relay's pipe

	process *process
	boot    smartmeter.BootID
	ids     int
	// revs and positions are what it may know after the next start.
	revs      []uint32
	positions []bool
}

// newMortal returns a node that never ran, and a hub for it.
func newMortal(t *testing.T, chance *rand.Rand) *mortal {
	t.Helper()
	n := &mortal{
		t: t, chance: chance, heard: make(chan mqtt.Message, 1000), levels: make(chan string, 1000),
		revs: []uint32{0}, positions: []bool{false},
	}
	hub := startReady(t, "--log-level", "error", "hub", "--open", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0")
	n.openPipe()
	n.args = []string{
		"--log-level", "error", "node", "--serial", newMeterOnPTY(t).device, "--mqtt", "mqtt://" + hub.mqtt, "--id", "mortal",
		"--relay-file", n.pipe.Name(), "--data", t.TempDir(),
	}
	n.app = connect(t, hub.mqtt, "app")
	t.Cleanup(func() { n.app.Disconnect(0) })
	wait(t, n.app.SubscribeMultiple(map[string]byte{
		n.topic(wire.KindInfo): 1, n.topic(wire.KindRelayAck): 1, n.topic(wire.KindConfigAck): 1,
	}, func(_ mqtt.Client, m mqtt.Message) { n.heard <- m }))
	return n
}

// openPipe opens the pipe that is the node's relay. It has a reader and a writer
// from now on, so that nobody waits for one.
func (n *mortal) openPipe() {
	n.t.Helper()
	path := filepath.Join(n.t.TempDir(), "relay")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		n.t.Fatal(err)
	}
	var err error
	if n.pipe, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		n.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(n.pipe); lines.Scan(); {
			n.levels <- lines.Text()
		}
	}()
	n.t.Cleanup(func() { n.pipe.Close(); <-ended })
}

// live starts the node and has it obey for a while.
func (n *mortal) live() {
	n.process = start(n.t, n.args...)
	on := n.level() == "1"
	info := n.meet()
	if !slices.Contains(n.positions, on) || !slices.Contains(n.revs, info.ConfigRev) {
		n.t.Fatalf("started with revision %d and the relay at %v; want one of %d and of %v", info.ConfigRev, on, n.revs, n.positions)
	}
	n.boot, n.positions, n.revs = info.Boot, []bool{on}, []uint32{info.ConfigRev}
	if info.ConfigRev == 0 {
		n.configure()
		n.await(wire.KindConfigAck, `"ok":true`)
		n.revs = n.revs[1:]
	}
	for range n.chance.IntN(5) {
		n.order()
		n.await(wire.KindRelayAck, fmt.Sprintf(`"id":"%d"`, n.ids))
		n.positions = n.positions[1:]
		if got := n.level() == "1"; got != n.positions[0] {
			n.t.Fatalf("the relay was to be at %v and was put to %v", n.positions[0], got)
		}
	}
}

// die kills the node in the middle of something.
func (n *mortal) die() {
	if n.chance.IntN(2) == 0 {
		n.order()
	} else {
		n.configure()
	}
	time.Sleep(time.Duration(n.chance.Int64N(int64(5 * time.Millisecond)))) // nothing depends on it
	n.process.kill()
	if _, err := n.pipe.WriteString("dead\n"); err != nil {
		n.t.Fatal(err)
	}
	var last []string
	for level := n.level(); level != "dead"; level = n.level() {
		last = append(last, level)
	}
	wanted := map[bool]string{true: "1", false: "0"}[n.positions[len(n.positions)-1]]
	if len(last) > len(n.positions)-1 || len(last) == 1 && last[0] != wanted {
		n.t.Fatalf("the relay was put to %v, of %v", last, n.positions)
	}
}

// order sends a command by its id.
func (n *mortal) order() {
	n.ids++
	on := n.chance.IntN(2) == 0
	n.positions = append(n.positions, on)
	n.publish(wire.KindRelayCommands, wire.AppendCommand(nil, &wire.Command{
		ID: fmt.Sprint(n.ids), Boot: n.boot, BeforeT: smartmeter.Millis(time.Hour.Milliseconds()), On: on,
	}))
}

// configure sends the next configuration.
func (n *mortal) configure() {
	next := n.revs[len(n.revs)-1] + 1
	n.revs = append(n.revs, next)
	n.publish(wire.KindConfig, fmt.Appendf(nil, `{"rev":%d,"relay":{"power_up":"last","max_switches_per_min":0}}`, next))
}

// meet waits until a node of a new boot introduces itself.
func (n *mortal) meet() wire.Info {
	n.t.Helper()
	for {
		info, err := wire.DecodeInfo(n.await(wire.KindInfo, "").Payload())
		if err != nil {
			n.t.Fatal(err)
		}
		if info.Boot != n.boot {
			return info
		}
	}
}

// await waits for a message of a kind with a part in it.
func (n *mortal) await(kind wire.Kind, part string) mqtt.Message {
	n.t.Helper()
	giveUp := time.After(patience)
	for {
		select {
		case m := <-n.heard:
			if m.Topic() == n.topic(kind) && strings.Contains(string(m.Payload()), part) {
				return m
			}
		case <-giveUp:
			n.t.Fatalf("no %v with %q", kind, part)
		}
	}
}

// level waits for what is written to the pipe next.
func (n *mortal) level() string {
	n.t.Helper()
	select {
	case level := <-n.levels:
		return level
	case <-time.After(patience):
		n.t.Fatal("the relay is not put anywhere")
		return ""
	}
}

func (n *mortal) topic(kind wire.Kind) string { return wire.Topics{}.Topic("mortal", kind, 0) }

func (n *mortal) publish(kind wire.Kind, payload []byte) {
	n.t.Helper()
	wait(n.t, n.app.Publish(n.topic(kind), 1, false, payload))
}
