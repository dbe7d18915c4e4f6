package hub_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// limit is how many nodes the hub takes.
const limit = 2000

// crowd lets as many nodes say something as the hub takes, and one more.
func (l *lab) crowd(topic, payload string) {
	for i := range limit + 1 {
		l.says(fmt.Sprintf("crowd-%d/%s", i, topic), payload)
	}
}

func (l *lab) stored() map[smartmeter.DeviceID]bool {
	l.t.Helper()
	devices, err := l.store.Devices(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	ids := make(map[smartmeter.DeviceID]bool)
	for _, d := range devices {
		ids[d.ID] = true
	}
	return ids
}

func TestDevicesAreStoredWhenThereIsSomethingToKeep(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("alive/heartbeat", "Alive")
		l.says("state/relay/state", "1")
		l.says("talker/info", `{"proto":1,"boot":"0000beef","t":1}`)
		l.says("silent/event", `{"kind":"meter_silent","boot":"0000beef","t":1}`)
		if got := l.stored(); len(got) != 0 || len(l.Devices()) != 4 {
			t.Errorf("%d devices are shown; stored is %v, and nothing was measured", len(l.Devices()), got)
		}
		l.says("alive/pzem/metrics", `{"power":1}`)
		l.says("talker/pzem/energy", `1.5`)
		l.introduce("relay")
		l.says("late/info", `{"proto":1,"boot":"0000beef","t":9000}`)
		l.says("late/pzem/backlog", `[{"power":3,"boot":"0000beef","seq":1,"first":1,"t":5000}]`)
		name := "Pump"
		if _, err := l.ChangeDevice(t.Context(), "silent", hub.DeviceChange{Name: &name}); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Switch(t.Context(), hub.SwitchRequest{Device: "state", On: true}); smartmeter.CodeOf(err) != smartmeter.NoAnswer {
			t.Fatal(err)
		}
		got := l.stored()
		for _, id := range []smartmeter.DeviceID{"alive", "relay", "late", "silent", "state"} {
			if !got[id] {
				t.Errorf("%s is not stored: %v", id, got)
			}
		}
		if got["talker"] {
			t.Error("talker is stored, and its register was not taken")
		}
		time.Sleep(time.Minute) // for the command
	})
}

func TestFullHubMakesRoom(t *testing.T) {
	for name, tt := range map[string]struct{ topic, payload string }{
		"of nodes that only said hello":  {"heartbeat", "Alive"},
		"of nodes that claimed a relay":  {"info", `{"proto":1,"boot":"0000beef","t":1,"caps":["relay"]}`},
		"of nodes that told their relay": {"relay/state", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			newLab(t, func(t *testing.T, l *lab) {
				l.says("meter/pzem/metrics", `{"power":1}`)
				l.says("named/heartbeat", "Alive")
				name := "Boiler"
				if _, err := l.ChangeDevice(t.Context(), "named", hub.DeviceChange{Name: &name}); err != nil {
					t.Fatal(err)
				}
				l.crowd(tt.topic, tt.payload)
				l.expectFull(true)
				l.says("newcomer/pzem/metrics", `{"power":1}`)
				if _, err := l.Device("newcomer"); smartmeter.CodeOf(err) != smartmeter.NotFound {
					t.Errorf("the hub is full of nodes that are online, and takes one more: %v", err)
				}
				time.Sleep(5 * time.Minute) // the crowd goes; each second room is made
				l.says("newcomer/pzem/metrics", `{"power":1}`)
				l.expectFull(false)
				for _, id := range []smartmeter.DeviceID{"meter", "named", "newcomer"} {
					l.device(id)
				}
				if got := len(l.stored()); got > limit-10 {
					t.Errorf("%d devices are stored", got)
				}
			})
		})
	}
}

// expectFull checks what Health says of the number of nodes, and that it was
// logged once.
func (l *lab) expectFull(want bool) {
	l.t.Helper()
	err := l.Health(l.t.Context()).Checks["nodes"]
	if (err != nil) != want || want && !strings.Contains(err.Error(), "2000 nodes are known and no more are taken") {
		l.t.Errorf("health of nodes: %v, want full: %v", err, want)
	}
	if got := l.log.count("takes no more"); got != 1 {
		l.t.Errorf("logged %d times, want once", got)
	}
}

// What was measured is not given up for strangers.
func TestFullHubKeepsWhatWasMeasured(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.crowd("pzem/metrics", `{"power":1}`)
		time.Sleep(5 * time.Minute)
		l.expectFull(true)
		if got := len(l.Devices()); got != limit {
			t.Errorf("%d devices, want all %d", got, limit)
		}
		if err := l.EraseDevice(t.Context(), "crowd-7"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		l.expectFull(false)
		l.says("newcomer/pzem/metrics", `{"power":1}`)
		l.device("newcomer")
	})
}

// What comes while a device is erased would be there again afterwards.
func TestNothingIsTakenOfADeviceBeingErased(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.metrics("n1", 1, 1, 1)
		l.watched.duringErase = func() { l.metrics("n1", 2, 2, 2) }
		if err := l.EraseDevice(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		l.metrics("n1", 3, 3, 3)
		if got := l.readings("n1"); len(got) != 1 || got[0].Seq != 3 {
			t.Errorf("met anew with %+v", got)
		}
		if got := l.device("n1").Refused["erasing"]; got != 1 {
			t.Errorf("%d refused while it was erased, want 1", got)
		}
	})
}

func TestKeptMessagesThatNobodyCanReadAreCounted(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		leaves := []string{"status", "heartbeat", "pzem/metrics", "pzem/energy", "pzem/backlog", "event", "relay/ack", "config/ack", "info", "relay/state"}
		for _, leaf := range leaves {
			l.kept("villain/"+leaf, "\xff")
		}
		l.kept("villain/relay/commands", "\xff") // is for the node to read
		l.kept("decent/status", "Online")
		l.kept("decent/pzem/metrics", `{"power":1}`)
		got := l.Refused()
		if got["villain"]["not_utf8"] != uint64(len(leaves)) || got["decent"] != nil || len(l.Devices()) != 0 {
			t.Errorf("refused %v; devices %+v", got, l.Devices())
		}
	})
}

func TestNamesAreWhatTheyLookLike(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("n1/heartbeat", "Alive")
		for name, ok := range map[string]bool{
			"Küche ☕ 2 kW":                        true,
			"يخت":                                 true,
			"the kids 👨‍👩‍👧":                      true,
			"the cook 👩🏽‍🍳":                       true,
			"heart ❤\ufe0f\u200d🔥":                true,
			"Fri\u200bdge":                        false,
			"\u202eegdirF":                        false,
			"Fridge\u200d":                        false,
			"\u200d🔥":                             false,
			"a\u200d🔥":                            false,
			"🔥\u200da":                            false,
			"Fridge\u2066":                        false,
			"\ufeffFridge":                        false,
			"Fri\u00addge":                        false,
			"two\u2028lines":                      false,
			"two\u2029parts":                      false,
			"flag \U0001f3f4\U000e0067\U000e007f": false,
		} {
			for field, change := range map[string]hub.DeviceChange{"name": {Name: &name}, "room": {Room: &name}} {
				_, err := l.ChangeDevice(t.Context(), "n1", change)
				if ok && err != nil || !ok && (smartmeter.CodeOf(err) != smartmeter.Invalid || !strings.HasPrefix(err.Error(), field+": must be text without invisible characters")) {
					t.Errorf("%s %+q: %v, want ok %v", field, name, err, ok)
				}
			}
		}
	})
}
