package hub_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// asks requests relay positions one after another, without waiting, of a node
// of protocol 0 whose relay is on.
func (l *lab) asks(positions ...bool) {
	l.t.Helper()
	l.says("n1/relay/state", "1")
	for _, on := range positions {
		if _, err := l.Switch(l.t.Context(), hub.SwitchRequest{Device: "n1", On: on}); smartmeter.CodeOf(err) != smartmeter.NoAnswer {
			l.t.Fatal(err)
		}
	}
}

// expectSent compares what the node has been sent with want.
func (l *lab) expectSent(when string, want ...string) {
	l.t.Helper()
	synctest.Wait()
	if got := l.bus.sent("n1/relay/commands"); !slices.Equal(got, want) {
		l.t.Errorf("%s: sent %q, want %q", when, got, want)
	}
}

// states returns what became of a device's commands, in the order of asking.
func (l *lab) states() (all []smartmeter.CommandState) {
	l.t.Helper()
	kept, err := l.Commands(l.t.Context(), "n1", 10)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, c := range slices.Backward(kept) {
		all = append(all, c.State)
	}
	return all
}

func TestOneTextCommandAtATime(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.asks(false, true, false)
		l.expectSent("before any answer", wire.TextOff)
		l.says("n1/relay/state", "0")
		l.expectSent("after the first", wire.TextOff, wire.TextOn)
		l.says("n1/relay/state", "1")
		l.expectSent("after the second", wire.TextOff, wire.TextOn, wire.TextOff)
		l.says("n1/relay/state", "0")
		time.Sleep(time.Minute)
		l.expectSent("in the end", wire.TextOff, wire.TextOn, wire.TextOff)
		if got := l.states(); slices.ContainsFunc(got, func(s smartmeter.CommandState) bool { return s != smartmeter.CommandAcknowledged }) {
			t.Errorf("they ended as %v", got)
		}
	})
}

// A tap that was not answered must not keep the next one from the node.
func TestSilenceHoldsACommandUpForAMoment(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.asks(false, true)
		time.Sleep(1900 * time.Millisecond)
		l.expectSent("in good time for an answer", wire.TextOff)
		time.Sleep(200 * time.Millisecond)
		l.expectSent("two seconds later", wire.TextOff, wire.TextOn)
		time.Sleep(time.Minute)
		if got := l.states(); !slices.Equal(got, []smartmeter.CommandState{smartmeter.CommandUnknown, smartmeter.CommandUnknown}) {
			t.Errorf("they ended as %v", got)
		}
	})
}

func TestCommandInLineThatTheBrokerRefuses(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.asks(false, true, false)
		l.bus.mu.Lock()
		l.bus.fails = errors.New("out of order")
		l.bus.mu.Unlock()
		l.says("n1/relay/state", "0")
		synctest.Wait()
		if got := l.states(); !slices.Equal(got, []smartmeter.CommandState{smartmeter.CommandAcknowledged, smartmeter.CommandFailed, smartmeter.CommandFailed}) {
			t.Errorf("they ended as %v", got)
		}
	})
}

func TestErasedDeviceLeavesNothingInLine(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.asks(false, true)
		if err := l.EraseDevice(t.Context(), "n1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		l.expectSent("after erasing", wire.TextOff)
	})
}

// However many wait, a silent node gets them one by one: each could have an echo
// on its way.
func TestSilenceHoldsEachCommandUp(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.asks(false, true, false)
		time.Sleep(2100 * time.Millisecond)
		l.expectSent("after a while", wire.TextOff, wire.TextOn)
		time.Sleep(1800 * time.Millisecond)
		l.expectSent("shortly before the second is given up", wire.TextOff, wire.TextOn)
		time.Sleep(200 * time.Millisecond)
		l.expectSent("after another while", wire.TextOff, wire.TextOn, wire.TextOff)
	})
}
