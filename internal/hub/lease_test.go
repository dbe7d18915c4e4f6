package hub_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

var leaseSeed = flag.Uint64("lease.seed", 1, "replays the random night of leases with this seed")

// withNode runs f with a hub and a real node, a while after both began.
func withNode(t *testing.T, f func(*testing.T, *lab, *realNode)) {
	newLab(t, func(t *testing.T, l *lab) {
		n := l.wireNode("n1", 0xbeef)
		time.Sleep(time.Minute)
		f(t, l, n)
		n.off()
	})
}

// ask switches and expects the node to obey.
func (l *lab) ask(req hub.SwitchRequest) smartmeter.Command {
	l.t.Helper()
	req.Device, req.Cause, req.Wait = "n1", smartmeter.CauseAPI, time.Second
	cmd, err := l.Switch(l.t.Context(), req)
	if err != nil {
		l.t.Fatalf("%+v: %+v, %v", req, cmd, err)
	}
	return cmd
}

// expectOffAfter checks when the relay went off: no later than d after begin,
// and not much earlier.
func (n *realNode) expectOffAfter(t *testing.T, begin time.Time, d time.Duration) {
	t.Helper()
	if n.isOn() {
		t.Fatalf("the relay is on %v after it was to go off", time.Since(begin)-d)
	}
	if after := n.lastMove().Sub(begin); after > d || after < d-time.Second {
		t.Errorf("the relay went off after %v, want %v", after, d)
	}
}

// deadHub ends the hub as a power cut would: nobody hears the node any more.
func (l *lab) deadHub(n *realNode) {
	n.link(false)
	synctest.Wait()
	l.stop()
	l.stop = func() {}
}

func TestForEndsWithoutTheHub(t *testing.T) {
	withNode(t, func(t *testing.T, l *lab, n *realNode) {
		asked := time.Now()
		cmd := l.ask(hub.SwitchRequest{On: true, For: 30 * time.Minute})
		if cmd.Cause != "api, for 30m" {
			t.Errorf("its cause is kept as %q", cmd.Cause)
		}
		l.deadHub(n)
		time.Sleep(40 * time.Minute)
		n.expectOffAfter(t, asked, 30*time.Minute)
	})
}

func TestLeaseIsRenewedWhileTheHubLives(t *testing.T) {
	withNode(t, func(t *testing.T, l *lab, n *realNode) {
		l.ask(hub.SwitchRequest{On: true, Lease: 5 * time.Minute})
		time.Sleep(2 * time.Hour)
		if !n.isOn() {
			t.Fatalf("the relay went off at %v", n.lastMove())
		}
		if got := len(l.bus.sent("n1/relay/lease")); got < 68 || got > 73 {
			t.Errorf("%d renewals in two hours, want one in 100 s", got)
		}
		l.deadHub(n)
		dead := time.Now()
		time.Sleep(5*time.Minute + time.Second) // the node looks every so often
		if off := n.lastMove(); n.isOn() || off.Sub(dead) < 3*time.Minute {
			t.Errorf("on: %v, moved %v after the hub died", n.isOn(), off.Sub(dead))
		}
	})
}

func TestLeaseHasAnEndWithFor(t *testing.T) {
	withNode(t, func(t *testing.T, l *lab, n *realNode) {
		asked := time.Now()
		cmd := l.ask(hub.SwitchRequest{On: true, For: 61 * time.Minute, Lease: 5 * time.Minute})
		if cmd.Cause != "api, for 1h1m, lease 5m" {
			t.Errorf("its cause is kept as %q", cmd.Cause)
		}
		time.Sleep(2 * time.Hour)
		n.expectOffAfter(t, asked, 61*time.Minute)
	})
}

// What ran out while hub and node did not hear each other stays off, whatever
// the network delivers in the end.
func TestLateRenewalsChangeNothing(t *testing.T) {
	withNode(t, func(t *testing.T, l *lab, n *realNode) {
		l.ask(hub.SwitchRequest{On: true, Lease: 5 * time.Minute})
		n.holding(true)
		time.Sleep(6 * time.Minute)
		if n.isOn() {
			t.Fatal("the relay is on past its lease")
		}
		late := len(l.bus.sent("n1/relay/lease"))
		n.holding(false)
		time.Sleep(time.Hour)
		if n.isOn() {
			t.Error("a late renewal switched the relay on")
		}
		if got := len(l.bus.sent("n1/relay/lease")); late == 0 || got != late {
			t.Errorf("%d renewals, and %d after the node had said that it is off", late, got-late)
		}
	})
}

