package hub_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// others delivers what another client tells a node.
func (l *lab) others(client, topic, payload string) {
	l.bus.deliver(smartmeter.Message{Topic: "dev/" + topic, Payload: []byte(payload), From: smartmeter.Identity{ClientID: client}})
}

// history returns what is kept of a relay, newest first, in a line each.
func (l *lab) history(id smartmeter.DeviceID) []string {
	l.t.Helper()
	commands, err := l.Commands(l.t.Context(), id, 1000)
	if err != nil {
		l.t.Fatal(err)
	}
	var lines []string
	for _, c := range commands {
		line := fmt.Sprintf("%v: %s, %s", smartmeter.RelayStateOf(c.On), c.Cause, c.State)
		if c.Reason != "" {
			line += " (" + c.Reason + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

func (l *lab) wantHistory(id smartmeter.DeviceID, want ...string) {
	l.t.Helper()
	if got := l.history(id); strings.Join(got, "\n") != strings.Join(want, "\n") {
		l.t.Errorf("history of %s:\n%s\nwant:\n%s", id, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// command is one of protocol 1 in another client's words.
func command(id string, on bool) string {
	return string(wire.AppendCommand(nil, &wire.Command{ID: id, Boot: 0xbeef, BeforeT: 1 << 40, On: on}))
}

func TestHistoryHasWhatOthersAskedFor(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/relay/state", "0")
		l.others("phone\x1b[2J", "n1/relay/commands", "relay_on")
		l.wantHistory("n1", "on: external, by phone[2J, sent")
		l.says("n1/relay/state", "1")
		time.Sleep(time.Minute)
		l.others("script", "n1/relay/commands", command("theirs", false))
		l.says("n1/relay/ack", `{"id":"theirs","result":"rejected","state":1,"reason":"must stay on for another 9 s"}`)
		time.Sleep(time.Minute)
		l.others("", "n1/relay/commands", "RELAY_OFF") // the broker does not tell whose it is
		time.Sleep(time.Minute)
		l.wantHistory("n1",
			"off: external, unknown (the node did not answer it, and its relay is on)",
			"off: external, by script, rejected (must stay on for another 9 s)",
			"on: external, by phone[2J, acknowledged")
		if c := l.device("n1").Relay.Command; c == nil || c.On || c.State != smartmeter.CommandUnknown {
			t.Errorf("the device shows %+v", c)
		}
	})
}

// The broker gives the hub's own commands back to it.
func TestHistoryHasOurOwnCommandsOnce(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/relay/state", "0")
		l.answers("n1", wire.ResultDone, "")
		if _, err := l.switchOn(time.Second); err != nil {
			t.Fatal(err)
		}
		l.says("n1/relay/state", "1")
		l.says("n2/pzem/metrics", `{"voltage":220.5,"current":1.2,"power":264.6}`)
		l.bus.answer = func(smartmeter.Message) { l.says("n2/relay/state", "1") }
		if _, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n2", On: true, Cause: smartmeter.CauseAPI, Wait: time.Second}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		for _, id := range []smartmeter.DeviceID{"n1", "n2"} {
			l.wantHistory(id, "on: api, acknowledged")
		}
	})
}

func TestHistoryHasWhatTheNodeDidByItself(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		began := time.Now()
		l.introduce("n1")
		l.says("n1/relay/state", "1")
		time.Sleep(time.Hour)
		l.metrics("n1", 1, 3_600_000, 0)
		l.says("n1/relay/state", "0") // where it is now, and then why
		l.says("n1/event", `{"kind":"overcurrent","boot":"0000beef","t":3599000,"state":0,"current_ma":17300}`)
		l.wantHistory("n1", "off: protection, acknowledged (cut off 17.3 A)")
		kept, err := l.Commands(t.Context(), "n1", 1)
		if want := smartmeter.InstantOf(began.Add(3599 * time.Second)); err != nil || kept[0].AskedAt != want {
			t.Errorf("it is told to have been at %v, want %v", kept[0].AskedAt.Time(), want.Time())
		}
		time.Sleep(time.Hour)
		l.says("n1/relay/state", "1")
		l.says("n1/event", `{"kind":"button","boot":"0000beef","t":7200000,"state":1}`)
		time.Sleep(time.Hour)
		l.says("n1/relay/state", "0") // nothing tells why
		time.Sleep(time.Minute)
		l.says("n1/info", `{"proto":1,"boot":"0000cafe","t":0,"caps":["relay"]}`)
		l.says("n1/relay/state", "1")
		want := []string{
			"on: power_up, acknowledged",
			"off: node, acknowledged",
			"on: button, acknowledged",
			"off: protection, acknowledged (cut off 17.3 A)",
		}
		l.wantHistory("n1", want...)
		l.says("n1/event", `{"kind":"overcurrent","boot":"0000beef","t":3599000,"state":0,"current_ma":17300}`)
		l.restart()
		l.introduce("n1")
		l.says("n1/event", `{"kind":"overcurrent","boot":"0000beef","t":3599000,"state":0,"current_ma":17300}`)
		l.wantHistory("n1", want...) // however often it is told
	})
}

