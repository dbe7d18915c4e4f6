package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
)

// fingerprint is the beginning of a SHA-256.
type fingerprint [16]byte

// ledgerRules is part of all fingerprints: raise it when package ledger judges
// readings in another way, and all days are made anew.
const ledgerRules = 1

func fingerprintOf(parts ...any) fingerprint {
	text, err := json.Marshal([]any{ledgerRules, parts})
	if err != nil {
		panic(err) // strings and integers only
	}
	sum := sha256.Sum256(text)
	return fingerprint(sum[:16])
}

// settleEnergy makes anew the days of which there is more or less than they were
// made from, and the sums that change with them or with the journal. The caller
// holds the channel's energy.
func (s *Store) settleEnergy(ctx context.Context, c *channel) (changed bool, err error) {
	changed, err = s.settleDays(ctx, c, false)
	if errors.Is(err, ledger.ErrDamaged) {
		s.log.Warn("the energy of a channel is made again from its readings", "node", c.id.node, "channel", c.id.channel, "why", err)
		return s.settleDays(ctx, c, true)
	}
	return changed, err
}

func (s *Store) settleDays(ctx context.Context, c *channel, anew bool) (bool, error) {
	m := s.remaking(c)
	chunks, err := s.index.chunkMarks(ctx, c.key)
	if err != nil {
		return false, err
	}
	known, err := s.index.energyMarks(ctx, c.key)
	if err != nil {
		return false, err
	}
	settled, err := s.index.energySettled(ctx, c.key)
	if err != nil {
		return false, err
	}
	journal := m.fingerprint()
	wanted := m.wanted(chunks)
	changed := differing(wanted, known, anew)
	if len(changed) == 0 && settled == journal {
		return false, nil
	}
	if len(changed) > 0 {
		if err := m.remake(ctx, changed, anew); err != nil {
			return false, err
		}
	}
	if settled != journal {
		m.touchAll(known)
	}
	change, err := m.change(ctx, wanted, anew)
	if err != nil {
		return false, err
	}
	change.journal = journal
	s.mu.Lock()
	row := c.row() // of a channel that the log names and no monthly file the index knows nothing
	s.mu.Unlock()
	if err := s.index.apply(ctx, indexChange{channels: []channelRow{row}, energy: []energyChange{change}}); err != nil && !errors.Is(err, errNotYetScrubbed) {
		return false, err
	}
	return true, nil
}

// wanted returns from what each sealed day is to be made.
func (m *remaking) wanted(chunks map[chunk.Day]chunkMark) map[ledger.DayNumber]energyMark {
	wanted := make(map[ledger.DayNumber]energyMark)
	for day, mark := range chunks {
		if n := ledger.DayNumber(day); m.store.possible(n) {
			wanted[n] = energyMark{mark.version, fingerprintOf(mark.hash, m.declared[n])}
		}
	}
	for n, said := range m.declared {
		if _, sealed := chunks[chunk.Day(n)]; !sealed && m.store.possible(n) {
			wanted[n] = energyMark{0, fingerprintOf(nil, said)}
		}
	}
	return wanted
}

// differing returns the days that are not made from what is wanted, in order.
// Of a day whose readings are gone, what was made of them stays.
func differing(wanted, known map[ledger.DayNumber]energyMark, anew bool) []ledger.DayNumber {
	var days []ledger.DayNumber
	for n, mark := range wanted {
		old, made := known[n]
		gone := made && old.chunk != 0 && mark.chunk == 0
		if anew || old.of != mark.of && !gone {
			days = append(days, n)
		}
	}
	for n, old := range known {
		if _, still := wanted[n]; !still && old.chunk == 0 {
			days = append(days, n)
		}
	}
	slices.Sort(days)
	return days
}

// touchAll makes the sums of all days anew, and of all periods that somebody has
// corrected at any time.
func (m *remaking) touchAll(known map[ledger.DayNumber]energyMark) {
	for n := range known {
		m.touch(n, n)
	}
	for _, c := range m.journal {
		if c.Kind == smartmeter.CorrectSet {
			m.touch(ledger.DayOf(c.From), ledger.DayOf(c.To-1))
		}
	}
}

// change returns what the index is to know of the days that were made.
func (m *remaking) change(ctx context.Context, wanted map[ledger.DayNumber]energyMark, anew bool) (energyChange, error) {
	e := energyChange{channel: m.channel.key, gone: m.gone}
	for _, d := range m.made {
		e.days = append(e.days, energyDay{wanted[d.Number], d})
	}
	if m.touched.First > m.touched.Last {
		return e, nil
	}
	r := ledger.Widen(m.touched, m.journal)
	if err := m.readContext(ctx, r, anew); err != nil {
		return e, err
	}
	sums := ledger.Settle(m.all(), m.journal, r)
	months, err := m.store.index.energyMonths(ctx, e.channel, monthOf(r.First), monthOf(r.Last))
	if err != nil {
		return e, err
	}
	for month := monthOf(r.First); month <= monthOf(r.Last); month++ {
		old := energyMonth{month: month}
		if len(months) > 0 && months[0].month == month {
			old, months = months[0], months[1:]
		}
		if anew {
			old.packed = nil
		}
		packed, err := replaceDays(old, r, sums)
		if err != nil {
			return e, err
		}
		if len(packed.packed) > 0 || len(old.packed) > 0 {
			e.months = append(e.months, packed)
		}
	}
	return e, nil
}

