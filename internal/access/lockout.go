package access

import (
	"net/netip"
	"time"
)

// How guessing is slowed down. Whoever has failed freeTries times waits, each
// time twice as long, up to longestWait; what is older than forgetAfter does
// not count. All devices that nobody knows share anotherEvery on top of that,
// so that many addresses guess no faster than one.
const (
	freeTries    = 5
	firstWait    = time.Minute
	longestWait  = 15 * time.Minute
	forgetAfter  = 24 * time.Hour
	strangerSet  = 5 // tries of strangers at once, for the whole hub
	anotherEvery = 15 * time.Second
	maxKeys      = 4096
)

// attempt is a try to log in, before anything is checked.
type attempt struct {
	account string
	// device is set if it has logged in to this account before. It then counts
	// by itself, and whoever guesses elsewhere does not lock its owner out.
	device string
	from   netip.Addr
}

// lockout decides who may try. It is pure: time comes in. The zero value is
// ready.
type lockout struct {
	keys map[string]strikes
	// strangers is when the shared allowance of strangers is whole again.
	strangers time.Time
}

// strikes are the failures of one key.
type strikes struct {
	count      int
	last, next time.Time // the last one; when another try is allowed
}

// admit says how long a must wait; 0 lets it try now, and counts it as failed
// until success is told.
func (l *lockout) admit(now time.Time, a attempt) (wait time.Duration) {
	keys := a.keys()
	for _, key := range keys {
		wait = max(wait, l.at(now, key).next.Sub(now))
	}
	whole := l.strangers
	if whole.Before(now) {
		whole = now
	}
	if a.device == "" {
		wait = max(wait, whole.Sub(now)-(strangerSet-1)*anotherEvery)
	}
	if wait > 0 {
		return wait
	}
	if a.device == "" {
		l.strangers = whole.Add(anotherEvery)
	}
	for _, key := range keys {
		l.strike(now, key)
	}
	return 0
}

// success takes back what admit counted, and forgives the failures before.
func (l *lockout) success(a attempt) {
	if a.device == "" {
		l.strangers = l.strangers.Add(-anotherEvery)
	}
	for _, key := range a.keys() {
		delete(l.keys, key)
	}
}

// keys are what an attempt is counted under.
func (a attempt) keys() []string {
	if a.device != "" {
		return []string{"device " + a.device}
	}
	return []string{"account " + a.account, "source " + source(a.from)}
}

// source is an address, or of IPv6 the network that one subscriber has.
func source(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

func (l *lockout) at(now time.Time, key string) strikes {
	s := l.keys[key]
	if now.Sub(s.last) > forgetAfter {
		return strikes{}
	}
	return s
}

func (l *lockout) strike(now time.Time, key string) {
	s := l.at(now, key)
	s.count, s.last, s.next = s.count+1, now, now
	if over := s.count - freeTries; over >= 0 {
		s.next = now.Add(min(firstWait<<min(over, 10), longestWait))
	}
	if l.keys == nil {
		l.keys = make(map[string]strikes)
	}
	if _, known := l.keys[key]; !known && len(l.keys) >= maxKeys {
		l.makeRoom(now)
	}
	l.keys[key] = s
}

// makeRoom drops keys that need not wait any more, or else the one that has
// waited longest. Strangers get in slowly, so this is no way to be forgotten.
func (l *lockout) makeRoom(now time.Time) {
	var oldest string
	for key, s := range l.keys {
		if now.Sub(s.last) > longestWait {
			delete(l.keys, key)
		} else if oldest == "" || s.last.Before(l.keys[oldest].last) {
			oldest = key
		}
	}
	if len(l.keys) >= maxKeys {
		delete(l.keys, oldest)
	}
}
