package board

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/display"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// TestContactThatChatters presses a button with a contact as bad as they get.
func TestContactThatChatters(t *testing.T) {
	const seed = 5
	chance := rand.New(rand.NewPCG(seed, 1))
	var d Debouncer
	var got []smartmeter.Millis
	for now := range smartmeter.Millis(8000) {
		closed := now >= 1000 && now < 6500 // held
		chatters := now >= 1000 && now < 1020 || now >= 6500 && now < 6520
		if chatters {
			closed = chance.IntN(2) == 0
		}
		if now == 3000 || now == 7000 { // a spike
			closed = !closed
		}
		if _, changed := d.Look(now, closed); changed {
			got = append(got, now)
		}
	}
	if len(got) != 2 || got[0] < 1030 || got[0] > 1055 || got[1] < 6530 || got[1] > 6555 {
		t.Errorf("seed %d: news at %v, want pressed after 1000 and let go after 6500", seed, got)
	}
}

func TestQueueSendsWhatIsNewFirst(t *testing.T) {
	var q Queue
	bulk := []byte(strings.Repeat("b", smallLen+1))
	if !q.Put("backlog", bulk, false) || q.Put("backlog", bulk, false) {
		t.Fatal("one message of the backlog fits")
	}
	for i := range smallSlots {
		if !q.Put(fmt.Sprint("live ", i), []byte{byte(i)}, i == 0) {
			t.Fatalf("message %d is not taken", i)
		}
	}
	if q.Put("one too many", nil, false) || q.Put("too long", make([]byte, bulkLen+1), false) {
		t.Error("took what does not fit")
	}
	var order []string
	for m, ok := q.Peek(); ok; m, ok = q.Peek() {
		order = append(order, m.Topic)
		if m.Topic == "live 0" && (!m.Retained || len(m.Payload) != 1) || m.Topic == "backlog" && !slices.Equal(m.Payload, bulk) {
			t.Errorf("%+v", m)
		}
		if m.Topic == "backlog" && len(order) == smallSlots+1 {
			q.Put("while it is sent", nil, false)
		}
		q.Sent()
	}
	if len(order) != smallSlots+2 || order[0] != "live 0" || order[smallSlots] != "backlog" || order[smallSlots+1] != "while it is sent" {
		t.Errorf("order %q", order)
	}
	q.Put("old", bulk, false)
	q.Put("old", nil, false)
	q.Clear()
	if m, ok := q.Peek(); ok {
		t.Errorf("after a new connection %+v", m)
	}
}

func TestPictureOfANode(t *testing.T) {
	silent := node.Status{Relay: smartmeter.RelayUnknown, MeterSilent: true}
	want := display.State{Name: "n1", WiFi: display.Trying, MeterSilent: true}
	if diff := cmp.Diff(want, Picture("n1", &silent, display.Trying)); diff != "" {
		t.Errorf("a silent meter (-want +got):\n%s", diff)
	}
	s := node.Status{Connected: true, Relay: smartmeter.RelayOff, CutOff: wire.NodeEvent{Kind: wire.NodeOvercurrent}}
	s.Latest.Measurement = smartmeter.Measurement{
		Has: smartmeter.AllQuantities, Voltage: 2301, Current: 1234, Power: 2839, Energy: 99,
	}
	want = display.State{
		Name: "n1", PowerDeciwatt: display.Known(2839), VoltageDecivolt: display.Known(2301), CurrentMilliamp: display.Known(1234),
		Relay: display.Off, WiFi: display.Up, Hub: display.Up, CutOff: "too much current",
	}
	if diff := cmp.Diff(want, Picture("n1", &s, display.Up)); diff != "" {
		t.Errorf("a cut-off (-want +got):\n%s", diff)
	}
}

func TestScreenIsSparedWhatIsThereAlready(t *testing.T) {
	var s Screen
	state := display.State{Name: "n1", PowerDeciwatt: display.Known(1)}
	var drawn []smartmeter.Millis
	for now := smartmeter.Millis(0); now < 5000; now += 100 {
		if now == 1100 || now == 3300 {
			state.PowerDeciwatt.N++
		}
		if s.Show(now, &state) != nil {
			drawn = append(drawn, now)
		}
	}
	if diff := cmp.Diff([]smartmeter.Millis{0, 1500, 3500}, drawn); diff != "" {
		t.Errorf("drawn (-want +got):\n%s", diff)
	}
}

// readyMeter measures the same again and again.
type readyMeter struct{ smartmeter.Measurement }

func (m *readyMeter) Read(into *smartmeter.Measurement) error { *into = m.Measurement; return nil }

// TestLoopAllocatesNothing lets a node live as firmware/ does: with a button, a
// screen, and a broker that it is connected to.
func TestLoopAllocatesNothing(t *testing.T) {
	var (
		q      Queue
		button Debouncer
		screen Screen
		now    smartmeter.Millis
		link   = linkTo{&q}
	)
	meter := &readyMeter{smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: 2301, Frequency: 500, PowerFactor: 100}}
	core, err := node.New(node.Config{ID: "ESP32-246f280a1b2c", Boot: 1, Meter: meter, Link: link, Minutes: node.WeekOfMinutes})
	if err != nil {
		t.Fatal(err)
	}
	core.Connected(0)
	sent := 0
	beat := func() {
		for range 100 { // a second
			now += 10
			meter.Power, meter.Current = smartmeter.Deciwatt(now%1000), smartmeter.Milliamp(now%500)
			if down, changed := button.Look(now, now%7000 < 100); changed {
				core.Button(now, down)
			}
			core.Step(now, 0)
			if _, ok := q.Peek(); ok {
				q.Sent()
				sent++
			}
			status := core.Status()
			picture := Picture("ESP32-246f280a1b2c", &status, display.Up)
			screen.Show(now, &picture)
		}
	}
	for range 120 { // until the ring is full and the backlog flows
		beat()
	}
	if allocated := testing.AllocsPerRun(60, beat); allocated != 0 {
		t.Errorf("a second of a node's life allocates %v times", allocated)
	}
	if sent < 30 {
		t.Errorf("only %d messages were sent", sent)
	}
}

type linkTo struct{ *Queue }

func (l linkTo) Publish(topic string, payload []byte, _ uint8, retained bool) bool {
	return l.Put(topic, payload, retained)
}
