package node

import "github.com/iot-smart-meter/smartmeter"

// Kept is how many samples a node keeps: 10 minutes of them at 5 s, and some.
const Kept = 128

// ring holds the samples that the hub has not acknowledged, the newest Kept of
// them, by their sequence number.
type ring struct {
	samples [Kept]smartmeter.Sample
	// first is the oldest number kept and next the one to be given; they are
	// equal when nothing is kept.
	first, next uint32
	lost        uint32
}

// newRing returns an empty ring; numbers count from 1.
func newRing() ring { return ring{first: 1, next: 1} }

// add makes room for the next sample, numbers it and returns its place. When
// the ring is full the oldest goes.
func (r *ring) add() *smartmeter.Sample {
	if r.next-r.first == Kept {
		r.first++
		r.lost++
	}
	s := &r.samples[r.next%Kept]
	*s = smartmeter.Sample{Seq: r.next, First: r.first}
	r.next++
	return s
}

// acknowledge forgets all samples up to seq. A number that was never given is
// no receipt for anything.
func (r *ring) acknowledge(seq uint32) {
	if seq >= r.first && seq < r.next {
		r.first = seq + 1
	}
}

// len returns how many samples are kept.
func (r *ring) len() int { return int(r.next - r.first) }