// remaking makes days of a channel's ledger.
type remaking struct {
	store    *Store
	channel  *channel
	journal  []smartmeter.Correction
	declared map[ledger.DayNumber][]ledger.Entry
	open     map[ledger.DayNumber]openPart // what memory has of days that are to be made

	made    []ledger.Day // in order
	gone    []ledger.DayNumber
	touched ledger.Range // the days whose energy may change
	context []ledger.Day // others with a say in it

	// Of the day that was made last: it may grow.
	folder *ledger.Folder
	last   smartmeter.Reading

	decoder chunk.Decoder
	entries []ledger.Entry
}

func (s *Store) remaking(c *channel) *remaking {
	m := &remaking{
		store: s, channel: c, journal: s.journalOf(c),
		declared: make(map[ledger.DayNumber][]ledger.Entry),
		touched:  ledger.Range{First: lastEnergy, Last: -lastEnergy},
	}
	for _, e := range ledger.Declarations(m.journal) {
		n := ledger.DayOf(e.At)
		m.declared[n] = append(m.declared[n], e)
	}
	return m
}

const lastEnergy ledger.DayNumber = 1 << 30

// fingerprint tells one journal from another, by what is in force.
func (m *remaking) fingerprint() fingerprint {
	decisions := slices.DeleteFunc(ledger.Effective(m.journal), func(c smartmeter.Correction) bool {
		return c.Kind == smartmeter.CorrectBind
	})
	if len(decisions) == 0 {
		return fingerprint{}
	}
	return fingerprintOf(decisions)
}

func (m *remaking) touch(first, last ledger.DayNumber) {
	m.touched = ledger.Range{First: min(m.touched.First, first), Last: max(m.touched.Last, last)}
}

// remake makes anew the days that changed, which are in order, and those after
// them until one ends as it ended before.
func (m *remaking) remake(ctx context.Context, changed []ledger.DayNumber, anew bool) error {
	var old []ledger.Day
	if !anew {
		var err error
		if old, err = m.store.index.energyFrom(ctx, m.channel.key, changed[0]); err != nil {
			return err
		}
	}
	var before, was ledger.State // in which the next day begins, and began
	if len(old) > 0 && old[0].Number < changed[0] {
		before, was, old = old[0].After, old[0].After, old[1:]
	}
	for len(changed) > 0 || len(old) > 0 && before != was {
		if len(old) > 0 && (len(changed) == 0 || old[0].Number < changed[0]) && before == was {
			before, was, old = old[0].After, old[0].After, old[1:]
			continue
		}
		n := nextOf(changed, old)
		next, err := m.fold(ctx, before, n)
		if err != nil {
			return err
		}
		if len(changed) > 0 && changed[0] == n {
			changed = changed[1:]
		}
		before = next
		if len(old) > 0 && old[0].Number == n {
			m.touch(old[0].Begins(), n)
			was, old = old[0].After, old[1:]
			if len(m.made) == 0 || m.made[len(m.made)-1].Number != n {
				m.gone = append(m.gone, n)
			}
		}
	}
	if len(old) > 0 {
		m.folder = nil // the last day is none that may grow
	}
	return nil
}

func nextOf(changed []ledger.DayNumber, old []ledger.Day) ledger.DayNumber {
	switch {
	case len(old) == 0:
		return changed[0]
	case len(changed) == 0:
		return old[0].Number
	default:
		return min(changed[0], old[0].Number)
	}
}

// fold makes a day, if anything was said on it, and returns how it ends.
func (m *remaking) fold(ctx context.Context, before ledger.State, n ledger.DayNumber) (ledger.State, error) {
	said, err := m.said(ctx, n)
	m.folder = nil
	if err != nil || len(said) == 0 {
		return before, err
	}
	m.folder = ledger.NewFolder(before, n)
	for _, e := range said {
		m.folder.Add(e)
	}
	day := m.folder.Day()
	m.made = append(m.made, day)
	m.touch(day.Begins(), n)
	return day.After, nil
}

// said returns all that was said on a day, in order and valid until the next
// call.
func (m *remaking) said(ctx context.Context, n ledger.DayNumber) ([]ledger.Entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	_, readings, err := m.store.readSealed(ctx, m.channel, chunk.Day(n), &m.decoder)
	if err != nil {
		return nil, err
	}
	if readings, err = m.open[n].appendTo(readings, &m.decoder); err != nil {
		return nil, err
	}
	readings = inOrder(readings)
	m.entries = append(m.entries[:0], m.declared[n]...)
	for i := range readings {
		if e, says := ledger.EntryOf(&readings[i]); says {
			m.entries = append(m.entries, e)
		}
		m.last = readings[i]
	}
	slices.SortFunc(m.entries, ledger.Entry.Compare) // of what is in order it only makes sure
	return m.entries, nil
}

// readContext reads what else has a say in the energy of a range.
func (m *remaking) readContext(ctx context.Context, r ledger.Range, anew bool) error {
	m.context = nil
	if anew {
		return nil
	}
	wide := r
	for i := range m.made {
		wide.First = min(wide.First, m.made[i].Begins())
	}
	days, err := m.store.index.energyOver(ctx, m.channel.key, wide)
	if err != nil {
		return err
	}
	replaced := maps.Collect(func(yield func(ledger.DayNumber, bool) bool) {
		for i := range m.made {
			yield(m.made[i].Number, true)
		}
		for _, n := range m.gone {
			yield(n, true)
		}
	})
	m.context = slices.DeleteFunc(days, func(d ledger.Day) bool { return replaced[d.Number] })
	return nil
}

// all returns, in order, what has a say in the energy that is to be settled.
func (m *remaking) all() []ledger.Day {
	return merged(m.context, m.made)
}

// merged returns both in the order of their days.
func merged(x, y []ledger.Day) []ledger.Day {
	all := slices.Concat(x, y)
	slices.SortFunc(all, func(a, b ledger.Day) int { return cmp.Compare(a.Number, b.Number) })
	return all
}
