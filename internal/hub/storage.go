package hub

import (
	"context"
	"fmt"
	"time"
)

// Storage is what the history takes of the disk, in bytes, and how long that
// goes on.
type Storage struct {
	Log, Chunks, Database int64
	Free                  int64
	// PerDay is by how much the history grows in a day at the present rate; 0
	// while that is not known.
	PerDay int64
	// FullOn is when the disk is full at that rate; zero if that is not known, or
	// more than 50 years away.
	FullOn time.Time
	// KeepRaw is for how long readings are kept before only their sums by quarter
	// hour are; 0 is for ever.
	KeepRaw time.Duration
	// OldestRaw is the first day with readings, at midnight UTC; zero if there
	// are none.
	OldestRaw time.Time
}

// Disk is where the history lies, for whoever must keep an eye on it.
type Disk struct {
	// Measure returns what is used and free: all of Storage but FullOn and
	// KeepRaw. Nil means that nobody knows.
	Measure func(context.Context) (Storage, error)
	// KeepRaw is for how long readings are kept; 0 is for ever. Then Thin takes
	// those of the months that were over before an instant.
	KeepRaw time.Duration
	Thin    func(ctx context.Context, before time.Time) error
}

// When the hub asks for help.
const (
	leastFree  = 64 << 20
	leastDays  = 14
	beyondPlan = 50 * 365 // days
)

// How often the disk is looked after.
const (
	measureEvery = 5 * time.Minute
	thinEvery    = time.Hour
)

const day = 24 * time.Hour

// watchDisk measures the disk and thins old months until ctx ends.
func (h *Hub) watchDisk(ctx context.Context) {
	if h.disk.Measure == nil {
		return
	}
	measure, thin := time.NewTicker(measureEvery), time.NewTicker(thinEvery)
	defer measure.Stop()
	defer thin.Stop()
	h.thinOld(ctx)
	for {
		if _, err := h.Storage(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("cannot measure the disk", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-measure.C:
		case <-thin.C:
			h.thinOld(ctx)
		}
	}
}

// thinOld thins the months that are over for longer than readings are kept. A
// machine that does not know the time must not say which those are.
func (h *Hub) thinOld(ctx context.Context) {
	h.mu.Lock()
	now := h.at(time.Now()).wall.Time()
	trusted := h.trusted
	h.mu.Unlock()
	if h.disk.KeepRaw == 0 || !trusted {
		return
	}
	if err := h.disk.Thin(ctx, now.Add(-h.disk.KeepRaw)); err != nil && ctx.Err() == nil {
		h.log.Error("cannot thin old months; they stay as they are", "err", err)
	}
}

// Storage measures what the history takes of the disk.
func (h *Hub) Storage(ctx context.Context) (Storage, error) {
	if h.disk.Measure == nil {
		return Storage{}, unavailable(fmt.Errorf("nobody measures the disk"))
	}
	s, err := h.disk.Measure(ctx)
	if err != nil {
		return Storage{}, unavailable(err)
	}
	s.KeepRaw = h.disk.KeepRaw
	h.mu.Lock()
	now := h.at(time.Now()).wall.Time()
	h.mu.Unlock()
	if s.PerDay > 0 && s.Free/s.PerDay <= beyondPlan {
		s.FullOn = now.Add(time.Duration(s.Free/s.PerDay) * day).Truncate(day)
	}
	h.storage.Store(&s)
	return s, nil
}

// probeDisk says that the disk is nearly full, by what was measured last.
func (h *Hub) probeDisk(context.Context) error {
	s := h.storage.Load()
	switch {
	case s == nil:
		return nil
	case s.Free < leastFree:
		return fmt.Errorf("only %d MiB are free on the disk: make room, or keep readings for a shorter time with --keep-raw", s.Free>>20)
	case s.PerDay > 0 && s.Free/s.PerDay < leastDays:
		return fmt.Errorf("the disk is full in %d days at this rate: make room, or keep readings for a shorter time with --keep-raw", s.Free/s.PerDay)
	}
	return nil
}
