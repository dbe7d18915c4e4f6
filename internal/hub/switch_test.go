package hub_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// answers lets a node answer every command of ours with result.
func (l *lab) answers(node string, result wire.Result, reason string) {
	l.bus.answer = func(m smartmeter.Message) {
		if !strings.HasSuffix(m.Topic, "/relay/commands") {
			return
		}
		cmd, err := wire.DecodeCommand(m.Payload)
		if err != nil {
			l.t.Errorf("the hub sent %q: %v", m.Payload, err)
			return
		}
		state := smartmeter.RelayStateOf(cmd.On == (result == wire.ResultDone))
		ack := wire.CommandAck{ID: cmd.ID, Result: result, State: state, Reason: reason}
		l.says(node+"/relay/ack", string(wire.AppendCommandAck(nil, &ack)))
	}
}

func (l *lab) switchOn(wait time.Duration) (smartmeter.Command, error) {
	return l.Switch(l.t.Context(), hub.SwitchRequest{Device: "n1", On: true, Cause: smartmeter.CauseAPI, Wait: wait})
}

func TestSwitchIsDoneWhenTheNodeSaysSo(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		time.Sleep(7 * time.Second)
		l.answers("n1", wire.ResultDone, "")
		cmd, err := l.switchOn(3 * time.Second)
		if err != nil || cmd.State != smartmeter.CommandAcknowledged {
			t.Fatalf("Switch: %+v, %v", cmd, err)
		}
		sent, err := wire.DecodeCommand([]byte(l.bus.sent("n1/relay/commands")[0]))
		if err != nil {
			t.Fatal(err)
		}
		want := wire.Command{ID: cmd.ID, Boot: 0xbeef, BeforeT: 17_000, On: true}
		if sent != want {
			t.Errorf("sent %+v, want %+v", sent, want)
		}
		d := l.device("n1")
		if d.Relay.State != smartmeter.RelayOn || *d.Relay.Command != cmd {
			t.Errorf("relay %+v", d.Relay)
		}
		kept, err := l.Commands(t.Context(), "n1", 10)
		if err != nil || len(kept) != 1 || kept[0] != cmd {
			t.Errorf("kept %+v, %v; want %+v", kept, err, cmd)
		}
	})
}

func TestCommandsAreNeverRetained(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.answers("n1", wire.ResultDone, "")
		if _, err := l.switchOn(time.Second); err != nil {
			t.Fatal(err)
		}
		for _, m := range l.bus.published {
			if m.Retained {
				t.Errorf("%s was published retained", m.Topic)
			}
		}
	})
}

func TestSwitchRefusals(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(*lab)
		code    smartmeter.Code
		says    string
	}{
		{"unknown device", func(*lab) {}, smartmeter.NotFound, "no such device"},
		{"offline", func(l *lab) { l.introduce("n1"); l.says("n1/status", "Offline") }, smartmeter.Conflict, "offline"},
		{"no relay", func(l *lab) { l.says("n1/info", `{"proto":1,"boot":"0000beef","t":1}`) }, smartmeter.Conflict, "no relay"},
		{"refused by the node", func(l *lab) { l.introduce("n1"); l.answers("n1", wire.ResultRejected, "latched") }, smartmeter.Conflict, "latched"},
		{"too late at the node", func(l *lab) { l.introduce("n1"); l.answers("n1", wire.ResultExpired, "") }, smartmeter.Conflict, "too late"},
		{"broker down", func(l *lab) { l.introduce("n1"); l.bus.fails = errors.New("down") }, smartmeter.Unavailable, "down"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newLab(t, func(t *testing.T, l *lab) {
				tt.prepare(l)
				_, err := l.switchOn(time.Second)
				if smartmeter.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("error %v (%s), want %s saying %q", err, smartmeter.CodeOf(err), tt.code, tt.says)
				}
			})
		})
	}
}

