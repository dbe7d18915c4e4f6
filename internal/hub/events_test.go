package hub

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

func take(t *testing.T, w *Watcher, n int) []*smartmeter.Event {
	t.Helper()
	var got []*smartmeter.Event
	for range n {
		select {
		case e, open := <-w.Events:
			if !open {
				t.Fatalf("the watch ended after %d of %d events", len(got), n)
			}
			got = append(got, e)
		default:
			t.Fatalf("%d events, want %d", len(got), n)
		}
	}
	select {
	case e, open := <-w.Events:
		if open {
			t.Fatalf("one event too many: %+v", e)
		}
	default:
	}
	return got
}

func newLog() *eventLog { return newEventLog(new(sync.Mutex), time.Now()) }

// tell publishes that a device changed, as the hub does.
func (l *eventLog) tell(id smartmeter.DeviceID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := smartmeter.DeviceStatus{}
	s.ID = id
	l.publish(smartmeter.EventDevice, s, nil)
}

// meters is a live picture of channels that are named after their devices.
type meters map[smartmeter.DeviceID]*channel

func (m meters) read(l *eventLog, id smartmeter.DeviceID, watts smartmeter.Deciwatt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m[id] == nil {
		m[id] = &channel{node: &node{}, device: smartmeter.Device{ID: id}}
	}
	r := smartmeter.Reading{}
	r.Power = watts
	m[id].latest = &r
	l.publishReading(m[id])
}

func TestWatchResumesWithoutAGap(t *testing.T) {
	l := newLog()
	first, resumed, _ := l.watch(0)
	if resumed {
		t.Error("a first watch resumed something")
	}
	for range 3 {
		l.tell("d")
	}
	seen := take(t, first, 3)
	first.Close()
	l.tell("d")

	again, resumed, _ := l.watch(seen[1].ID)
	if !resumed {
		t.Fatal("did not resume")
	}
	got := take(t, again, 2)
	if got[0].ID != seen[2].ID || got[1].ID != seen[2].ID+1 || again.Before != seen[1].ID {
		t.Errorf("resumed with %d and %d after %d, want %d and on", got[0].ID, got[1].ID, again.Before, seen[2].ID)
	}
}

func TestWatchDoesNotPretendToResume(t *testing.T) {
	old := newLog()
	l := newEventLog(new(sync.Mutex), time.Now().Add(time.Second)) // the hub restarted
	for range 2 * eventsKept {
		l.tell("d")
	}
	for name, after := range map[string]int64{"an earlier run": old.next, "long gone": l.first - 2, "the future": l.next, "nonsense": -1} {
		if _, resumed, _ := l.watch(after); resumed {
			t.Errorf("resumed after an event of %s", name)
		}
	}
	if w, resumed, _ := l.watch(l.first - 1); !resumed || len(w.Events) != eventsKept {
		t.Error("the oldest event still kept cannot be resumed from")
	}
}

func TestReadingsArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		w, _, _ := l.watch(0)
		m := meters{}
		for i := range 10 {
			m.read(l, "a", smartmeter.Deciwatt(i))
		}
		m.read(l, "b", 99)
		got := take(t, w, 2) // the first of each, at once
		if got[0].Status.Latest.Power != 0 || got[1].Device != "b" {
			t.Errorf("at once: %+v", got)
		}
		time.Sleep(readingGap)
		synctest.Wait()
		if got := take(t, w, 1); got[0].Status.Latest.Power != 9 {
			t.Errorf("after the gap: %d dW, want the newest", got[0].Status.Latest.Power)
		}
	})
}

// Ten devices publish thirty times a second, at different times: none is shown
// more than four times a second, or later than a beat after its gap.
func TestPaceHoldsForEveryDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const devices, every, rounds = 10, 30 * time.Millisecond, 200
		l, m := newLog(), meters{}
		w, _, _ := l.watch(0)
		shown := make(map[smartmeter.DeviceID]time.Time)
		for i := range devices * rounds {
			m.read(l, smartmeter.DeviceID('a'+rune(i%devices)), smartmeter.Deciwatt(i))
			time.Sleep(every / devices)
			synctest.Wait()
			for len(w.Events) > 0 {
				e := <-w.Events
				gap := time.Since(shown[e.Device])
				if gap < readingGap || !shown[e.Device].IsZero() && gap > readingGap+readingBeat+every {
					t.Fatalf("%s is shown %v after the reading before", e.Device, gap)
				}
				shown[e.Device] = time.Now()
			}
		}
		if len(shown) != devices {
			t.Errorf("%d devices were shown", len(shown))
		}
	})
}

func TestReadingsWaitForAWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, m := newLog(), meters{}
		before, _, _ := l.watch(0)
		l.tell("a")
		m.read(l, "a", 0)
		m.read(l, "a", 1) // waits
		seen := take(t, before, 2)[0]
		before.Close()
		last := smartmeter.Deciwatt(2 * eventsKept)
		for watts := range last + 1 {
			m.read(l, "a", watts)
			m.read(l, "b", watts)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if made := l.next - seen.ID - 2; made != 0 || l.beating {
			t.Errorf("%d events for nobody; a timer runs: %v", made, l.beating)
		}

		_, resumed, _ := l.watch(l.next)
		again, _, _ := l.watch(seen.ID)
		if resumed {
			t.Error("resumed after an event that was still to come")
		}
		got := take(t, again, 3)
		if got[1].Device != "a" || got[1].Status.Latest.Power != last || got[2].Device != "b" {
			t.Errorf("resumed with %+v and %+v", got[1], got[2])
		}
		m.read(l, "b", 7) // the pace holds
		take(t, again, 0)
		time.Sleep(readingGap)
		synctest.Wait()
		take(t, again, 1)
	})
}

func TestSlowWatcherIsLetGo(t *testing.T) {
	l := newLog()
	slow, _, _ := l.watch(0)
	quick, _, _ := l.watch(0)
	for range watcherQueue + 1 {
		l.tell("d")
		<-quick.Events
	}
	n := 0
	for range slow.Events { // ends because it was closed
		n++
	}
	if n != watcherQueue || len(l.watchers) != 1 {
		t.Errorf("the slow watcher got %d events, %d watchers are left", n, len(l.watchers))
	}
}

func TestClosedLogEndsWatches(t *testing.T) {
	l := newLog()
	before, _, _ := l.watch(0)
	l.close()
	after, _, _ := l.watch(0)
	for _, w := range []*Watcher{before, after} {
		if _, open := <-w.Events; open {
			t.Error("a watch goes on after the hub stopped")
		}
		w.Close() // harmless
	}
}

func TestWatchersAreBounded(t *testing.T) {
	l := newLog()
	var last *Watcher
	for range maxWatchers {
		last, _, _ = l.watch(0)
	}
	if _, _, err := l.watch(0); smartmeter.CodeOf(err) != smartmeter.Unavailable {
		t.Errorf("one too many: %v", err)
	}
	last.Close()
	if _, _, err := l.watch(0); err != nil {
		t.Errorf("after one left: %v", err)
	}
}

func TestErasedDeviceIsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLog()
		w, _, _ := l.watch(0)
		m := meters{}
		m.read(l, "a", 1)
		m.read(l, "a", 2) // waits
		l.mu.Lock()
		l.forget(m["a"])
		l.mu.Unlock()
		time.Sleep(time.Second)
		synctest.Wait()
		take(t, w, 1)
	})
}
