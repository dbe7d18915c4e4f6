package main

import (
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

// TestS7PairedNodesLiveBehindRequireTLS pairs a real node with a hub that has no
// plain doors. Both are killed and come back, the node without the code; then it
// is revoked.
func TestS7PairedNodesLiveBehindRequireTLS(t *testing.T) {
	data, nodeData := t.TempDir(), t.TempDir()
	hubArgs := []string{"hub", "--require-tls", "--data", data, "--log-level", "error", "--https"}
	hub := startReady(t, append(hubArgs, "127.0.0.1:0", "--mqtts", "127.0.0.1:0")...)
	if hub.http+hub.mqtt != "" {
		t.Fatalf("plain doors are open: %s %s", hub.http, hub.mqtt)
	}
	hub.trust(data)
	hub.firstRun()

	var accepted struct{ Code string }
	if status := hub.call("POST", "/api/v1/nodes", `{"kind":"paired"}`, &accepted); status != 201 {
		t.Fatalf("no code: %d", status)
	}
	meter := newMeterOnPTY(t)
	meter.show(smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: 2301, Power: 100, Current: 50, Frequency: 500, PowerFactor: 90})
	nodeArgs := []string{"node", "--serial", meter.device, "--mqtt", "mqtts://" + hub.mqtts, "--id", "attic", "--data", nodeData}
	node := start(t, append(nodeArgs, "--pair", accepted.Code)...)
	online := func(want bool) {
		t.Helper()
		eventually(t, fmt.Sprintf("online is %v", want), func() error {
			if d, _ := hub.device("attic"); d.Online != want {
				return fmt.Errorf("%+v", d)
			}
			return nil
		})
	}
	online(true)
	node.kill()
	online(false)
	start(t, nodeArgs...)
	online(true)

	hub.kill()
	token := hub.token
	hub = startReady(t, append(hubArgs, hub.https, "--mqtts", hub.mqtts)...)
	hub.token = token
	hub.trust(data)
	online(true)
	hub.call("DELETE", "/api/v1/nodes/attic", "", nil)
	online(false)
	secret, _, _ := strings.Cut(readFile(filepath.Join(nodeData, "hub")), "authority")
	for _, kept := range []string{"nodes.json"} {
		if text, _ := os.ReadFile(filepath.Join(data, kept)); len(text) == 0 || strings.Contains(string(text), secret) {
			t.Errorf("%s: %s", kept, text)
		}
	}
}

// trust has the test talk to the hub encrypted, as it is from the first minute.
func (p *process) trust(data string) {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(data, "tls", "authority.pem"))
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest := pem.Decode(text) // the key comes first
	p.client = trusting(p.t, rest)
}
