package store

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// liveEnergy is the energy of days that are not all sealed, over what the index
// has of them. Only folder changes; whoever holds the channel's energy may use
// it.
type liveEnergy struct {
	open     []openCount // what it was made from
	revision uint64
	settled  uint64

	of      ledger.Range // the days that are answered from here
	sums    []ledger.Sums
	journal []smartmeter.Correction
	made    []ledger.Day
	gone    []ledger.DayNumber
	context []ledger.Day

	folder *ledger.Folder // of the last day; nil if that cannot grow
	last   smartmeter.Reading
}

// openCount tells how much of an open day there was.
type openCount struct {
	day   *openDay
	count int
}

// openEnergy is what memory has of a channel at one moment.
type openEnergy struct {
	parts    []openPart // in order
	counts   []openCount
	revision uint64
}

func (s *Store) openEnergy(c *channel) (o openEnergy) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for day, d := range c.days {
		if s.possible(ledger.DayNumber(day)) {
			o.parts = append(o.parts, s.part(c, day, d))
		}
	}
	slices.SortFunc(o.parts, func(x, y openPart) int { return cmp.Compare(x.day, y.day) })
	for _, p := range o.parts {
		o.counts = append(o.counts, openCount{c.days[p.day], c.days[p.day].count})
	}
	o.revision = s.revision
	return o
}

// energyOf returns a channel's live energy, and has the index settle what it has
// not. Memory is looked at first: a day that is sealed meanwhile is made from
// both, and each reading counts once.
func (s *Store) energyOf(ctx context.Context, c *channel) (*liveEnergy, error) {
	if err := c.energy.busy.lock(ctx); err != nil {
		return nil, err
	}
	defer c.energy.busy.unlock()
	open := s.openEnergy(c)
	if err := s.settleStale(ctx, c); err != nil {
		return nil, err
	}
	live := c.energy.live
	if live == nil || live.revision != open.revision || live.settled != c.energy.settled {
		live = nil
	} else if slices.Equal(live.open, open.counts) {
		return live, nil
	}
	if live != nil {
		live = live.grown(open)
	}
	if live == nil {
		var err error
		if live, err = s.foldOpen(ctx, c, open); err != nil {
			return nil, err
		}
	}
	c.energy.live = live
	return live, nil
}

// foldOpen makes the live energy from memory, the monthly files and the index.
func (s *Store) foldOpen(ctx context.Context, c *channel, open openEnergy) (*liveEnergy, error) {
	live := &liveEnergy{open: open.counts, revision: open.revision, settled: c.energy.settled, of: ledger.Range{First: lastEnergy, Last: -lastEnergy}}
	if len(open.parts) == 0 {
		return live, nil
	}
	m := s.remaking(c)
	m.open = make(map[ledger.DayNumber]openPart)
	var days []ledger.DayNumber
	for _, p := range open.parts {
		n := ledger.DayNumber(p.day)
		m.open[n], days = p, append(days, n)
	}
	if err := m.remake(ctx, days, false); err != nil {
		return nil, err
	}
	live.journal, live.made, live.gone = m.journal, m.made, m.gone
	if m.touched.First > m.touched.Last {
		return live, nil // nothing was said about energy
	}
	live.of = ledger.Widen(m.touched, m.journal)
	if err := m.readContext(ctx, live.of, false); err != nil {
		return nil, err
	}
	live.context = m.context
	live.sums = ledger.Settle(m.all(), live.journal, live.of)
	last := days[len(days)-1]
	if len(m.declared[last]) == 0 && len(m.made) > 0 && m.made[len(m.made)-1].Number == last {
		live.folder, live.last = m.folder, m.last
	}
	return live, nil
}

// grown returns the live energy with the readings that have come since, or nil
// if they are not just more of the last day.
func (l *liveEnergy) grown(open openEnergy) *liveEnergy {
	n := len(l.open) - 1
	if l.folder == nil || len(open.counts) != len(l.open) || !slices.Equal(open.counts[:n], l.open[:n]) || open.counts[n].day != l.open[n].day {
		return nil
	}
	folder, more, tail := l.folder, open.counts[n].count-l.open[n].count, open.parts[n].tail
	l.folder = nil // until all is well
	if more < 0 || more > len(tail) {
		return nil
	}
	for _, r := range tail[len(tail)-more:] {
		if byTime(r, l.last) <= 0 {
			return nil
		}
		l.last = r
		if e, says := ledger.EntryOf(&r); says && !folder.Add(e) {
			return nil
		}
	}
	next := *l
	next.open, next.folder = open.counts, folder
	next.made = slices.Clone(l.made)
	day := folder.Day()
	next.made[len(next.made)-1] = day
	if day.Begins() < next.of.First {
		return nil
	}
	next.sums = ledger.Settle(merged(next.context, next.made), next.journal, next.of)
	return &next
}

// over yields a range's sums: those that are live, and from the months of the
// index the others.
func (l *liveEnergy) over(months []energyMonth, r ledger.Range) iter.Seq2[*ledger.Sums, error] {
	return func(yield func(*ledger.Sums, error) bool) {
		live := l.sums
		liveUntil := func(day ledger.DayNumber) bool {
			for ; len(live) > 0 && live[0].Day < day; live = live[1:] {
				if in(r, live[0].Day) && !yield(&live[0], nil) {
					return false
				}
			}
			return true
		}
		var sums ledger.Sums
		for day, packed := range sealedDays(months) {
			if day == lastEnergy {
				yield(nil, ledger.ErrDamaged)
				return
			}
			if !in(r, day) || in(l.of, day) {
				continue
			}
			if err := sums.Decode(day, packed); err != nil {
				yield(nil, err)
				return
			}
			if !liveUntil(day) || !yield(&sums, nil) {
				return
			}
		}
		liveUntil(lastEnergy)
	}
}

// sealedDays yields the packed sums of months, and lastEnergy where they are
// damaged.
func sealedDays(months []energyMonth) iter.Seq2[ledger.DayNumber, []byte] {
	return func(yield func(ledger.DayNumber, []byte) bool) {
		for _, m := range months {
			var before ledger.DayNumber
			for rest := m.packed; len(rest) > 0; {
				day, packed, next, err := nextDay(rest, before)
				if err != nil {
					yield(lastEnergy, nil)
					return
				}
				if !yield(day, packed) {
					return
				}
				before, rest = day, next
			}
		}
	}
}

func in(r ledger.Range, day ledger.DayNumber) bool { return r.First <= day && day <= r.Last }

// with returns days of the index with those that are live in their place.
func (l *liveEnergy) with(days []ledger.Day) []ledger.Day {
	days = slices.DeleteFunc(days, func(d ledger.Day) bool {
		return slices.Contains(l.gone, d.Number) || slices.ContainsFunc(l.made, func(m ledger.Day) bool { return m.Number == d.Number })
	})
	return merged(days, l.made)
}
