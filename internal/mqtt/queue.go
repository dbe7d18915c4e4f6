package mqtt

// A delivery is a message on its way to one session.
type delivery struct {
	message *Message
	qos     byte
	retain  bool
}

// A queue holds the deliveries that wait for one session, oldest first. Those
// dropped from its middle leave a hole that is closed later, so that every
// operation takes constant time on average, also on a queue that is kept full.
// The zero value is empty.
type queue struct {
	items []delivery // a nil message is a hole; items[head] is none
	head  int        // before it everything is gone
	scan  int        // before it there is nothing of QoS 0
	size  int        // deliveries
	qos0  int        // of these, how many are of QoS 0
	bytes int
}

// push appends d within the limits. Old QoS 0 deliveries make room; dropped
// says how many, d itself included if it is of QoS 0 and nothing else could
// go. ok is false if d is of QoS 1 and does not fit.
func (q *queue) push(d delivery, limits *Limits) (dropped int, ok bool) {
	for !q.fits(d, limits) {
		if q.qos0 == 0 {
			if d.qos == 0 {
				return dropped + 1, true
			}
			return dropped, false
		}
		q.dropOldest()
		dropped++
	}
	q.compact()
	q.items = append(q.items, d)
	q.count(d, 1)
	return dropped, true
}

// fits tells whether d is within the limits. An empty queue takes anything: a
// packet has its own limit.
func (q *queue) fits(d delivery, limits *Limits) bool {
	return q.size == 0 || q.size < limits.QueueMessages && q.bytes+d.message.cost() <= limits.QueueBytes
}

// front returns the oldest delivery of a queue that is not empty.
func (q *queue) front() delivery { return q.items[q.head] }

// pop removes it.
func (q *queue) pop() { q.remove(q.head) }

// dropOldest removes the oldest delivery of QoS 0, which there must be.
func (q *queue) dropOldest() {
	q.scan = max(q.scan, q.head)
	for q.items[q.scan].message == nil || q.items[q.scan].qos > 0 {
		q.scan++
	}
	q.remove(q.scan)
}

func (q *queue) remove(i int) {
	q.count(q.items[i], -1)
	q.items[i] = delivery{}
	if q.size == 0 {
		q.reset()
		return
	}
	for q.items[q.head].message == nil {
		q.head++
	}
}

func (q *queue) count(d delivery, n int) {
	q.size += n
	q.bytes += n * d.message.cost()
	if d.qos == 0 {
		q.qos0 += n
	}
}

// compact closes the holes instead of letting the slice grow, once they are
// the greater part of it.
func (q *queue) compact() {
	if len(q.items) < cap(q.items) || q.size > len(q.items)/2 {
		return
	}
	kept := q.items[:0]
	for _, d := range q.items {
		if d.message != nil {
			kept = append(kept, d)
		}
	}
	clear(q.items[len(kept):])
	q.items, q.head, q.scan = kept, 0, 0
}

// reset starts over, and gives back the memory of a long queue.
func (q *queue) reset() {
	q.items, q.head, q.scan = q.items[:0], 0, 0
	if cap(q.items) > 64 {
		q.items = nil
	}
}
