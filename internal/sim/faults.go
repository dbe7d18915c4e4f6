package sim

import (
	"math/rand/v2"
	"time"
)

// PerMille is a chance in thousandths.
type PerMille int

// happens draws whether it happens.
func (p PerMille) happens(r *rand.Rand) bool { return r.IntN(1000) < int(p) }

// Faults are what a link does to the messages on it. The zero value does
// nothing but take a moment.
type Faults struct {
	// Delay is how long a message is on its way at most.
	Delay time.Duration
	// Orderly is a link like TCP: as long as it works, messages arrive once and
	// in their order, and those on their way are lost with it. On any other they
	// overtake each other and arrive in the end, if at all: at the next
	// connection, too, as from a queue that somebody keeps.
	Orderly bool
	// Lost, Doubled and Late are the chances of a message to be lost, to arrive
	// up to three times, and to take up to LateBy. An orderly link has none of
	// them.
	Lost, Doubled, Late PerMille
	LateBy              time.Duration
}

// Wired is a link that is quick and does nothing wrong, and Wireless one that
// is slow at times; both are orderly.
var (
	Wired    = Faults{Delay: 5 * time.Millisecond, Orderly: true}
	Wireless = Faults{Delay: 900 * time.Millisecond, Orderly: true}
	// Hostile is worse than what MQTT over TCP allows, and so what a node and a
	// hub must stand without relying on either.
	Hostile = Faults{Delay: 2 * time.Second, Lost: 50, Doubled: 80, Late: 40, LateBy: 5 * time.Minute}
)

// fates draws after what delays the copies of a message arrive: one each, none
// if it is lost.
func (f *Faults) fates(r *rand.Rand) []time.Duration {
	if f.Orderly {
		return []time.Duration{f.delay(r)}
	}
	if f.Lost.happens(r) {
		return nil
	}
	copies := 1
	if f.Doubled.happens(r) {
		copies += 1 + r.IntN(2)
	}
	delays := make([]time.Duration, copies)
	for i := range delays {
		delays[i] = f.delay(r)
		if f.Late.happens(r) {
			delays[i] += between(r, 0, f.LateBy)
		}
	}
	return delays
}

// delay draws how long a message takes that meets no accident. Most are quick.
func (f *Faults) delay(r *rand.Rand) time.Duration {
	d := between(r, time.Microsecond, max(f.Delay, time.Millisecond))
	if r.IntN(4) > 0 {
		d /= 16
	}
	return d
}

// between draws a duration, to the nanosecond, so that hardly any two things
// happen at once.
func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)))
}
