package mqtt

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// The clients that Debian ships: mosquitto_pub and mosquitto_sub, and the
// Eclipse Python client.

// debian returns the path of a program, or fails naming its package.
func debian(t testing.TB, program, pkg string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		t.Fatalf("%s is missing: install the Debian package %s (apt-get install %s)", program, pkg, pkg)
	}
	return path
}

// python returns Debian's Python, or fails if it has no MQTT client.
func python(t testing.TB) string {
	t.Helper()
	path := debian(t, "/usr/bin/python3", "python3")
	if out, err := exec.CommandContext(t.Context(), path, "-c", "import paho.mqtt.client").CombinedOutput(); err != nil {
		t.Fatalf("Python has no MQTT client: install the Debian package python3-paho-mqtt (apt-get install python3-paho-mqtt)\n%s", out)
	}
	return path
}

// A program is a client in a process of its own. What it prints comes line by
// line.
type program struct {
	t     testing.TB
	cmd   *exec.Cmd
	lines chan string
}

func start(t testing.TB, path string, args ...string) *program {
	t.Helper()
	p := &program{t, exec.CommandContext(t.Context(), path, args...), make(chan string, 10_000)}
	// A process that is killed must not leave us reading from its heirs.
	p.cmd.WaitDelay = time.Second
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.scan(out)
	t.Cleanup(p.kill)
	return p
}

func (p *program) scan(out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		p.lines <- s.Text()
	}
	close(p.lines)
}

// kill is kill -9. It returns when the process is gone.
func (p *program) kill() {
	_ = p.cmd.Process.Kill()
	for range p.lines {
		// Wait may only be called when everything has been read.
		continue
	}
	_ = p.cmd.Wait()
}

func (p *program) expect(want string) {
	p.t.Helper()
	select {
	case got := <-p.lines:
		if got != want {
			p.t.Fatalf("printed %q, want %q", got, want)
		}
	case <-time.After(patience):
		p.t.Fatalf("does not print %q", want)
	}
}

// run runs a program to its end.
func run(t testing.TB, path string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// at returns the arguments that lead a mosquitto client to the broker.
func at(t testing.TB, address string, args ...string) []string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return append([]string{"-h", host, "-p", port}, args...)
}

func mosquittoSub(t testing.TB, address string, args ...string) *program {
	t.Helper()
	args = append(at(t, address, "-F", "%t=%p %q %r"), args...)
	return start(t, debian(t, "mosquitto_sub", "mosquitto-clients"), args...)
}

func mosquittoPub(t testing.TB, address string, args ...string) {
	t.Helper()
	run(t, debian(t, "mosquitto_pub", "mosquitto-clients"), at(t, address, args...)...)
}

// awaitSubscriptions waits until programs have subscribed to n filters.
func awaitSubscriptions(t testing.TB, b *Broker, n int) {
	t.Helper()
	waitFor(t, "subscriptions", func() bool { return b.Stats().Subscriptions == n })
}

func TestMosquittoClients(t *testing.T) {
	b, address := startBroker(t, Config{})
	mosquittoPub(t, address, "-t", "dev/the fridge/state", "-m", "on", "-q", "1", "-r")
	zero := mosquittoSub(t, address, "-t", "dev/+/state", "-q", "0")
	one := mosquittoSub(t, address, "-t", "#", "-q", "1")
	two := mosquittoSub(t, address, "-t", "dev/#", "-q", "2")
	zero.expect("dev/the fridge/state=on 0 1")
	one.expect("dev/the fridge/state=on 1 1")
	two.expect("dev/the fridge/state=on 1 1")
	awaitSubscriptions(t, b, 3)
	for qos := range 2 {
		mosquittoPub(t, address, "-t", "dev/küche/state", "-m", "x y", "-q", fmt.Sprint(qos))
		zero.expect("dev/küche/state=x y 0 0")
		one.expect(fmt.Sprintf("dev/küche/state=x y %d 0", qos))
		two.expect(fmt.Sprintf("dev/küche/state=x y %d 0", qos))
	}
	mosquittoPub(t, address, "-t", "dev/the fridge/state", "-n", "-r")
	one.expect("dev/the fridge/state= 0 0")
	if n := b.Stats().RetainedMessages; n != 0 {
		t.Errorf("%d retained messages left", n)
	}
}

