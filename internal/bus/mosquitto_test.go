package bus_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// mosquitto is Debian's broker on a loopback port, to be killed and started
// again.
type mosquitto struct {
	t       *testing.T
	address string
	config  string
	cmd     *exec.Cmd
	ended   chan struct{} // the process, by itself or killed
}

// startMosquitto runs it until the test ends. It sends at once what it has to
// send, without waiting for receipts.
func startMosquitto(t *testing.T) *mosquitto {
	t.Helper()
	m := &mosquitto{t: t, address: freeAddress(t), config: filepath.Join(t.TempDir(), "mosquitto.conf")}
	_, port, _ := net.SplitHostPort(m.address)
	config := fmt.Sprintf("listener %s 127.0.0.1\nallow_anonymous true\nmax_inflight_messages 0\nset_tcp_nodelay true\n", port)
	if err := os.WriteFile(m.config, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	m.start()
	t.Cleanup(m.kill)
	return m
}

// start returns when clients are admitted. The port may be taken for a moment,
// by a client that came from it.
func (m *mosquitto) start() {
	m.t.Helper()
	for giveUp := time.Now().Add(patience); time.Now().Before(giveUp); {
		cmd, ended := exec.Command(mosquittoPath(m.t), "-c", m.config), make(chan struct{})
		if err := cmd.Start(); err != nil {
			m.t.Fatal(err)
		}
		go func() { _ = cmd.Wait(); close(ended) }()
		m.cmd, m.ended = cmd, ended
		if admits(m.address, ended) {
			return
		}
	}
	m.t.Fatalf("mosquitto does not serve at %s", m.address)
}

// kill is kill -9.
func (m *mosquitto) kill() {
	_ = m.cmd.Process.Kill()
	<-m.ended
}

// admits waits until a broker listens; false if it ended instead.
func admits(address string, ended <-chan struct{}) bool {
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			self := conn.LocalAddr().String() == conn.RemoteAddr().String()
			conn.Close()
			if !self {
				return true
			}
		}
		select {
		case <-ended:
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// mosquittoPath finds the program, which Debian keeps from ordinary users'
// paths.
func mosquittoPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"mosquitto", "/usr/sbin/mosquitto"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("mosquitto is missing: install the Debian package mosquitto (apt-get install mosquitto)")
	return ""
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
