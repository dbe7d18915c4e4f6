package hub

import (
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

func status(id string, watts smartmeter.Deciwatt) smartmeter.DeviceStatus {
	s := smartmeter.DeviceStatus{Latest: &smartmeter.Reading{}}
	s.ID, s.Latest.Power = smartmeter.DeviceID(id), watts
	return s
}

func TestWatchResumesWithoutAGap(t *testing.T) {
	l := newEventLog(time.Now())
	first, resumed, _ := l.watch(0)
	if resumed {
		t.Error("a first watch resumed something")
	}
	for range 3 {
		l.publish(smartmeter.EventDevice, status("d", 0), nil)
	}
	seen := take(t, first, 3)
	first.Close()
	l.publish(smartmeter.EventDevice, status("d", 0), nil)

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
	old := newEventLog(time.Now())
	l := newEventLog(time.Now().Add(time.Second)) // the hub restarted
	for range 2 * eventsKept {
		l.publish(smartmeter.EventDevice, status("d", 0), nil)
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
		l := newEventLog(time.Now())
		w, _, _ := l.watch(0)
		for i := range 10 {
			l.publishReading(status("a", smartmeter.Deciwatt(i)))
		}
		l.publishReading(status("b", 99))
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

func TestSlowWatcherIsLetGo(t *testing.T) {
	l := newEventLog(time.Now())
	slow, _, _ := l.watch(0)
	quick, _, _ := l.watch(0)
	for range watcherQueue + 1 {
		l.publish(smartmeter.EventDevice, status("d", 0), nil)
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
	l := newEventLog(time.Now())
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
	l := newEventLog(time.Now())
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
		l := newEventLog(time.Now())
		w, _, _ := l.watch(0)
		l.publishReading(status("a", 1))
		l.publishReading(status("a", 2)) // waits
		l.forget("a")
		time.Sleep(time.Second)
		synctest.Wait()
		take(t, w, 1)
	})
}
