package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// mosquitto is Debian's broker on a loopback port, to be killed and started
// again.
type mosquitto struct {
	t               *testing.T
	address, config string
	running         *process
}

// startMosquitto runs it until the test ends. It passes on at once what it
// gets.
func startMosquitto(t *testing.T) *mosquitto {
	t.Helper()
	return startMosquittoAt(t, freeAddress(t))
}

func startMosquittoAt(t *testing.T, address string) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, address: address, config: filepath.Join(t.TempDir(), "mosquitto.conf")}
	_, port, _ := net.SplitHostPort(m.address)
	config := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nset_tcp_nodelay true\n", port)
	if err := os.WriteFile(m.config, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start()
	return m
}

// start returns when clients are admitted. The port may be taken for a moment,
// by a client that came from it.
func (m *mosquitto) start() {
	m.t.Helper()
	m.launch()
	eventually(m.t, "Mosquitto serves", func() error {
		select {
		case err := <-m.running.done:
			m.running.done <- err
			m.launch()
		default:
		}
		return admits(m.address)
	})
}

func (m *mosquitto) launch() {
	m.t.Helper()
	path, err := exec.LookPath("mosquitto")
	if err != nil {
		path = "/usr/sbin/mosquitto" // Debian keeps it from ordinary users' paths
	}
	cmd := exec.Command(path, "-c", m.config)
	if err := cmd.Start(); err != nil {
		m.t.Fatalf("mosquitto is missing: install the Debian package mosquitto (apt-get install mosquitto): %v", err)
	}
	running := &process{t: m.t, cmd: cmd, done: make(chan error, 1)}
	go func() { running.done <- cmd.Wait() }()
	m.t.Cleanup(running.kill)
	m.running = running
}

// admits says why nobody listens at an address. A connection may meet itself.
func admits(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if conn.LocalAddr().String() == conn.RemoteAddr().String() {
		return errors.New("nobody is there")
	}
	return nil
}

// freeAddress returns a loopback address where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