func TestNodeWithoutRelayIsShownSo(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/info", `{"proto":1,"boot":"0000beef","t":1,"channels":2}`)
		l.says("n1/pzem/1/metrics", `{"power":1,"boot":"0000beef","seq":1,"first":1,"t":2}`)
		for _, id := range []smartmeter.DeviceID{"n1", "n1:1"} {
			if got := l.device(id).Relay.State; got != smartmeter.RelayNone {
				t.Errorf("%s: relay %v, want none", id, got)
			}
		}
		l.says("n2/pzem/metrics", `{"voltage":220.5,"current":1.2,"power":264.6}`)
		if got := l.device("n2").Relay.State; got != smartmeter.RelayUnknown {
			t.Errorf("a fielded node: relay %v, want unknown", got)
		}
	})
}

func TestNoAnswerIsSaidAndNeverCalledDone(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/relay/state", "0")
		cmd, err := l.switchOn(3 * time.Second)
		if smartmeter.CodeOf(err) != smartmeter.NoAnswer || cmd.State != smartmeter.CommandSent {
			t.Errorf("after the wait: %+v, %v", cmd, err)
		}
		time.Sleep(10 * time.Second)
		d := l.device("n1")
		if d.Relay.State != smartmeter.RelayUnknown || d.Relay.Command.State != smartmeter.CommandUnknown {
			t.Errorf("after the command ran out: %+v, %+v", d.Relay.State, d.Relay.Command)
		}
		l.says("n1/relay/ack", `{"id":"`+cmd.ID+`","result":"done","state":1}`) // far too late
		if got := l.device("n1").Relay; got.State != smartmeter.RelayOn || got.Command.State != smartmeter.CommandUnknown {
			t.Errorf("after a late answer: %v, %v", got.State, got.Command.State)
		}
	})
}

// A fielded node knows text commands and answers with its state alone.
func TestDoubleTapOnAFieldedNode(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/pzem/metrics", `{"voltage":220.5,"current":1.2,"power":264.6}`)
		l.bus.answer = func(m smartmeter.Message) {
			state := map[string]string{"RELAY_ON": "1", "RELAY_OFF": "0"}[string(m.Payload)]
			l.says("n1/relay/state", state)
		}
		for _, on := range []bool{true, false} {
			cmd, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n1", On: on, Cause: smartmeter.CauseAPI, Wait: time.Second})
			if err != nil || cmd.State != smartmeter.CommandAcknowledged {
				t.Fatalf("switch %v: %+v, %v", on, cmd, err)
			}
		}
		if got := strings.Join(l.bus.sent("n1/relay/commands"), " "); got != "RELAY_ON RELAY_OFF" {
			t.Errorf("sent %q", got)
		}
		if got := l.bus.sent("n1/relay/state"); len(got) != 0 {
			t.Errorf("the hub published relay/state: %q", got)
		}
	})
}

func TestWattsSpeakForThemselves(t *testing.T) {
	for _, tt := range []struct {
		name  string
		on    bool
		watts []float64
		want  smartmeter.WattsVerdict
	}{
		{"on and drawing", true, []float64{800}, smartmeter.WattsAgree},
		{"on and idle", true, []float64{0}, smartmeter.WattsCannotTell},
		{"off and silent", false, []float64{0.4}, smartmeter.WattsAgree},
		{"off after running down", false, []float64{300, 40, 0}, smartmeter.WattsAgree},
		{"off but drawing on", false, []float64{800, 800, 800}, smartmeter.WattsDisagree},
		{"not measured yet", true, nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newLab(t, func(t *testing.T, l *lab) {
				l.introduce("n1")
				l.answers("n1", wire.ResultDone, "")
				if _, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n1", On: tt.on, Wait: time.Second}); err != nil {
					t.Fatal(err)
				}
				for i, w := range tt.watts {
					time.Sleep(5 * time.Second)
					l.metrics("n1", i+1, 5000*(i+1), w)
				}
				if got := l.device("n1").Relay.Command.Watts; got != tt.want {
					t.Errorf("watts %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestUnansweredCommandsAreBounded(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		var last error
		for range 20 {
			_, last = l.switchOn(0)
		}
		if smartmeter.CodeOf(last) != smartmeter.Conflict {
			t.Errorf("the 20th unanswered command: %v", last)
		}
		time.Sleep(15 * time.Second)
		l.answers("n1", wire.ResultDone, "")
		if _, err := l.switchOn(time.Second); err != nil {
			t.Errorf("after they ran out: %v", err)
		}
	})
}

func TestRestartClosesOpenCommands(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		if _, err := l.switchOn(0); smartmeter.CodeOf(err) != smartmeter.NoAnswer {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		l.restart()
		cmd := l.device("n1").Relay.Command
		if cmd == nil || cmd.State != smartmeter.CommandUnknown || cmd.Reason == "" {
			t.Errorf("after a restart: %+v", cmd)
		}
		time.Sleep(20 * time.Second)
	})
}

// A disk that stalls must not turn a command into one for later.
func TestNobodyWantsALateCommand(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		cmd, err := l.Switch(gone, hub.SwitchRequest{Device: "n1", On: true, Wait: time.Second})
		if err == nil || cmd.State != smartmeter.CommandFailed {
			t.Errorf("%+v, %v", cmd, err)
		}
		if sent := l.bus.sent("n1/relay/commands"); len(sent) != 0 {
			t.Errorf("sent all the same: %q", sent)
		}
	})
}

