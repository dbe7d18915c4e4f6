package archive_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// model drives an archive, and an index of it, through lives that end in power
// cuts, and holds what is found against sets of what was appended.
type model struct {
	tally

	rng   *rand.Rand
	ids   *rand.ChaCha8
	disk  *faultdisk.Disk
	lies  float64
	vices faultdisk.Faults
	erred bool // the device failed at some time

	a       *archive.Archive
	serial  uint64
	written map[id]item // all that was ever given to the archive
	waiting []id        // appended in this life, not acknowledged
	months  map[archive.Month]*expected

	index, savedIndex map[archive.Place]id
	savedMarks        archive.Marks
	fading            map[archive.Month]bool // removed, perhaps, since the index was saved
	lost              map[archive.Month]set  // never acknowledged, and not there after a cut
}

// id is what a payload begins with: its number, and how often it was changed.
type id struct {
	serial  uint64
	version byte
}

type item struct {
	month   archive.Month
	kind    archive.Kind
	payload string
}

// expected is what a month must hold: one of some sets, and perhaps more.
type expected struct {
	sets     []set // the first is what counts while the process lives
	optional set
}

type set map[id]bool

func newModel(seed uint64, lies float64) *model {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	m := &model{
		rng: rand.New(rand.NewPCG(seed, 1)), ids: rand.NewChaCha8(key), disk: faultdisk.New(seed), lies: lies,
		written: make(map[id]item), months: make(map[archive.Month]*expected),
		savedIndex: make(map[archive.Place]id), fading: make(map[archive.Month]bool),
		lost: make(map[archive.Month]set),
	}
	for i := range archive.Month(3) {
		m.months[november+i] = &expected{sets: []set{{}}, optional: set{}}
		m.lost[november+i] = set{}
	}
	return m
}

// life opens the archive, checks what it delivers, works with it, and cuts the
// power or, at times, only kills the process.
func (m *model) life(ctx context.Context) error {
	m.lives++
	m.vices = faultdisk.Faults{Lies: m.lies}
	m.disk.SetFaults(m.vices)
	m.disk.CrashAfter(m.rng.IntN(60))
	m.a = nil
	if err := m.open(ctx); err != nil {
		return err
	}
	for !m.disk.Crashed() && m.a != nil && m.rng.IntN(200) > 0 {
		if err := m.step(ctx); err != nil {
			return err
		}
	}
	for _, w := range m.waiting {
		m.months[m.written[w].month].optional[w] = true
	}
	m.waiting = nil
	if m.rng.IntN(4) == 0 && !m.disk.Crashed() {
		m.disk = m.disk.Restart()
	} else {
		m.disk = m.disk.Crash()
	}
	return nil
}

// open opens the archive as a store does: it forgets what is gone, and adds
// what comes behind the marks; or it makes its index anew.
func (m *model) open(ctx context.Context) error {
	cfg := config(m.disk)
	cfg.Random = m.ids
	a, err := archive.Open(cfg)
	if errors.Is(err, faultdisk.ErrCrashed) {
		return nil
	}
	if err != nil {
		return err
	}
	if m.lies > 0 {
		return m.openLiar(ctx, a)
	}
	from := m.savedMarks
	m.index = maps.Clone(m.savedIndex)
	if m.rng.IntN(3) == 0 {
		from = nil
		clear(m.index)
	}
	report, err := m.scan(ctx, a, from, m.index)
	if errors.Is(err, faultdisk.ErrCrashed) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, d := range report.Damage {
		if !m.erred && !m.fading[d.File.Month] {
			return fmt.Errorf("an honest disk, and damage: %v", d)
		}
	}
	m.torn += len(report.Torn)
	if err := m.compare(m.index, true); err != nil {
		return fmt.Errorf("scanned from %v: %w; %+v", from, err, report)
	}
	m.a = a
	m.save()
	return m.readAll()
}

