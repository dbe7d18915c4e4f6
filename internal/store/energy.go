package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// How energy is kept: package ledger makes a day of each channel's day, and sums
// of those. Both are in the index for days that are sealed, together with a hash
// of what they were made from. When that is not what the monthly files and the
// journal of corrections have by now, be it after a seal, late readings, a
// correction or the loss of the index, the days that differ are made anew, and
// those after them that change with them (energy_settle.go). Days that are not
// sealed are made in memory when somebody asks, and grow with each reading from
// then on (energy_live.go).

// channelEnergy is what is known of a channel's energy beside the index.
type channelEnergy struct {
	// busy is held by whoever works on the energy of the channel, or looks at
	// what follows.
	busy gate
	// stale says that the index may not have settled all that is sealed or
	// decided. It is set before memory lets go of what is sealed.
	stale   atomic.Bool
	settled uint64 // how often the index has
	live    *liveEnergy
}

func newChannelEnergy() *channelEnergy {
	e := &channelEnergy{busy: make(gate, 1)}
	e.stale.Store(true)
	return e
}

// firstEnergy is the day before which no clock was right: 2000-01-01.
const firstEnergy ledger.DayNumber = 10957

// possible reports whether a day may have energy: what a clock that is wrong has
// put far away would be bridged by the register for decades.
func (s *Store) possible(day ledger.DayNumber) bool {
	return firstEnergy <= day && day <= ledger.DayOf(smartmeter.InstantOf(s.now()))+1
}

// EnergySums yields the energy of a channel's days in a range by quarter hour,
// with all corrections, oldest day first and without those about which nothing
// is known. What it yields is valid until the next one.
func (s *Store) EnergySums(ctx context.Context, node smartmeter.NodeID, ch uint8, r ledger.Range) iter.Seq2[*ledger.Sums, error] {
	return func(yield func(*ledger.Sums, error) bool) {
		c := s.knownChannel(node, ch)
		if c == nil || r.First > r.Last {
			return
		}
		live, err := s.energyOf(ctx, c)
		if err != nil {
			yield(nil, err)
			return
		}
		months, err := s.index.energyMonths(ctx, c.key, monthOf(r.First), monthOf(r.Last))
		if err != nil {
			yield(nil, err)
			return
		}
		for sums, err := range live.over(months, r) {
			if !yield(sums, err) {
				return
			}
		}
	}
}

// EnergyDays returns the ledger of a channel's days in a range, with its
// findings, oldest first.
func (s *Store) EnergyDays(ctx context.Context, node smartmeter.NodeID, ch uint8, r ledger.Range) ([]ledger.Day, error) {
	c := s.knownChannel(node, ch)
	if c == nil {
		return nil, nil
	}
	live, err := s.energyOf(ctx, c)
	if err != nil {
		return nil, err
	}
	days, err := s.index.energyFrom(ctx, c.key, r.First)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(live.with(days), func(d ledger.Day) bool { return d.Number < r.First || d.Number > r.Last }), nil
}

func (s *Store) knownChannel(node smartmeter.NodeID, ch uint8) *channel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.channels[channelID{node, ch}]
}

// Corrections returns the journal of what people decided about energy, in the
// order in which it was made. It must not be changed.
func (s *Store) Corrections(context.Context) ([]smartmeter.Correction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.corrections, nil
}

// PutCorrection enters a correction, which package ledger has checked, into the
// journal for good.
func (s *Store) PutCorrection(c smartmeter.Correction) error {
	s.mu.Lock()
	if c.Kind != smartmeter.CorrectUndo {
		s.channelOf(channelID{c.Node, c.Channel})
	}
	s.correct(c)
	s.entries = append(s.entries, entry{Correction: &c})
	s.mu.Unlock()
	s.hurry()
	return nil
}

// correct takes a correction into memory, once. The caller holds mu.
func (s *Store) correct(c smartmeter.Correction) {
	if slices.ContainsFunc(s.corrections, func(o smartmeter.Correction) bool { return o.ID == c.ID }) {
		return
	}
	s.corrections = append(slices.Clone(s.corrections), c)
	slices.SortFunc(s.corrections, func(a, b smartmeter.Correction) int {
		return cmp.Or(cmp.Compare(a.Made, b.Made), cmp.Compare(a.ID, b.ID))
	})
	s.corrected()
}

// corrected notes that the journal is another one now.
func (s *Store) corrected() {
	s.revision++
	for _, c := range s.byUID {
		c.energy.stale.Store(true) // settling finds out whom it concerns
	}
}

// forgetCorrections takes from memory what was decided about a device that is
// erased. The caller holds mu.
func (s *Store) forgetCorrections(e erasedEntry) {
	s.corrections = slices.DeleteFunc(slices.Clone(s.corrections), func(c smartmeter.Correction) bool {
		return entry{Correction: &c}.about(e)
	})
	s.corrected()
}

// journalOf returns what was decided about a channel's energy.
func (s *Store) journalOf(c *channel) []smartmeter.Correction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return ledger.OfChannel(s.corrections, c.id.node, c.id.channel)
}

// runEnergy settles on a beat what was sealed, so that nobody waits for it.
func (s *Store) runEnergy(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := s.settleAll(ctx)
		if ctx.Err() == nil {
			s.note(&s.energyErr, err, "cannot settle the energy of the days that are over; queries try again", "energy is settled again")
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Store) settleAll(ctx context.Context) error {
	var stale []*channel
	s.mu.Lock()
	for _, c := range s.channelsInOrder() {
		if c.id.node != "" && c.energy.stale.Load() {
			stale = append(stale, c)
		}
	}
	s.mu.Unlock()
	var errs []error
	for _, c := range stale {
		if err := c.energy.busy.lock(ctx); err != nil {
			return err
		}
		errs = append(errs, s.settleStale(ctx, c))
		c.energy.busy.unlock()
	}
	return errors.Join(errs...)
}

// settleStale brings the index up to date with what is sealed and decided. The
// caller holds the channel's energy.
func (s *Store) settleStale(ctx context.Context, c *channel) error {
	if !c.energy.stale.Swap(false) {
		return nil
	}
	changed, err := s.settleEnergy(ctx, c)
	if err != nil {
		c.energy.stale.Store(true)
		return fmt.Errorf("the energy of %s: %w", c.id.node, err)
	}
	if changed {
		c.energy.settled++
	}
	return nil
}