func TestNetworkGoneForLongerThanTheLease(t *testing.T) {
	withNode(t, func(t *testing.T, l *lab, n *realNode) {
		l.ask(hub.SwitchRequest{On: true, Lease: 5 * time.Minute})
		n.link(false)
		time.Sleep(time.Hour)
		n.link(true)
		time.Sleep(time.Hour)
		if n.isOn() || l.device("n1").Relay.State != smartmeter.RelayOff {
			t.Errorf("on: %v, shown as %v", n.isOn(), l.device("n1").Relay.State)
		}
	})
}

func TestRenewalsStop(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(*lab, *realNode)
		on   bool // afterwards
	}{
		{"when OFF is asked", func(l *lab, _ *realNode) { l.ask(hub.SwitchRequest{}) }, false},
		{"when OFF gets lost", func(l *lab, n *realNode) {
			n.holding(true)
			_, _ = l.Switch(l.t.Context(), hub.SwitchRequest{Device: "n1"})
			n.held = nil
			n.holding(false)
		}, false},
		{"when ON is asked without end", func(l *lab, _ *realNode) { l.ask(hub.SwitchRequest{On: true}) }, true},
		{"when the hub restarts", func(l *lab, n *realNode) {
			n.link(false)
			synctest.Wait()
			l.restart()
			l.bus.answer = n.hear
			n.link(true)
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			withNode(t, func(t *testing.T, l *lab, n *realNode) {
				l.ask(hub.SwitchRequest{On: true, Lease: 2 * time.Minute})
				time.Sleep(10 * time.Minute)
				synctest.Wait() // a renewal is due this very moment
				before := len(l.bus.sent("n1/relay/lease"))
				tt.do(l, n)
				before = min(before, len(l.bus.sent("n1/relay/lease")))
				time.Sleep(10 * time.Minute)
				if got := len(l.bus.sent("n1/relay/lease")); got != before {
					t.Errorf("%d more renewals", got-before)
				}
				if n.isOn() != tt.on {
					t.Errorf("the relay is on: %v, want %v", n.isOn(), tt.on)
				}
			})
		})
	}
}

func TestEndsThatAreRefused(t *testing.T) {
	const proto1 = `{"proto":1,"boot":"0000beef","t":1,"caps":["relay"]}`
	stays := smartmeter.MustStayOn
	for _, tt := range []struct {
		name    string
		prepare func(*lab)
		req     hub.SwitchRequest
		code    smartmeter.Code
		says    string
	}{
		{"off for", nil, hub.SwitchRequest{For: time.Hour}, smartmeter.Invalid, "body.for: ends an ON"},
		{"off with a lease", nil, hub.SwitchRequest{Lease: time.Hour}, smartmeter.Invalid, "body.lease: guards an ON"},
		{"too short", nil, hub.SwitchRequest{On: true, For: time.Millisecond}, smartmeter.Invalid, "body.for: must be a duration from 1s"},
		{"too long", nil, hub.SwitchRequest{On: true, For: 169 * time.Hour}, smartmeter.Invalid, "168h"},
		{"a lease that a hiccup ends", nil, hub.SwitchRequest{On: true, Lease: time.Minute}, smartmeter.Invalid, "body.lease: must be a duration from 2m"},
		{"negative", nil, hub.SwitchRequest{On: true, Lease: -time.Hour}, smartmeter.Invalid, "body.lease"},
		{"protocol 0", func(l *lab) { l.says("n1/status", "Online") }, hub.SwitchRequest{On: true, For: time.Hour}, smartmeter.Conflict, "body.for: n1 has a node of protocol 0"},
		{"a node without leases", func(l *lab) { l.says("n1/info", proto1) }, hub.SwitchRequest{On: true, Lease: time.Hour}, smartmeter.Conflict, "body.lease: n1 has a node that cannot end an ON"},
		{"must stay on", func(l *lab) {
			l.says("n1/info", strings.Replace(proto1, `"relay"`, `"relay","lease"`, 1))
			if _, err := l.ChangeDevice(l.t.Context(), "n1", hub.DeviceChange{Kind: &stays}); err != nil {
				l.t.Fatal(err)
			}
		}, hub.SwitchRequest{On: true, Lease: time.Hour}, smartmeter.Conflict, "body.lease: n1 must stay on"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			newLab(t, func(t *testing.T, l *lab) {
				if tt.prepare != nil {
					tt.prepare(l)
				}
				tt.req.Device = "n1"
				_, err := l.Switch(t.Context(), tt.req)
				if smartmeter.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("%v (%s), want %s saying %q", err, smartmeter.CodeOf(err), tt.code, tt.says)
				}
				if sent := l.bus.sent("n1/relay/commands"); sent != nil {
					t.Errorf("sent all the same: %q", sent)
				}
			})
		})
	}
}

