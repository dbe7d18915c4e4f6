package hub

import (
	"slices"
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
	// readingBeat is how often those that wait for that are looked through.
	readingBeat = 50 * time.Millisecond
	// maxWatchers bounds what strangers can make the hub hold open: a household's
	// pages, and a few scripts.
	maxWatchers = 100
)

// eventLog numbers events, keeps the last ones and hands them to watchers.
//
// Readings come far more often than all else, so they are held back: a device's
// to its pace, with one timer for all devices, and all of them as long as nobody
// watches. Whoever comes next gets the newest of each device first.
type eventLog struct {
	// mu is the hub's, since an event tells of the live picture.
	mu       *sync.Mutex
	next     int64
	kept     []*smartmeter.Event // a ring: kept[id % eventsKept]
	first    int64               // oldest id still kept
	watchers map[*Watcher]struct{}
	waiting  []*channel // whose newest reading is held back
	beating  bool       // a timer runs that looks through them
	closed   bool
}

// readingPace holds back the readings of one channel.
type readingPace struct {
	last  time.Time // when one was published
	waits bool      // the newest one was not
}

// newEventLog numbers events from the time of its start in microseconds, so
// that ids grow across restarts and an id of an earlier run is never taken for
// one of this. JavaScript keeps such integers exactly.
func newEventLog(mu *sync.Mutex, start time.Time) *eventLog {
	first := start.UnixMicro()
	return &eventLog{
		mu:       mu,
		next:     first,
		first:    first,
		kept:     make([]*smartmeter.Event, eventsKept),
		watchers: make(map[*Watcher]struct{}),
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
	known := after != 0 && after < l.next
	if len(l.watchers) == 0 {
		l.release(time.Now(), 0)
	}
	resumed := known && after >= l.first-1
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

// publish numbers an event and hands it to every watcher that keeps up. The
// caller holds mu.
func (l *eventLog) publish(kind smartmeter.EventKind, s smartmeter.DeviceStatus, c *smartmeter.Command) {
	l.append(smartmeter.Event{Kind: kind, Device: s.ID, Status: s, Command: c})
}

// publishAlert publishes an alert of a device. The caller holds mu.
func (l *eventLog) publishAlert(s smartmeter.DeviceStatus, a smartmeter.Alert) {
	l.append(smartmeter.Event{Kind: smartmeter.EventAlert, Device: s.ID, Status: s, Alert: &a})
}

// publishReading publishes a channel's newest reading, at most every readingGap:
// the first at once, what follows within the gap as one after its end. The
// caller holds mu.
func (l *eventLog) publishReading(c *channel) {
	if c.pace.waits {
		return // and will be published as it is then
	}
	if len(l.watchers) > 0 {
		if now := time.Now(); now.Sub(c.pace.last) >= readingGap {
			l.appendReading(c, now)
			return
		}
	}
	c.pace.waits = true
	l.waiting = append(l.waiting, c)
	l.keepBeat()
}

func (l *eventLog) appendReading(c *channel, now time.Time) {
	c.pace = readingPace{last: now}
	l.publish(smartmeter.EventReading, c.status(), nil)
}

// keepBeat has beat called while somebody watches and a reading waits. The
// caller holds mu.
func (l *eventLog) keepBeat() {
	if !l.beating && len(l.watchers) > 0 && len(l.waiting) > 0 {
		l.beating = true
		time.AfterFunc(readingBeat, l.beat)
	}
}

func (l *eventLog) beat() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.beating = false
	if len(l.watchers) > 0 {
		l.release(time.Now(), readingGap)
		l.keepBeat()
	}
}

// release publishes the readings of channels that published none for gap. The
// caller holds mu.
func (l *eventLog) release(now time.Time, gap time.Duration) {
	l.waiting = slices.DeleteFunc(l.waiting, func(c *channel) bool {
		due := now.Sub(c.pace.last) >= gap
		if due {
			l.appendReading(c, now)
		}
		return due
	})
}

// forget drops what waits of an erased device. The caller holds mu.
func (l *eventLog) forget(c *channel) {
	l.waiting = slices.DeleteFunc(l.waiting, func(other *channel) bool { return other == c })
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