func TestTextCommandsAreAnsweredInOrder(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/relay/state", "1")
		var asked []smartmeter.Command
		for _, on := range []bool{false, true, false} {
			cmd, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n1", On: on})
			if smartmeter.CodeOf(err) != smartmeter.NoAnswer {
				t.Fatal(err)
			}
			asked = append(asked, cmd)
			time.Sleep(time.Millisecond)
		}
		l.says("n1/relay/state", "0")
		synctest.Wait()
		want := []smartmeter.CommandState{smartmeter.CommandAcknowledged, smartmeter.CommandSent, smartmeter.CommandRequested}
		if got := l.states(); !slices.Equal(got, want) {
			t.Errorf("after the first answer: %v, want %v", got, want)
		}
		if got := l.device("n1").Relay.Command; got.ID != asked[2].ID {
			t.Errorf("shown is %+v, want the last one asked for", got)
		}
	})
}

// A node that numbers its samples understands no text without an expiry.
func TestNoTextToANumberedNode(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.metrics("n1", 1, 1, 5) // its info was before our time
		if _, err := l.switchOn(time.Second); smartmeter.CodeOf(err) != smartmeter.Conflict {
			t.Errorf("error %v, want a conflict", err)
		}
		l.kept("n2/info", `{"proto":1,"boot":"0000beef","t":1,"caps":["relay"]}`) // a broker of others kept it
		l.metrics("n2", 1, 1, 5)
		l.answers("n2", wire.ResultDone, "")
		if _, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n2", On: true, Wait: time.Second}); err != nil {
			t.Errorf("a node whose kept info we saw: %v", err)
		}
	})
}

func TestRestartClosesEveryOpenCommand(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		for range 3 {
			if _, err := l.switchOn(0); smartmeter.CodeOf(err) != smartmeter.NoAnswer {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		l.restart()
		kept, err := l.Commands(t.Context(), "n1", 10)
		if err != nil || len(kept) != 3 {
			t.Fatalf("%d commands, %v", len(kept), err)
		}
		for _, c := range kept {
			if c.State != smartmeter.CommandUnknown {
				t.Errorf("after the restart: %+v", c)
			}
		}
		time.Sleep(20 * time.Second)
	})
}

// A node remembers sixteen commands. Whatever comes twice, none of those that
// are still valid may be forgotten.
func TestNoMoreCommandsThanANodeRemembers(t *testing.T) {
	withNode(t, func(t *testing.T, l *lab, n *realNode) {
		taken := 0
		for i := range 30 {
			_, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "n1", On: i%2 == 0, Wait: time.Second})
			if err == nil {
				taken++
			} else if smartmeter.CodeOf(err) != smartmeter.Conflict {
				t.Fatal(err)
			}
		}
		if taken != 12 {
			t.Errorf("%d commands taken in a moment, want 12", taken)
		}
		time.Sleep(11 * time.Second)
		l.ask(hub.SwitchRequest{On: true})
	})
}