// A random night: people switch, the network comes and goes and delays. By the
// instant that the last ON was to end, or one lease after hub and node heard
// each other last, the relay is off.
func TestNoOnOutlivesItsLease(t *testing.T) {
	t.Logf("-lease.seed=%d", *leaseSeed)
	random := rand.New(rand.NewPCG(*leaseSeed, 0))
	withNode(t, func(t *testing.T, l *lab, n *realNode) {
		const length = 2 * time.Minute
		var end, heard time.Time // end is that of the last ON
		together, endless := true, true
		for step := range 300 {
			what := ""
			switch random.IntN(5) {
			case 0, 1:
				req := hub.SwitchRequest{Device: "n1", On: true, Wait: time.Second, Lease: length}
				if random.IntN(2) == 0 {
					req.For = time.Duration(1+random.IntN(600)) * time.Second
				}
				asked := time.Now()
				cmd, err := l.Switch(t.Context(), req)
				switch {
				case err == nil:
					heard, end, endless = asked, asked.Add(req.For), req.For == 0
				case cmd.State == smartmeter.CommandSent: // it may be obeyed yet
					end, endless = later(end, asked.Add(req.For)), endless || req.For == 0
				}
				what = fmt.Sprintf("on %+v: %s", req, cmd.State)
			case 2:
				together = false
				n.link(false)
				what = "cut off"
			case 3:
				together = true
				n.link(true)
				n.holding(false)
				what = "connected"
			case 4:
				together = false
				n.holding(true)
				what = "delayed"
			}
			if together {
				heard = time.Now()
			}
			time.Sleep(time.Duration(random.IntN(200)) * time.Second)
			if together {
				heard = time.Now()
			}
			synctest.Wait()
			past := !endless && !time.Now().Before(end)
			if n.isOn() && (past || time.Since(heard) > length) {
				t.Fatalf("step %d (%s): on, past its end: %v, %v after they heard each other", step, what, past, time.Since(heard))
			}
		}
		if len(n.moves) < 20 {
			t.Errorf("the relay moved %d times: the night was too quiet", len(n.moves))
		}
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func TestLeaseTimesAreTheNodesOwn(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/info", `{"proto":1,"boot":"0000beef","t":1000000,"caps":["relay","lease"]}`)
		l.answers("n1", wire.ResultDone, "")
		time.Sleep(5 * time.Second)
		l.ask(hub.SwitchRequest{On: true, For: time.Hour, Lease: 3 * time.Minute})
		sent, err := wire.DecodeCommand([]byte(l.bus.sent("n1/relay/commands")[0]))
		if err != nil || sent.LeaseUntilT != 1_185_000 {
			t.Errorf("sent %+v, %v; want a lease until 1185000", sent, err)
		}
		time.Sleep(61 * time.Second)
		synctest.Wait()
		got := l.bus.sent("n1/relay/lease")
		if len(got) != 1 {
			t.Fatalf("renewed %q, want once after a third", got)
		}
		lease, err := wire.DecodeLease([]byte(got[0]))
		if err != nil || lease.Boot != 0xbeef || lease.LeaseUntilT < 1_244_000 || lease.LeaseUntilT > 1_246_000 {
			t.Errorf("renewed with %+v, %v", lease, err)
		}
	})
}
