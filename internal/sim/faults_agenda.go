package sim

import (
	"container/heap"
	"sync"
	"time"
)

// Agenda is the one queue of all that is going to happen in a world of faults:
// one thing after the other, in the order of time, and what was put down first
// where the time is the same. So nothing of it is decided by which goroutine is
// faster, and one seed replays one run, but for what a program under test leaves
// to the order of its goroutines and maps.
//
// Its time is that of package time. It is made for the bubble of
// testing/synctest, in which that is virtual and a week passes in seconds.
type Agenda struct {
	began  time.Time
	settle func()

	mu     sync.Mutex
	coming happenings
	count  uint64
}

// NewAgenda returns an empty agenda that begins now. It calls settle before and
// after everything that happens, to let others come to rest; in a bubble that
// is synctest.Wait.
func NewAgenda(settle func()) *Agenda {
	return &Agenda{began: time.Now(), settle: settle}
}

// Now is the time since the agenda began.
func (a *Agenda) Now() time.Duration { return time.Since(a.began) }

// After puts down what happens in a while. It may be called from any goroutine.
func (a *Agenda) After(d time.Duration, what func()) { a.At(a.Now()+d, what) }

// At puts down what happens at a time since the agenda began.
func (a *Agenda) At(when time.Duration, what func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.count++
	heap.Push(&a.coming, happening{when, a.count, what})
}

// Run lets everything happen that is put down for before end, and returns then.
func (a *Agenda) Run(end time.Duration) {
	for {
		next, any := a.next(end)
		if !any {
			time.Sleep(end - a.Now())
			a.settle()
			return
		}
		time.Sleep(next.at - a.Now())
		a.settle()
		next.what()
		a.settle()
	}
}

// next takes what happens next, if that is before end.
func (a *Agenda) next(end time.Duration) (next happening, any bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.coming) == 0 || a.coming[0].at >= end {
		return next, false
	}
	return heap.Pop(&a.coming).(happening), true
}

// happening is one entry.
type happening struct {
	at     time.Duration
	number uint64
	what   func()
}

// happenings is a heap of entries, the next first.
type happenings []happening

func (h happenings) Len() int      { return len(h) }
func (h happenings) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

func (h happenings) Less(i, j int) bool {
	if h[i].at != h[j].at {
		return h[i].at < h[j].at
	}
	return h[i].number < h[j].number
}

// Push and Pop are for package heap.
func (h *happenings) Push(x any) { *h = append(*h, x.(happening)) }

func (h *happenings) Pop() any {
	last := len(*h) - 1
	x := (*h)[last]
	(*h)[last] = happening{}
	*h = (*h)[:last]
	return x
}
