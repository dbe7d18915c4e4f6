package node_test

import (
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
)

func TestIDFromMAC(t *testing.T) {
	got := node.IDFromMAC("ESP32-", [6]byte{0x24, 0x0A, 0xC4, 0x00, 0x9F, 0xE1})
	if want := smartmeter.NodeID("ESP32-240ac4009fe1"); got != want || !smartmeter.ValidNodeID(string(got)) {
		t.Errorf("%s, want %s", got, want)
	}
}