// TestMosquittoBurst publishes from a file, as fast as mosquitto_pub can.
func TestMosquittoBurst(t *testing.T) {
	const count = 2000
	b, address := startBroker(t, Config{})
	sub := mosquittoSub(t, address, "-t", "a", "-q", "1")
	awaitSubscriptions(t, b, 1)
	var lines strings.Builder
	for i := range count {
		fmt.Fprintln(&lines, i)
	}
	cmd := exec.CommandContext(t.Context(), debian(t, "mosquitto_pub", "mosquitto-clients"), at(t, address, "-t", "a", "-q", "1", "-l")...)
	cmd.Stdin = strings.NewReader(lines.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for i := range count {
		sub.expect(fmt.Sprintf("a=%d 1 0", i))
	}
}

func TestMosquittoWill(t *testing.T) {
	b, address := startBroker(t, Config{})
	watcher := mosquittoSub(t, address, "-t", "state", "-q", "1")
	node := mosquittoSub(t, address, "-i", "node", "-t", "set",
		"--will-topic", "state", "--will-payload", "offline", "--will-qos", "1", "--will-retain")
	awaitSubscriptions(t, b, 2)
	node.kill()
	watcher.expect("state=offline 1 0")
	mosquittoSub(t, address, "-t", "state", "-q", "1").expect("state=offline 1 1")
}

func TestMosquittoReconnects(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	first := serveBroker(t, Config{}, l)
	sub := mosquittoSub(t, address, "-t", "a", "-q", "1")
	awaitSubscriptions(t, first, 1)
	awaitReturn(t, first, address)
	mosquittoPub(t, address, "-t", "a", "-m", "back", "-q", "1")
	sub.expect("a=back 1 0")
}

// awaitReturn restarts a broker on the same port and waits until its one
// subscriber is there again.
func awaitReturn(t testing.TB, first *Broker, address string) {
	t.Helper()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	awaitSubscriptions(t, serveBroker(t, Config{}, l), 1)
}

// TestMosquittoVersions asks for what we do not speak, and for what we do.
func TestMosquittoVersions(t *testing.T) {
	b, address := startBroker(t, Config{})
	pub := debian(t, "mosquitto_pub", "mosquitto-clients")
	for _, version := range []string{"31", "5"} {
		args := at(t, address, "-V", version, "-t", "a", "-m", "x")
		out, err := exec.CommandContext(t.Context(), pub, args...).CombinedOutput()
		if err == nil || !strings.Contains(strings.ToLower(string(out)), "version") {
			t.Errorf("version %s: %v, %s", version, err, out)
		}
	}
	mosquittoPub(t, address, "-V", "311", "-t", "a", "-m", "x")
	if n := b.Stats().Closed[ReasonVersion]; n != 2 {
		t.Errorf("%d clients refused for their version, want 2", n)
	}
}

// pythonNode subscribes and prints what comes; it announces itself and leaves a
// will.
const pythonNode = `
import sys
import paho.mqtt.client as mqtt

def connected(client, userdata, flags, code):
    client.subscribe("set/+", 1)
    client.publish("state", "online", 1, True)

def message(client, userdata, m):
    print("%s=%s %d %d" % (m.topic, m.payload.decode(), m.qos, m.retain), flush=True)
    client.publish("ack", m.payload, m.qos)

client = mqtt.Client("node", clean_session=sys.argv[2] == "clean")
client.on_connect = connected
client.on_message = message
client.will_set("state", "offline", 1, True)
client.reconnect_delay_set(1, 1)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_forever()
`

func startPython(t testing.TB, address, session string) *program {
	t.Helper()
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, python(t), "-c", pythonNode, port, session)
}

func TestPythonClient(t *testing.T) {
	b, address := startBroker(t, Config{})
	watcher := join(t, address, "watcher")
	watcher.subscribe("+", 1)
	if err := b.Publish(Message{Topic: "set/kept", Payload: []byte("1"), QoS: 1, Retain: true}); err != nil {
		t.Fatal(err)
	}
	node := startPython(t, address, "clean")
	node.expect("set/kept=1 1 1")
	got := map[textMessage]bool{text(watcher.message()): true, text(watcher.message()): true}
	if !got[textMessage{"state", "online", 1, false}] || !got[textMessage{"ack", "1", 1, false}] {
		t.Errorf("got %v", got)
	}
	for qos := range byte(2) {
		for i := range 100 {
			payload := fmt.Sprint(i)
			if err := b.Publish(Message{Topic: "set/a", Payload: []byte(payload), QoS: qos}); err != nil {
				t.Fatal(err)
			}
			node.expect(fmt.Sprintf("set/a=%d %d 0", i, qos))
			watcher.expectMessage("ack", payload, qos, false)
		}
	}
	node.kill()
	watcher.expectMessage("state", "offline", 1, false)
}

func TestPythonReconnects(t *testing.T) {
	for _, session := range []string{"clean", "durable"} {
		t.Run(session, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			address := l.Addr().String()
			first := serveBroker(t, Config{}, l)
			node := startPython(t, address, session)
			awaitSubscriptions(t, first, 1)
			awaitReturn(t, first, address)
			mosquittoPub(t, address, "-t", "set/a", "-m", "back", "-q", "1")
			node.expect("set/a=back 1 0")
		})
	}
}

// TestPythonTakeover starts a second node with the same client id. Both come
// back whenever the other has taken over; whoever is there, the retained state
// must say so.
func TestPythonTakeover(t *testing.T) {
	b, address := startBroker(t, Config{})
	first := startPython(t, address, "clean")
	awaitSubscriptions(t, b, 1)
	second := startPython(t, address, "clean")
	expectTakeovers(t, b, 2)
	first.kill()
	second.kill()
	waitFor(t, "all gone", func() bool { return b.Stats().Clients == 0 })
	mosquittoSub(t, address, "-t", "state", "-q", "1").expect("state=offline 1 1")
}

func expectTakeovers(t testing.TB, b *Broker, n uint64) {
	t.Helper()
	waitFor(t, "takeovers", func() bool { return b.Stats().Closed[ReasonTakenOver] >= n })
}
