package hub

import (
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	// eventsKept is how far back a watcher can resume: a few minutes of a house.
	eventsKept = 4096
	// watcherQueue is how far a watcher may fall behind before it is let go.
	watcherQueue = 512
	// readingGap keeps one device from showing more than four readings a second.
	readingGap = 250 * time.Millisecond
	// maxWatchers bounds what strangers can make the hub hold open: a household's
	// pages, and a few scripts.
	maxWatchers = 100
)

// eventLog numbers events, keeps the last ones and hands them to watchers.
type eventLog struct {
	mu       sync.Mutex
	next     int64
	kept     []*smartmeter.Event // a ring: kept[id % eventsKept]
	first    int64               // oldest id still kept
	watchers map[*Watcher]struct{}
	readings map[smartmeter.DeviceID]*readingPace
	closed   bool
}

// readingPace holds back the readings of one device.
type readingPace struct {
	last    time.Time
	waiting *smartmeter.DeviceStatus // the newest, while a timer runs
}

// newEventLog numbers events from the time of its start in microseconds, so
// that ids grow across restarts and an id of an earlier run is never taken for
// one of this. JavaScript keeps such integers exactly.
func newEventLog(start time.Time) *eventLog {
	first := start.UnixMicro()
	return &eventLog{
		next:     first,
		first:    first,
		kept:     make([]*smartmeter.Event, eventsKept),
		watchers: make(map[*Watcher]struct{}),
		readings: make(map[smartmeter.DeviceID]*readingPace),
	}
}

// Watcher receives events until it is closed, or until it falls too far
// behind: then Events is closed and the watcher may resume with the id of the
// last event it saw.
type Watcher struct {
	Events <-chan *smartmeter.Event
	// Before is the id of the event before the first that Events delivers.
	Before int64
	events chan *smartmeter.Event
	log    *eventLog
}

// Close ends the watch.
func (w *Watcher) Close() {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	w.log.drop(w)
}

// Watch follows the events after the one with the id after. It reports false
// when that event is not known any more (or never was, like 0): the watcher
// then begins with now and should fetch the whole state anew. The error is
// Unavailable when too many watch already.
func (h *Hub) Watch(after int64) (w *Watcher, resumed bool, err error) {
	return h.events.watch(after)
}

var errTooManyWatchers = smartmeter.NewError(smartmeter.Unavailable, "", "too many pages or programs watch the hub already; close some and try again")

func (l *eventLog) watch(after int64) (*Watcher, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.watchers) >= maxWatchers {
		return nil, false, errTooManyWatchers
	}
	resumed := after >= l.first-1 && after < l.next && after != 0
	missed := int64(0)
	if resumed {
		missed = l.next - 1 - after
	}
	events := make(chan *smartmeter.Event, int(missed)+watcherQueue)
	w := &Watcher{Events: events, Before: l.next - 1 - missed, events: events, log: l}
	for id := l.next - missed; id < l.next; id++ {
		events <- l.kept[id%eventsKept]
	}
	if l.closed {
		close(events)
		return w, resumed, nil
	}
	l.watchers[w] = struct{}{}
	return w, resumed, nil
}

// publish numbers an event and hands it to every watcher that keeps up.
func (l *eventLog) publish(kind smartmeter.EventKind, s smartmeter.DeviceStatus, c *smartmeter.Command) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(smartmeter.Event{Kind: kind, Device: s.ID, Status: s, Command: c})
}

// publishReading publishes a device's newest reading, at most every readingGap:
// the first at once, what follows within the gap as one at its end.
func (l *eventLog) publishReading(s smartmeter.DeviceStatus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pace := l.readings[s.ID]
	if pace == nil {
		pace = &readingPace{}
		l.readings[s.ID] = pace
	}
	now := time.Now()
	switch gap := readingGap - now.Sub(pace.last); {
	case pace.waiting != nil:
		pace.waiting = &s
	case gap > 0:
		pace.waiting = &s
		time.AfterFunc(gap, func() { l.release(s.ID, pace) })
	default:
		pace.last = now
		l.append(smartmeter.Event{Kind: smartmeter.EventReading, Device: s.ID, Status: s})
	}
}

// release publishes the reading that waited.
func (l *eventLog) release(id smartmeter.DeviceID, pace *readingPace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.readings[id] != pace {
		return // the device was erased meanwhile
	}
	s := *pace.waiting
	pace.waiting, pace.last = nil, time.Now()
	l.append(smartmeter.Event{Kind: smartmeter.EventReading, Device: s.ID, Status: s})
}

// forget drops the pace of an erased device.
func (l *eventLog) forget(id smartmeter.DeviceID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.readings, id)
}

// append numbers and keeps e and hands it out. The caller holds mu.
func (l *eventLog) append(e smartmeter.Event) {
	e.ID = l.next
	l.next++
	l.kept[e.ID%eventsKept] = &e
	l.first = max(l.first, l.next-eventsKept)
	for w := range l.watchers {
		select {
		case w.events <- &e:
		default:
			l.drop(w)
		}
	}
}

// drop ends a watch. The caller holds mu.
func (l *eventLog) drop(w *Watcher) {
	if _, ok := l.watchers[w]; ok {
		delete(l.watchers, w)
		close(w.events)
	}
}

// close ends every watch, also future ones.
func (l *eventLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for w := range l.watchers {
		l.drop(w)
	}
}
