package node_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// press holds the node's button.
func (l *lab) press(d smartmeter.Millis) {
	l.node.Button(l.now, true)
	l.next = l.now
	l.run(d)
	l.node.Button(l.now, false)
	l.next = l.now
	l.run(0)
}

func TestButton(t *testing.T) {
	tests := []struct {
		name    string
		held    smartmeter.Millis
		toggles bool
		wipes   bool
	}{
		{"a chattering contact", 49, false, false},
		{"a touch", 50, true, false},
		{"a long touch", 2000, true, false},
		{"in doubt", 2001, false, false},
		{"nearly", 4999, false, false},
		{"held", 5000, false, true},
		{"held and held", 60_000, false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t).connect().configure(`"metrics":2000`)
			l.press(tt.held)
			if got := l.node.Status(); got.Relay != smartmeter.RelayStateOf(tt.toggles) || (got.Config == node.DefaultConfig()) != tt.wipes {
				t.Errorf("status %+v", got)
			}
			if (len(l.settings) == 0) != tt.wipes {
				t.Errorf("settings %q", l.settings)
			}
			var want []wire.NodeEvent
			if tt.toggles {
				want = []wire.NodeEvent{{Kind: wire.NodeButton, Boot: boot, T: tt.held, Relay: smartmeter.RelayOn}}
			}
			if diff := cmp.Diff(want, l.events()); diff != "" {
				t.Errorf("events (-want +got):\n%s", diff)
			}
		})
	}
}

func TestButtonRespectsTheProtection(t *testing.T) {
	l := overloaded(t, "")
	l.press(100)
	if l.relay.on() {
		t.Error("the button switched on what was cut off")
	}
}

func TestFactoryReset(t *testing.T) {
	l := overloaded(t, `,"relay":{"power_up":"on"}`).run(minute)
	l.press(5 * second)
	s := l.node.Status()
	if s.CutOff.Kind != "" || s.Unacknowledged > 1 || l.relay.on() {
		t.Errorf("status %+v", s)
	}
	if infos := l.infos(); infos[len(infos)-1].ConfigRev != 0 {
		t.Errorf("info %+v", infos[len(infos)-1])
	}
	if ack := l.order(true, 0); ack.Result != wire.ResultDone {
		t.Errorf("ON is answered %+v", ack)
	}
	l.press(5 * second)
	if l.relay.on() {
		t.Error("the relay stays on")
	}
}
