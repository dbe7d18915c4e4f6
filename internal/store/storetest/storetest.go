// Package storetest says in tests what every store must satisfy, so that a
// second engine, or one on a failing disk, keeps the first one's promises.
package storetest

import (
	"context"
	"iter"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
)

// Store is what is tested: the hub's Store, the broker's retained messages,
// and Close.
type Store interface {
	AppendReadings(readings ...smartmeter.Reading) error
	PutDevice(d smartmeter.Device) error
	PutCommand(c smartmeter.Command) error
	PutAlert(a smartmeter.Alert) error
	PutRetained(messages []smartmeter.Message) error
	Sync(ctx context.Context) error
	Readings(ctx context.Context, node smartmeter.NodeID, channel uint8, from, to smartmeter.Instant) iter.Seq2[smartmeter.Reading, error]
	Latest(ctx context.Context) ([]smartmeter.Reading, error)
	Devices(ctx context.Context) ([]smartmeter.Device, error)
	Commands(ctx context.Context, device smartmeter.DeviceID, limit int) ([]smartmeter.Command, error)
	Alerts(ctx context.Context, limit int) ([]smartmeter.Alert, error)
	Retained(ctx context.Context) ([]smartmeter.Message, error)
	EraseDevice(ctx context.Context, d smartmeter.Device) error
	Check(ctx context.Context) error
	Close() error
}

