package nodehost

import (
	"bytes"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// deadline is how long anything may take before a test gives up.
const deadline = 20 * time.Second

// quiet is a logger for tests.
var quiet = slog.New(slog.DiscardHandler)

// broker is a real broker that tells what it hears.
type broker struct {
	*mqtt.Broker
	addr  string
	heard chan mqtt.Message
	stop  func()
}

// startBroker serves on addr, or on a free port for "", until the test ends or
// stop is called.
func startBroker(t *testing.T, addr string, hooks mqtt.Hooks) *broker {
	t.Helper()
	listener := listen(t, addr)
	b := &broker{
		Broker: mqtt.New(mqtt.Config{Logger: quiet, Hooks: hooks}),
		addr:   listener.Addr().String(),
		heard:  make(chan mqtt.Message, 10_000),
	}
	if _, err := b.Subscribe("#", func(m mqtt.Message) {
		m.Payload = bytes.Clone(m.Payload)
		b.heard <- m
	}); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = b.Serve(listener) })
	b.stop = sync.OnceFunc(func() { b.Close(); listener.Close(); wg.Wait() })
	t.Cleanup(b.stop)
	return b
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

// await returns the next message on topic whose payload contains part.
func (b *broker) await(t *testing.T, topic, part string) mqtt.Message {
	t.Helper()
	giveUp := time.After(deadline)
	for {
		select {
		case m := <-b.heard:
			if m.Topic == topic && strings.Contains(string(m.Payload), part) {
				return m
			}
		case <-giveUp:
			t.Fatalf("nothing came on %s with %q", topic, part)
		}
	}
}

// send publishes to the node.
func (b *broker) send(t *testing.T, topic, payload string) {
	t.Helper()
	if err := b.Publish(mqtt.Message{Topic: topic, Payload: []byte(payload), QoS: 1}); err != nil {
		t.Fatal(err)
	}
}

// retained returns what a newcomer would get on topic.
func (b *broker) retained(topic string) string {
	for m := range b.Retained() {
		if m.Topic == topic {
			return string(m.Payload)
		}
	}
	return ""
}

// within fails the test if f takes too long.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { f(); close(done) }()
	wait(t, what, done)
}

// wait waits for a channel to be closed, or to deliver.
func wait[T any](t *testing.T, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(deadline):
		t.Fatal("too long: ", what)
	}
	return v
}

// bench is a module on a pseudo-terminal. The device is a symbolic link, as a
// USB adapter's name is one that comes and goes.
type bench struct {
	t      *testing.T
	slave  *pzem.Slave
	device string
	unplug func()
}

// newBench returns a module that measures something, plugged in.
func newBench(t *testing.T) *bench {
	t.Helper()
	slave, err := pzem.NewSlave(0x01)
	if err != nil {
		t.Fatal(err)
	}
	slave.Update(func(m *smartmeter.Measurement) { *m = measuring() })
	b := &bench{t: t, slave: slave, device: filepath.Join(t.TempDir(), "ttyUSB0"), unplug: func() {}}
	t.Cleanup(func() { b.unplug() })
	b.plug(func(heard []byte) []byte { return slave.Feed(heard) })
	return b
}

// plug makes the device appear. What is heard on the line goes to answer, and
// what that returns comes back.
func (b *bench) plug(answer func(heard []byte) []byte) {
	b.t.Helper()
	b.unplug()
	module, terminal, err := pty.Open()
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.Symlink(terminal.Name(), b.device); err != nil {
		b.t.Fatal(err)
	}
	line := pollable(b.t, module)
	var wg sync.WaitGroup
	wg.Go(func() {
		for buf := make([]byte, 64); ; {
			n, err := line.Read(buf)
			if err != nil {
				return
			}
			if reply := answer(buf[:n]); len(reply) > 0 {
				_, _ = line.Write(reply)
			}
		}
	})
	b.unplug = sync.OnceFunc(func() {
		os.Remove(b.device)
		terminal.Close()
		line.Close()
		wg.Wait()
	})
}

// pollable returns the terminal in a form whose Close ends a pending Read.
func pollable(t *testing.T, f *os.File) *os.File {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	f.Close()
	return os.NewFile(uintptr(fd), f.Name())
}

// measuring is what the modules of these tests measure.
func measuring() smartmeter.Measurement {
	return smartmeter.Measurement{
		Has:         smartmeter.AllQuantities,
		Voltage:     2305,
		Current:     4567,
		Power:       10_421,
		Energy:      123_456,
		Frequency:   500,
		PowerFactor: 99,
	}
}
