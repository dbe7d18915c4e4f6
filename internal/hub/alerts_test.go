package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// alerts returns all alerts, a word or two for each.
func (l *lab) alerts() string {
	l.t.Helper()
	alerts, err := l.Alerts(l.t.Context(), 100)
	if err != nil {
		l.t.Fatal(err)
	}
	var all []string
	for _, a := range alerts {
		word := fmt.Sprintf("%s %s %s", a.Device, a.Kind, a.Severity)
		if !a.Open() {
			word += " over"
		}
		all = append(all, word)
	}
	return strings.Join(all, ", ")
}

// A contact welds while a heater is on. Within three minutes of the OFF that it
// does not obey there is an alarm, and it lives until an OFF takes the watts
// away: over a restart of the hub, whatever the thermostat does.
func TestWeldedRelayRaisesItsAlarm(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		n := l.wireNode("n1", 0xbeef)
		time.Sleep(10 * time.Second)
		heater := smartmeter.Heater
		if _, err := l.ChangeDevice(t.Context(), "n1", hub.DeviceChange{Kind: &heater}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		l.turn("n1", true)
		time.Sleep(time.Minute)
		n.set(func() { n.welded = true })
		watch, _, err := l.Watch(0)
		if err != nil {
			t.Fatal(err)
		}
		l.turn("n1", false)
		began := time.Now()
		for l.alerts() == "" && time.Since(began) < 3*time.Minute {
			time.Sleep(time.Second)
		}
		t.Logf("the alarm came after %v", time.Since(began))
		if got := l.alerts(); got != "n1 welded_relay critical" {
			t.Fatalf("after %v: %q", time.Since(began), got)
		}
		told := 0
		watch.Close()
		for e := range watch.Events {
			if e.Kind == smartmeter.EventAlert {
				told++
			}
		}
		if told != 1 {
			t.Errorf("it was told %d times, want once", told)
		}
		n.set(func() { n.broken = true }) // its thermostat opens
		time.Sleep(time.Hour)
		n.link(false)
		l.restart()
		l.bus.answer = n.hear
		n.link(true)
		time.Sleep(10 * time.Minute)
		if got := l.alerts(); got != "n1 welded_relay critical" {
			t.Errorf("after a restart: %q", got)
		}
		open, err := l.Alerts(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []string{"Ada", "Ben"} {
			a, err := l.AcknowledgeAlert(t.Context(), open[0].ID, by)
			if err != nil || a.AcknowledgedBy != "Ada" || a.AcknowledgedAt == 0 || !a.Open() {
				t.Errorf("acknowledged: %+v, %v", a, err)
			}
		}
		n.set(func() { n.broken, n.welded = false, false }) // the relay is replaced
		l.turn("n1", true)
		time.Sleep(time.Minute)
		l.turn("n1", false)
		time.Sleep(time.Minute)
		if got := l.alerts(); got != "n1 welded_relay critical over" {
			t.Errorf("after it opened: %q", got)
		}
		if _, err := l.AcknowledgeAlert(t.Context(), open[0].ID, "Ada"); smartmeter.CodeOf(err) != smartmeter.NotFound {
			t.Errorf("acknowledged what is over: %v", err)
		}
		n.off()
	})
}

// turn moves a relay, and has its node obey.
func (l *lab) turn(id smartmeter.DeviceID, on bool) {
	l.t.Helper()
	_, err := l.Switch(l.t.Context(), hub.SwitchRequest{Device: id, On: on, Cause: smartmeter.CauseAPI, Wait: time.Second})
	if err != nil {
		l.t.Fatal(err)
	}
}

// set changes a node's world.
func (n *realNode) set(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

func TestAlarmsThatNobodyCanTell(t *testing.T) {
	for name, prepare := range map[string]func(*lab){
		"a meter above others": func(l *lab) {
			l.describe = func(id smartmeter.DeviceID) (smartmeter.Device, bool) {
				return smartmeter.Device{Name: string(id), Kind: smartmeter.Generic, Parent: map[smartmeter.DeviceID]smartmeter.DeviceID{"n2": "n1"}[id]}, true
			}
			l.restart()
			l.introduce("n2")
			l.introduce("n1")
		},
		"a position that the broker had kept of a node of protocol 0": func(l *lab) {
			l.kept("n1/relay/state", "0")
		},
		"no relay": func(l *lab) { l.says("n1/info", `{"proto":1,"boot":"0000beef","t":0}`); l.says("n1/relay/state", "0") },
	} {
		t.Run(name, func(t *testing.T) {
			newLab(t, func(t *testing.T, l *lab) {
				prepare(l)
				if name == "a meter above others" {
					l.says("n1/relay/state", "0")
				}
				for range 100 {
					time.Sleep(5 * time.Second)
					l.says("n1/pzem/metrics", `{"voltage":230,"current":4,"power":800}`)
				}
				if got := l.alerts(); got != "" {
					t.Errorf("raised: %s", got)
				}
			})
		})
	}
}

func TestDeadLoadIsNoticed(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		n := l.wireNode("n1", 0xbeef)
		defer n.off()
		time.Sleep(10 * time.Second)
		n.set(func() { n.broken = true })
		l.turn("n1", true)
		time.Sleep(3 * time.Minute)
		if got := l.alerts(); got != "n1 dead_load info" {
			t.Errorf("raised: %q", got)
		}
		n.set(func() { n.broken = false })
		time.Sleep(10 * time.Second)
		if got := l.alerts(); got != "n1 dead_load info over" {
			t.Errorf("after it draws: %q", got)
		}
	})
}

func TestNodeThatDoesNotObeyIsNoticed(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 0, 1)
		for i, want := range []string{"", "n1 not_obeying warning"} {
			if _, err := l.switchOn(time.Second); err == nil {
				t.Fatal("somebody answered")
			}
			time.Sleep(15 * time.Second)
			l.metrics("n1", 2+i, 15_000*(1+i), 1)
			if got := l.alerts(); got != want {
				t.Errorf("after %d commands: %q, want %q", i+1, got, want)
			}
		}
		l.answers("n1", wire.ResultRejected, "latched")
		_, _ = l.switchOn(time.Second)
		if got := l.alerts(); got != "n1 not_obeying warning over" {
			t.Errorf("after an answer: %q", got)
		}
	})
}

func TestErasedDeviceTakesItsAlertsWithIt(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/event", `{"kind":"overpower","boot":"0000beef","t":1,"state":0,"power_dw":41000}`)
		if got := l.alerts(); got != "n1 cut_off critical" {
			t.Fatalf("raised: %q", got)
		}
		if err := l.EraseDevice(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		if got := l.alerts(); got != "" {
			t.Errorf("of an erased device: %q", got)
		}
	})
}