// A node that was away tells where its relay is, and then all that it did.
func TestHistoryOfANodeThatWasAway(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/relay/state", "1")
		l.says("n1/status", "Offline")
		time.Sleep(time.Hour)
		l.says("n1/info", `{"proto":1,"boot":"0000beef","t":3600000,"caps":["relay"]}`)
		l.says("n1/relay/state", "0")
		for _, e := range []string{`"lease_expired","t":100000,"state":0`, `"button","t":200000,"state":1`, `"max_on","t":300000,"state":0`} {
			l.says("n1/event", `{"kind":`+e+`,"boot":"0000beef"}`)
		}
		time.Sleep(time.Minute)
		l.wantHistory("n1",
			"off: max_on, acknowledged (it was on for as long as it may)",
			"on: button, acknowledged",
			"off: lease, acknowledged")
	})
}

func TestHistorySaysWhichEndItWas(t *testing.T) {
	for _, tt := range []struct {
		name string
		req  hub.SwitchRequest
		want string
	}{
		{"for", hub.SwitchRequest{For: 3 * time.Minute}, "the time that it was given was over"},
		{"lease", hub.SwitchRequest{Lease: 2 * time.Minute}, "the hub did not renew it in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newLab(t, func(t *testing.T, l *lab) {
				n := l.wireNode("n1", 0xbeef)
				defer n.off()
				time.Sleep(10 * time.Second)
				tt.req.Device, tt.req.On, tt.req.Cause, tt.req.Wait = "n1", true, smartmeter.CauseAPI, time.Second
				if _, err := l.Switch(t.Context(), tt.req); err != nil {
					t.Fatal(err)
				}
				n.holding(true) // renewals are held back
				time.Sleep(5 * time.Minute)
				got := l.history("n1")
				if len(got) != 2 || got[0] != "off: lease, acknowledged ("+tt.want+")" {
					t.Errorf("history: %q", got)
				}
			})
		})
	}
}

func TestAFloodOfMovementsDoesNotFillTheHistory(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		for i := range 20_000 {
			if i%1000 == 0 {
				time.Sleep(3 * time.Second)
			}
			l.others("villain", "n1/relay/commands", []string{"RELAY_OFF", "RELAY_ON"}[i%2])
			if i%3 == 0 {
				l.says("n1/relay/state", fmt.Sprint(rand.IntN(2)))
			}
		}
		if got := l.history("n1"); len(got) < 20 || len(got) > 30 {
			t.Errorf("a minute of it left %d entries, want 20 and one every 30 s", len(got))
		}
		if got := l.device("n1").Refused["too_many_movements"]; got < 19_000 {
			t.Errorf("%d movements were counted as left out", got)
		}
		time.Sleep(10 * time.Minute)
		l.others("friend", "n1/relay/commands", "RELAY_ON")
		if got := l.history("n1")[0]; !strings.HasPrefix(got, "on: external, by friend, sent") || !strings.Contains(got, "movements before this one were too many to keep") {
			t.Errorf("after the flood: %q", got)
		}
	})
}

func TestAFloodOfManyNodesDoesNotFillTheHistory(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		entries := 0
		for i := range 100 {
			id := fmt.Sprintf("n%d", i)
			l.introduce(id)
			for range 20 {
				l.others("villain", id+"/relay/commands", "RELAY_ON")
			}
		}
		for _, d := range l.Devices() {
			entries += len(l.history(d.ID))
		}
		if entries != 200 {
			t.Errorf("%d entries, want 200", entries)
		}
	})
}

// A node knows the last sixteen ids again, whoever drew them, and whoever has
// restarted since.
func TestCommandsOfOthersAndOfBeforeTakePlaces(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		refused := func() bool {
			_, err := l.switchOn(time.Second)
			return err != nil && strings.Contains(err.Error(), "asked many times")
		}
		l.introduce("n1")
		for i := range 12 {
			l.others("phone", "n1/relay/commands", command(fmt.Sprint(i), true))
		}
		l.answers("n1", wire.ResultDone, "")
		if !refused() {
			t.Error("a thirteenth command is sent at once")
		}
		time.Sleep(11 * time.Second)
		for range 12 {
			if refused() {
				t.Fatal("one of the first twelve is refused")
			}
		}
		l.restart()
		l.introduce("n1")
		l.answers("n1", wire.ResultDone, "")
		if !refused() {
			t.Error("a hub that restarted sends a thirteenth command at once")
		}
		time.Sleep(11 * time.Second)
		if refused() {
			t.Error("a command is refused for ever")
		}
	})
}
