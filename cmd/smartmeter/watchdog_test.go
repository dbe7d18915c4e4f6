package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// TestS8TheWatchdogIsFed plays systemd to a real hub: it is told that the hub is
// ready, and then again and again that it lives.
func TestS8TheWatchdogIsFed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", fmt.Sprint(300*time.Millisecond.Microseconds()))
	startReady(t, "hub", "--open", "--data", t.TempDir(), "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0", "--log-level", "error")
	socket.SetReadDeadline(time.Now().Add(patience))
	told := map[string]int{}
	for said := make([]byte, 100); told["WATCHDOG=1"] < 3 || told["READY=1"] < 1; {
		n, err := socket.Read(said)
		if err != nil {
			t.Fatalf("%v after %v", err, told)
		}
		told[strings.TrimSpace(string(said[:n]))]++
	}
}

func TestS8TheWatchdogBarksAtWhatAStartMends(t *testing.T) {
	stuck := errors.New("a message published to the broker does not come back")
	for name, test := range map[string]struct {
		checks map[string]error
		barks  bool
	}{
		"well":               {nil, false},
		"the broker is":      {map[string]error{"broker": stuck}, true},
		"the store is":       {map[string]error{"store": stuck}, true},
		"the disk is full":   {map[string]error{"store": fmt.Errorf("write: %w", disk.ErrNoSpace), "disk": stuck}, false},
		"nobody set a clock": {map[string]error{"clock": stuck}, false},
		"read-only":          {map[string]error{"store": disk.ErrReadOnly}, false},
	} {
		if err := mendable(hub.Health{Checks: test.checks}); (err != nil) != test.barks {
			t.Errorf("%s: %v", name, err)
		}
	}
}
