package archive_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// step does one random thing to the archive.
func (m *model) step(ctx context.Context) error {
	switch n := m.rng.IntN(100); {
	case n < 60:
		return m.append()
	case n < 80:
		return m.sync(ctx)
	case n < 84:
		return m.rewrite(ctx)
	case n < 85:
		return m.remove(ctx)
	case n < 88:
		return m.lookAgain(ctx)
	case n < 94:
		return m.readAll()
	default:
		m.temper()
		return nil
	}
}

// temper changes the disk's vices.
func (m *model) temper() {
	m.vices = faultdisk.Faults{Lies: m.lies}
	switch m.rng.IntN(8) {
	case 0:
		m.vices.Errors = 0.2
		m.erred = true
	case 1:
		m.vices.FullAt = 1
	case 2:
		m.vices.ReadOnly = true
	}
	m.disk.SetFaults(m.vices)
}

// payload makes one, and notes it.
func (m *model) payload(of id, month archive.Month, kind archive.Kind) []byte {
	size := m.rng.IntN(60)
	if m.rng.IntN(20) == 0 {
		size = m.rng.IntN(4000)
	}
	b := append(binary.LittleEndian.AppendUint64(nil, of.serial), of.version)
	for range size {
		b = append(b, byte(m.rng.Uint32()))
	}
	m.written[of] = item{month, kind, string(b)}
	return b
}

func (m *model) append() error {
	m.serial++
	of := id{serial: m.serial}
	month, kind := november+archive.Month(m.rng.IntN(3)), archive.Kind(1+m.rng.IntN(255))
	if err := m.a.Append(month, kind, m.payload(of, month, kind)); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	m.waiting = append(m.waiting, of)
	return nil
}

// sync takes an acknowledgement for what it is worth.
func (m *model) sync(ctx context.Context) error {
	places, err := m.a.Sync(ctx)
	if err != nil {
		m.failedSyncs++
		if !m.excused(err) {
			return fmt.Errorf("sync: %w", err)
		}
		return nil
	}
	if len(places) != len(m.waiting) {
		return fmt.Errorf("%d places for %d payloads", len(places), len(m.waiting))
	}
	for i, place := range places {
		m.index[place] = m.waiting[i]
		e := m.months[place.Month]
		e.sets = e.sets[:1] // what was appended to is what counts
		e.sets[0][m.waiting[i]] = true
		if place.Part > 1 {
			m.manyParts++
		}
	}
	m.waiting = nil
	m.maybeSave()
	return nil
}

func (m *model) maybeSave() {
	if m.rng.IntN(4) > 0 {
		m.save()
	}
}

// rewrite drops some frames of a month and changes others.
func (m *model) rewrite(ctx context.Context) error {
	month := november + archive.Month(m.rng.IntN(3))
	left := set{}
	changed := make(map[id]id)
	moved, err := m.a.Rewrite(ctx, month, func(f archive.Frame) ([]byte, bool, error) {
		is, err := m.identify(month, f.Kind, f.Payload)
		if err != nil {
			return nil, false, err
		}
		if slices.Contains(m.waiting, is) {
			return nil, false, fmt.Errorf("%v waits for Sync and is rewritten", is)
		}
		to := is
		switch m.rng.IntN(3) {
		case 0:
			return nil, false, nil
		case 1:
			for to.version++; m.written[to] != (item{}); to.version++ {
			}
		}
		left[to] = true
		changed[is] = to
		if to == is {
			return f.Payload, true, nil
		}
		return m.payload(to, month, f.Kind), true, nil
	})
	if err != nil && !m.excused(err) {
		return fmt.Errorf("rewrite: %w", err)
	}
	e := m.months[month]
	if moved == nil {
		if err != nil {
			m.halfRewritten++
			e.sets = append(e.sets, left)
		}
		return nil
	}
	m.rewritten++
	e.sets = []set{left}
	m.move(month, moved, changed)
	if err == nil {
		m.maybeSave()
	}
	return nil
}

// move follows a rewriting in the index.
func (m *model) move(month archive.Month, moved map[archive.Place]archive.Place, changed map[id]id) {
	before := maps.Clone(m.index)
	maps.DeleteFunc(m.index, func(p archive.Place, _ id) bool { return p.Month == month })
	for from, to := range moved {
		if was, ok := before[from]; ok {
			m.index[to] = changed[was]
		}
	}
}

func (m *model) remove(ctx context.Context) error {
	month := november + archive.Month(m.rng.IntN(3))
	err := m.a.Remove(ctx, month)
	if err != nil && !m.excused(err) {
		return fmt.Errorf("remove: %w", err)
	}
	m.fading[month] = true
	e := m.months[month]
	maps.DeleteFunc(m.index, func(p archive.Place, _ id) bool { return p.Month == month })
	if err != nil { // some of it may be left, and with it what never counted
		for _, s := range append(e.sets, m.lost[month]) {
			maps.Copy(e.optional, s)
		}
	}
	m.removed++
	e.sets = []set{{}}
	return nil
}

// lookAgain makes the index anew while the archive is in use.
func (m *model) lookAgain(ctx context.Context) error {
	index := make(map[archive.Place]id)
	_, err := m.scan(ctx, m.a, nil, index)
	if err != nil {
		if m.excused(err) {
			return nil
		}
		return fmt.Errorf("scan: %w", err)
	}
	for _, w := range m.waiting {
		m.months[m.written[w].month].optional[w] = true
	}
	if m.lies > 0 {
		return nil
	}
	alternatives := make(map[archive.Month][]set)
	for month, e := range m.months { // what counts is the first while the process lives
		alternatives[month], e.sets = e.sets, e.sets[:1]
	}
	err = m.compare(index, false)
	for month, e := range m.months {
		e.sets = alternatives[month]
	}
	return err
}

// openLiar opens the archive on a disk that lied. What is there must be right,
// and what is not there must be in a report; what is there counts from now on.
func (m *model) openLiar(ctx context.Context, a *archive.Archive) error {
	index := maps.Clone(m.savedIndex)
	known, err := m.scan(ctx, a, m.savedMarks, index)
	all := make(map[archive.Place]id)
	var whole archive.Report
	if err == nil {
		whole, err = m.scan(ctx, a, nil, all)
	}
	if errors.Is(err, faultdisk.ErrCrashed) {
		return nil
	}
	if err != nil {
		return err
	}
	m.torn += len(whole.Torn)
	m.damaged += len(known.Damage) + len(whole.Damage)
	m.a = a
	for place, want := range index {
		if all[place] == want {
			continue
		}
		if _, _, err := a.Read(place, nil); err == nil {
			return fmt.Errorf("%v can be read and was not delivered", place)
		}
		lost := slices.Concat(known.Damage, whole.Damage, whole.Torn)
		if !slices.ContainsFunc(lost, func(d archive.Damage) bool { return covers(d, place) }) {
			return fmt.Errorf("%v, %v, is missing and not reported: %+v, %+v", place, want, known, whole)
		}
	}
	m.index = all
	for month, e := range m.months {
		*e = expected{sets: []set{{}}, optional: set{}}
		for place, is := range all {
			if place.Month == month {
				e.sets[0][is] = true
			}
		}
	}
	m.save()
	return m.readAll()
}

func covers(d archive.Damage, p archive.Place) bool {
	return d.File == archive.File{Month: p.Month, Part: p.Part} && d.From <= p.Offset && p.Offset < d.To
}