// scan brings an index up to date.
func (m *model) scan(ctx context.Context, a *archive.Archive, from archive.Marks, index map[archive.Place]id) (archive.Report, error) {
	fresh := make(map[archive.Place]id)
	_, report, err := a.Scan(ctx, from, func(f archive.Frame) error {
		got, err := m.identify(f.Place.Month, f.Kind, f.Payload)
		if err != nil {
			return fmt.Errorf("%v: %w", f.Place, err)
		}
		if _, ok := fresh[f.Place]; ok {
			return fmt.Errorf("%v comes twice", f.Place)
		}
		fresh[f.Place] = got
		m.delivered++
		return nil
	})
	maps.DeleteFunc(index, func(p archive.Place, _ id) bool {
		return slices.Contains(report.Gone, archive.File{Month: p.Month, Part: p.Part})
	})
	m.gone += len(report.Gone)
	maps.Copy(index, fresh)
	return report, err
}

// identify finds what a payload is; it must be exactly as it was written.
func (m *model) identify(month archive.Month, kind archive.Kind, payload []byte) (id, error) {
	if len(payload) < 9 {
		return id{}, fmt.Errorf("%q was never written", payload)
	}
	got := id{binary.LittleEndian.Uint64(payload), payload[8]}
	if want := m.written[got]; want != (item{month, kind, string(payload)}) {
		return got, fmt.Errorf("%v is %d bytes of kind %d in %v, and was %d of %d in %v",
			got, len(payload), kind, month, len(want.payload), want.kind, want.month)
	}
	return got, nil
}

// compare holds an index against what it must have; settled says that it is
// what counts from now on.
func (m *model) compare(index map[archive.Place]id, settled bool) error {
	found := make(map[archive.Month]set)
	seen := make(map[uint64]archive.Place)
	for place, got := range index {
		if other, ok := seen[got.serial]; ok {
			return fmt.Errorf("%v is at %v and at %v", got, other, place)
		}
		seen[got.serial] = place
		if found[place.Month] == nil {
			found[place.Month] = set{}
		}
		found[place.Month][got] = true
	}
	for _, month := range slices.Sorted(maps.Keys(m.months)) {
		e, have := m.months[month], found[month]
		var errs []error
		for _, want := range e.sets {
			errs = append(errs, e.mismatch(have, want, m.fading[month]))
		}
		if !slices.Contains(errs, nil) {
			return fmt.Errorf("%v: %w", month, errors.Join(errs...))
		}
		if settled {
			m.unacknowledgedFound += max(0, len(have)-len(e.sets[0]))
			maps.Copy(m.lost[month], e.optional)
			*e = expected{sets: []set{maps.Clone(have)}, optional: set{}}
			if have == nil {
				e.sets[0] = set{}
			}
		}
	}
	return nil
}

// mismatch says what is wrong with a month.
func (e *expected) mismatch(have, want set, fading bool) error {
	for w := range want {
		if !have[w] && !fading {
			return fmt.Errorf("%v is lost", w)
		}
	}
	for h := range have {
		if !want[h] && !e.optional[h] {
			return fmt.Errorf("%v should not be there", h)
		}
	}
	return nil
}

// save keeps the index and the marks, as a store does in one transaction.
func (m *model) save() {
	m.savedIndex = maps.Clone(m.index)
	m.savedMarks = m.a.Marks()
	clear(m.fading)
}

// readAll reads every place of the index.
func (m *model) readAll() error {
	for place, want := range m.index {
		if err := m.read(place, want); err != nil {
			return err
		}
	}
	return nil
}

// read reads a place.
func (m *model) read(place archive.Place, want id) error {
	kind, payload, err := m.a.Read(place, nil)
	if errors.Is(err, faultdisk.ErrCrashed) {
		return nil
	}
	if m.lies > 0 && (errors.Is(err, archive.ErrMissing) || errors.Is(err, archive.ErrDamaged)) {
		return nil // a failed sync takes along what a lie left behind
	}
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	got, err := m.identify(place.Month, kind, payload)
	if err == nil && got != want {
		err = fmt.Errorf("read %v, want %v", got, want)
	}
	return err
}

// excused says whether an error is one that the disk's vices explain.
func (m *model) excused(err error) bool {
	return errors.Is(err, faultdisk.ErrCrashed) ||
		m.vices.Errors > 0 && errors.Is(err, disk.ErrIO) ||
		m.vices.FullAt > 0 && errors.Is(err, disk.ErrNoSpace) ||
		m.vices.ReadOnly && errors.Is(err, disk.ErrReadOnly)
}
