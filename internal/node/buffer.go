package node

import "github.com/iot-smart-meter/smartmeter"

// Buffer keeps samples until the hub has acknowledged them, in the order in
// which they came. Each has a position, the next one being one higher, and no
// position comes twice.
type Buffer interface {
	// Bounds returns the position of the oldest sample kept and of the one to
	// come; they are equal when nothing is kept.
	Bounds() (first, next uint64)
	// Put keeps a sample at the position to come. It must not wait for a disk.
	// When the buffer is full the oldest goes.
	Put(s *smartmeter.Sample)
	// Get reads a sample between the bounds. It returns false if that one
	// cannot be read any more.
	Get(position uint64, into *smartmeter.Sample) bool
	// Forget drops all samples before a position.
	Forget(before uint64)
}

// Kept is how many samples a node keeps in memory: 10 minutes of them at 5 s,
// and some.
const Kept = 128

// Ring is a Buffer in memory, of the newest Kept samples. The zero value is
// empty.
type Ring struct {
	samples     [Kept]smartmeter.Sample
	first, next uint64
}

// Bounds returns the oldest position and the one to come, see Buffer.
func (r *Ring) Bounds() (first, next uint64) { return r.first, r.next }

// Put keeps a sample, see Buffer.
func (r *Ring) Put(s *smartmeter.Sample) {
	if r.next-r.first == Kept {
		r.first++
	}
	r.samples[r.next%Kept] = *s
	r.next++
}

// Get reads a sample, see Buffer.
func (r *Ring) Get(position uint64, into *smartmeter.Sample) bool {
	if position < r.first || position >= r.next {
		return false
	}
	*into = r.samples[position%Kept]
	return true
}

// Forget drops samples, see Buffer.
func (r *Ring) Forget(before uint64) {
	r.first = max(r.first, min(before, r.next))
}