// Run tests the stores that open returns. It is called several times with the
// same directory to see what a store remembers.
func Run(t *testing.T, open func(t *testing.T, dir string) Store) {
	for name, test := range map[string]func(*testing.T, func() Store){
		"keeps every quantity bit for bit":      keepsBits,
		"keeps absent apart from zero":          keepsAbsence,
		"keeps a numbered sample once":          keepsOnce,
		"gathers what was measured apart":       gathers,
		"returns readings in order and range":   ordersReadings,
		"stops when the reader has enough":      stopsEarly,
		"returns the latest of every channel":   returnsLatest,
		"remembers devices":                     remembersDevices,
		"remembers commands, newest first":      remembersCommands,
		"remembers alerts, open ones first":     remembersAlerts,
		"replaces the broker's messages":        replacesRetained,
		"erases a device and nothing else":      erases,
		"remembers all of it after a restart":   survivesRestart,
		"passes its own check, again and again": checks,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var last Store
			reopen := func() Store {
				if last != nil {
					if err := last.Close(); err != nil {
						t.Fatalf("close: %v", err)
					}
				}
				last = open(t, dir)
				return last
			}
			test(t, reopen)
			if err := last.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
}

// full returns a reading with all quantities, different for every seq.
func full(node smartmeter.NodeID, at smartmeter.Instant, seq uint32) smartmeter.Reading {
	return smartmeter.Reading{
		Node: node, At: at, Boot: 0xdeadbeef, Seq: seq,
		Measurement: smartmeter.Measurement{
			Has:     smartmeter.AllQuantities,
			Voltage: 2300, Current: smartmeter.Milliamp(seq), Power: 2646, Energy: 4_294_967_295, Frequency: 499, PowerFactor: 97,
		},
	}
}

const end = smartmeter.Instant(1) << 60

func readAll(t *testing.T, s Store, node smartmeter.NodeID, from, to smartmeter.Instant) []smartmeter.Reading {
	t.Helper()
	var all []smartmeter.Reading
	for r, err := range s.Readings(t.Context(), node, 0, from, to) {
		if err != nil {
			t.Fatalf("readings of %s: %v", node, err)
		}
		all = append(all, r)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

func keepsBits(t *testing.T, open func() Store) {
	s := open()
	extreme := full("n", 1_700_000_000_123, 4_294_967_295)
	extreme.Timing = smartmeter.ByArrival
	extreme.Boot = 0xffffffff
	extreme.Energy = smartmeter.MaxEnergy
	must(t, s.AppendReadings(extreme))
	equal(t, "reading", readAll(t, s, "n", 0, end), []smartmeter.Reading{extreme})
}

func keepsAbsence(t *testing.T, open func() Store) {
	s := open()
	zero := smartmeter.Reading{Node: "n", At: 1, Boot: 1, Seq: 1}
	zero.Has = smartmeter.Power
	none := smartmeter.Reading{Node: "n", At: 2, Boot: 1, Seq: 2}
	must(t, s.AppendReadings(zero, none))
	equal(t, "readings", readAll(t, s, "n", 0, end), []smartmeter.Reading{zero, none})
}

func keepsOnce(t *testing.T, open func() Store) {
	s := open()
	first := full("n", 1000, 7)
	again, later, other := first, first, first
	again.Voltage = 1   // the same identity: what was kept first stays
	later.At = 2000     // the same sample, placed in time differently
	other.Boot = 0xcafe // another boot: another sample
	other.At = first.At //
	must(t, s.AppendReadings(first, again))
	must(t, s.Sync(t.Context()))
	must(t, s.AppendReadings(later, other))
	equal(t, "readings", readAll(t, s, "n", 0, end), []smartmeter.Reading{other, first})
}

func gathers(t *testing.T, open func() Store) {
	s := open()
	power := smartmeter.Reading{Node: "n", At: 1000, Timing: smartmeter.ByArrival}
	power.Has, power.Power = smartmeter.Power, 12
	energy := smartmeter.Reading{Node: "n", At: 1000, Timing: smartmeter.ByArrival}
	energy.Has, energy.Energy = smartmeter.Energy, 34
	must(t, s.AppendReadings(power, energy))
	both := power
	both.Has, both.Energy = smartmeter.Power|smartmeter.Energy, 34
	equal(t, "reading", readAll(t, s, "n", 0, end), []smartmeter.Reading{both})
}

func ordersReadings(t *testing.T, open func() Store) {
	s := open()
	var want []smartmeter.Reading
	for seq := range uint32(100) {
		want = append(want, full("n", smartmeter.Instant(1000*(seq+1)), seq+1))
	}
	shuffled := slices.Clone(want)
	for i := range shuffled { // any order that is not theirs
		j := i * 37 % len(shuffled)
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	}
	must(t, s.AppendReadings(shuffled...))
	equal(t, "all", readAll(t, s, "n", 0, end), want)
	equal(t, "from is included, to is not", readAll(t, s, "n", 10_000, 20_000), want[9:19])
	equal(t, "a node without readings", readAll(t, s, "m", 0, end), nil)
	equal(t, "an empty range", readAll(t, s, "n", 5, 5), nil)
}

func stopsEarly(t *testing.T, open func() Store) {
	s := open()
	must(t, s.AppendReadings(full("n", 1, 1), full("n", 2, 2), full("n", 3, 3)))
	for range 20 { // more often than a store has connections
		for r, err := range s.Readings(t.Context(), "n", 0, 0, end) {
			must(t, err)
			if r.Seq == 2 {
				break
			}
		}
	}
	equal(t, "readings after that", len(readAll(t, s, "n", 0, end)), 3)
}

func returnsLatest(t *testing.T, open func() Store) {
	s := open()
	a1, a2, b := full("a", 1000, 1), full("a", 2000, 2), full("b", 500, 9)
	b.Channel = 3
	a2.Has &^= smartmeter.Energy // measured apart, before
	a2.Energy = 0
	must(t, s.AppendReadings(a2, b, a1))
	latest, err := s.Latest(t.Context())
	must(t, err)
	slices.SortFunc(latest, func(x, y smartmeter.Reading) int { return int(y.At - x.At) })
	gathered := a2
	gathered.Has, gathered.Energy = smartmeter.AllQuantities, a1.Energy
	equal(t, "latest", latest, []smartmeter.Reading{gathered, b})
}

func remembersDevices(t *testing.T, open func() Store) {
	s := open()
	kettle := smartmeter.Device{ID: "n:1", Name: "Kettle ☕", Room: "Kitchen", Kind: smartmeter.Heater, Node: "n", Channel: 1, Parent: "main"}
	rest, none := smartmeter.Millis(300_000), smartmeter.Milliamp(0)
	kettle.Settings = smartmeter.Settings{Rev: 4_294_967_295, PowerUp: smartmeter.PositionLast, MinOff: &rest, Current: &none}
	must(t, s.PutDevice(smartmeter.Device{ID: "n:1", Name: "old", Kind: smartmeter.Generic, Node: "n"}))
	must(t, s.PutDevice(kettle))
	devices, err := s.Devices(t.Context())
	must(t, err)
	equal(t, "devices", devices, []smartmeter.Device{kettle})
}

func remembersCommands(t *testing.T, open func() Store) {
	s := open()
	older := smartmeter.Command{ID: "1", Device: "d", On: true, Cause: smartmeter.CauseAPI, AskedAt: 1, State: smartmeter.CommandSent}
	newer := smartmeter.Command{ID: "2", Device: "d", AskedAt: 2, State: smartmeter.CommandRejected, Watts: smartmeter.WattsAgree, Reason: "latched"}
	must(t, s.PutCommand(newer))
	must(t, s.PutCommand(older))
	older.State = smartmeter.CommandAcknowledged
	must(t, s.PutCommand(older))
	must(t, s.PutCommand(smartmeter.Command{ID: "3", Device: "another", AskedAt: 3}))
	commands, err := s.Commands(t.Context(), "d", 10)
	must(t, err)
	equal(t, "commands", commands, []smartmeter.Command{newer, older})
	one, err := s.Commands(t.Context(), "d", 1)
	must(t, err)
	equal(t, "the newest", one, []smartmeter.Command{newer})
}

func remembersAlerts(t *testing.T, open func() Store) {
	s := open()
	alert := func(id string, raised, cleared smartmeter.Instant) smartmeter.Alert {
		return smartmeter.Alert{ID: id, Kind: smartmeter.AlertWeldedRelay, Severity: smartmeter.Critical, Device: "d", Text: "off, and draws", RaisedAt: raised, ClearedAt: cleared}
	}
	old, over, now := alert("1", 1, 0), alert("2", 2, 3), alert("3", 3, 0)
	for _, a := range []smartmeter.Alert{now, old, alert("2", 2, 0)} {
		must(t, s.PutAlert(a))
	}
	must(t, s.PutAlert(over))
	old.AcknowledgedAt, old.AcknowledgedBy = 5, "api"
	must(t, s.PutAlert(old))
	alerts, err := s.Alerts(t.Context(), 10)
	must(t, err)
	equal(t, "alerts", alerts, []smartmeter.Alert{now, old, over})
	one, err := s.Alerts(t.Context(), 1)
	must(t, err)
	equal(t, "the first", one, []smartmeter.Alert{now})
}

func replacesRetained(t *testing.T, open func() Store) {
	s := open()
	message := func(topic string) smartmeter.Message {
		return smartmeter.Message{Topic: topic, Payload: []byte{0, 0xff}, QoS: 1, Retained: true}
	}
	must(t, s.PutRetained([]smartmeter.Message{message("a"), message("b")}))
	must(t, s.Sync(t.Context()))
	must(t, s.PutRetained([]smartmeter.Message{message("b"), message("c d")}))
	kept, err := s.Retained(t.Context())
	must(t, err)
	equal(t, "retained", kept, []smartmeter.Message{message("b"), message("c d")})
	must(t, s.PutRetained(nil))
	kept, err = s.Retained(t.Context())
	must(t, err)
	equal(t, "after all are gone", kept, nil)
}

func erases(t *testing.T, open func() Store) {
	s := open()
	gone := smartmeter.Device{ID: "a", Name: "A", Kind: smartmeter.Generic, Node: "a"}
	kept := smartmeter.Device{ID: "b", Name: "B", Kind: smartmeter.Generic, Node: "b"}
	for _, d := range []smartmeter.Device{gone, kept} {
		must(t, s.PutDevice(d))
		must(t, s.PutCommand(smartmeter.Command{ID: string(d.ID), Device: d.ID, AskedAt: 1}))
		must(t, s.PutAlert(smartmeter.Alert{ID: string(d.ID), Device: d.ID, RaisedAt: 1}))
		must(t, s.AppendReadings(full(d.Node, 1000, 1)))
	}
	must(t, s.EraseDevice(t.Context(), gone))
	devices, err := s.Devices(t.Context())
	must(t, err)
	equal(t, "devices", devices, []smartmeter.Device{kept})
	commands, err := s.Commands(t.Context(), gone.ID, 10)
	must(t, err)
	equal(t, "its commands", commands, nil)
	alerts, err := s.Alerts(t.Context(), 10)
	must(t, err)
	equal(t, "the other's alert", alerts, []smartmeter.Alert{{ID: "b", Device: "b", RaisedAt: 1}})
	equal(t, "its readings", readAll(t, s, gone.Node, 0, end), nil)
	equal(t, "the other's readings", len(readAll(t, s, kept.Node, 0, end)), 1)
	must(t, s.AppendReadings(full(gone.Node, 2000, 2)))
	equal(t, "met anew", readAll(t, s, gone.Node, 0, end), []smartmeter.Reading{full(gone.Node, 2000, 2)})
}

func survivesRestart(t *testing.T, open func() Store) {
	s := open()
	d := smartmeter.Device{ID: "n", Name: "N", Kind: smartmeter.Generic, Node: "n"}
	c := smartmeter.Command{ID: "1", Device: "n", AskedAt: 1, State: smartmeter.CommandSent}
	must(t, s.AppendReadings(full("n", 1000, 1)))
	must(t, s.PutDevice(d))
	must(t, s.PutCommand(c))
	a := smartmeter.Alert{ID: "1", Device: "n", RaisedAt: 1}
	must(t, s.PutAlert(a))
	s = open()
	equal(t, "readings", readAll(t, s, "n", 0, end), []smartmeter.Reading{full("n", 1000, 1)})
	devices, err := s.Devices(t.Context())
	must(t, err)
	equal(t, "devices", devices, []smartmeter.Device{d})
	commands, err := s.Commands(t.Context(), "n", 1)
	must(t, err)
	equal(t, "commands", commands, []smartmeter.Command{c})
	alerts, err := s.Alerts(t.Context(), 1)
	must(t, err)
	equal(t, "alerts", alerts, []smartmeter.Alert{a})
	must(t, s.AppendReadings(full("n", 1000, 1)))
	equal(t, "the same sample after a restart", len(readAll(t, s, "n", 0, end)), 1)
}

func checks(t *testing.T, open func() Store) {
	s := open()
	for range 3 {
		must(t, s.Check(t.Context()))
	}
}
