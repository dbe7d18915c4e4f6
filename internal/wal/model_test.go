package wal_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// model drives a log through lives that end in power cuts and holds what it
// delivers against a plain list of what was appended.
type model struct {
	rng   *rand.Rand
	ids   *rand.ChaCha8
	disk  *faultdisk.Disk
	log   *wal.Log
	lies  float64
	vices faultdisk.Faults

	appended []wal.Record // by position; what a cut lost is gone from it
	acked    wal.Position // all up to here must come back on an honest disk
	solid    wal.Position // the same on a disk that lies: synced when it did not
	dropped  wal.Position // released, or tried to: may be missing
	gone     wal.Position // released, and acknowledged: must not come again
	serial   uint64
	previous uint64                        // the serial of the record before
	history  map[wal.Position][]wal.Record // all that ever had a position, on a disk that lies
	missed   map[wal.Position]bool         // reported missing: lost for good
	erred    bool                          // the device failed at some time

	lives, torn, damage, failedSyncs, full int
}

func newModel(seed uint64, lies float64) *model {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	m := &model{
		rng:  rand.New(rand.NewPCG(seed, 1)),
		ids:  rand.NewChaCha8(key),
		disk: faultdisk.New(seed),
		lies: lies,

		missed:  make(map[wal.Position]bool),
		history: make(map[wal.Position][]wal.Record),
	}
	m.disk.SetFaults(faultdisk.Faults{Lies: lies})
	return m
}

func (m *model) config() wal.Config {
	return wal.Config{
		FS:           m.disk,
		Dir:          "hot",
		SegmentBytes: 8192,
		BufferBytes:  24 << 10,
		Spares:       m.rng.IntN(4) - 1,
		Random:       m.ids,
	}
}

// life opens the log, checks what it delivers, works with it, and cuts the
// power or, at times, only kills the process.
func (m *model) life() error {
	m.lives++
	m.vices = faultdisk.Faults{Lies: m.lies}
	m.disk.SetFaults(m.vices)
	m.disk.CrashAfter(m.rng.IntN(80))
	if err := m.open(); err != nil {
		return err
	}
	for !m.disk.Crashed() && m.log != nil && m.rng.IntN(300) > 0 {
		if err := m.step(); err != nil {
			return err
		}
	}
	m.log = nil
	if m.rng.IntN(4) == 0 && !m.disk.Crashed() {
		m.disk = m.disk.Restart()
	} else {
		m.disk = m.disk.Crash()
	}
	return nil
}

// open opens the log and compares.
func (m *model) open() error {
	var got []wal.Record
	log, report, err := wal.Open(m.config(), func(r wal.Record) error {
		r.Payload = bytes.Clone(r.Payload)
		got = append(got, r)
		return nil
	})
	if errors.Is(err, faultdisk.ErrCrashed) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	m.log = log
	if report.Torn {
		m.torn++
	}
	m.damage += len(report.Damage)
	if err := m.compare(got, report); err != nil {
		return err
	}
	if len(got) > 0 {
		m.previous, _ = serials(got[len(got)-1])
	}
	m.forgetFrom(log.Durable() + 1)
	m.acked = log.Durable()
	m.solid = min(m.solid, m.acked)
	m.dropped = min(m.dropped, m.acked+1)
	m.note()
	return nil
}

// compare holds what was delivered against what was appended.
func (m *model) compare(got []wal.Record, report wal.Report) error {
	if err := m.checkChain(got, report); err != nil {
		return err
	}
	must := m.acked
	if m.lies > 0 {
		must = m.solid
		m.acceptOlder(got)
	} else if i := slices.IndexFunc(report.Damage, m.isFalse); i >= 0 {
		return fmt.Errorf("an honest disk, and damage: %v; released up to %d", report.Damage[i], m.dropped)
	}
	highest := wal.Position(0)
	if len(got) > 0 {
		highest = got[len(got)-1].Position
	}
	if m.lies == 0 && len(got) > 0 && got[0].Position < m.gone {
		return fmt.Errorf("record %d comes again after it was released", got[0].Position)
	}
	i := 0
	for _, want := range m.appended {
		if i < len(got) && got[i].Position == want.Position {
			if got[i].Type != want.Type || !bytes.Equal(got[i].Payload, want.Payload) {
				return fmt.Errorf("record %d is not what was appended", want.Position)
			}
			i++
			continue
		}
		if want.Position < m.dropped || m.missed[want.Position] {
			continue
		}
		if want.Position <= must {
			return fmt.Errorf("record %d is lost; acknowledged up to %d, delivered up to %d", want.Position, must, highest)
		}
		if want.Position < highest && (m.lies == 0 || !reported(report, want.Position)) {
			return fmt.Errorf("record %d is missing before %d, which is there: %v", want.Position, highest, report.Damage)
		}
		m.missed[want.Position] = true
	}
	if i < len(got) {
		return fmt.Errorf("record %d was delivered but never appended, or twice, or out of order", got[i].Position)
	}
	return nil
}

// isFalse says whether an honest disk gives no reason for a damage. A full one
// may: what it makes give way was released. So may one that fails, if what it
// left cannot be told from damage.
func (m *model) isFalse(d wal.Damage) bool {
	return d.To > m.dropped && (d.From < d.To || !m.erred)
}

func reported(report wal.Report, p wal.Position) bool {
	for _, d := range report.Damage {
		if d.From <= p && p < d.To {
			return true
		}
	}
	return false
}

// forgetFrom drops what did not survive: its positions will be used again.
func (m *model) forgetFrom(p wal.Position) {
	for len(m.appended) > 0 && m.appended[len(m.appended)-1].Position >= p {
		m.appended = m.appended[:len(m.appended)-1]
	}
}

// acceptOlder lets a disk that lied go back in time: what it forgot never was,
// and what had its position before may come again.
func (m *model) acceptOlder(got []wal.Record) {
	now := make(map[wal.Position]wal.Record)
	for _, r := range m.appended {
		now[r.Position] = r
	}
	for _, r := range got {
		for _, was := range m.history[r.Position] {
			if was.Type == r.Type && bytes.Equal(was.Payload, r.Payload) {
				now[r.Position] = was
			}
		}
	}
	m.appended = m.appended[:0]
	for _, p := range slices.Sorted(maps.Keys(now)) {
		m.appended = append(m.appended, now[p])
	}
}

// checkChain holds the records to what each says of the one before it, so that
// two pasts are never mixed. What was missing once may be found again.
func (m *model) checkChain(got []wal.Record, report wal.Report) error {
	for i := 1; i < len(got); i++ {
		before, _ := serials(got[i-1])
		_, previous := serials(got[i])
		gap := slices.ContainsFunc(report.Damage, func(d wal.Damage) bool {
			return d.From <= got[i].Position && d.To > got[i-1].Position
		})
		if previous != before && !gap && !m.missed[got[i-1].Position] {
			return fmt.Errorf("record %d follows %d, but was appended after another", got[i].Position, got[i-1].Position)
		}
	}
	return nil
}

// serials returns a record's own number and that of the one before it.
func serials(r wal.Record) (own, previous uint64) {
	return binary.LittleEndian.Uint64(r.Payload), binary.LittleEndian.Uint64(r.Payload[8:])
}

// note remembers what even a lying disk must have.
func (m *model) note() {
	if m.lies > 0 && !m.disk.Dirty() {
		m.solid = m.acked
	}
}

// step does one random thing to the log.
func (m *model) step() error {
	switch n := m.rng.IntN(100); {
	case n < 70:
		return m.append()
	case n < 90:
		return m.sync(func(ctx context.Context) error { return m.log.Sync(ctx) })
	case n < 94:
		return m.release()
	default:
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
		return nil
	}
}

func (m *model) append() error {
	size := m.rng.IntN(60)
	if m.rng.IntN(20) == 0 {
		size = m.rng.IntN(7000)
	}
	payload := binary.LittleEndian.AppendUint64(make([]byte, 0, size+16), m.serial+1)
	payload = binary.LittleEndian.AppendUint64(payload, m.previous)
	for range size {
		payload = append(payload, byte(m.rng.Uint32()))
	}
	kind := byte(1 + m.rng.IntN(255))
	position, err := m.log.Append(kind, payload)
	if errors.Is(err, wal.ErrFull) {
		m.full++
		return nil
	}
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	m.serial++
	m.previous = m.serial
	delete(m.missed, position)
	r := wal.Record{Position: position, Type: kind, Payload: payload}
	m.appended = append(m.appended, r)
	if m.lies > 0 {
		m.history[position] = append(m.history[position], r)
	}
	return nil
}

func (m *model) release() error {
	if len(m.appended) == 0 {
		return nil
	}
	upTo := m.appended[m.rng.IntN(len(m.appended))].Position
	if upTo > m.acked {
		return nil
	}
	m.dropped = max(m.dropped, upTo)
	return m.sync(func(ctx context.Context) error {
		err := m.log.Release(ctx, upTo)
		if err == nil {
			m.gone = max(m.gone, upTo)
		}
		return err
	})
}

// sync takes an acknowledgement for what it is worth; a failure must be one
// that the disk's vices explain.
func (m *model) sync(do func(context.Context) error) error {
	last := wal.Position(0)
	if len(m.appended) > 0 {
		last = m.appended[len(m.appended)-1].Position
	}
	err := do(context.Background())
	switch {
	case err == nil:
		m.acked = max(m.acked, last, m.log.Durable())
		m.note()
		return nil
	case errors.Is(err, faultdisk.ErrCrashed),
		m.vices.Errors > 0 && errors.Is(err, disk.ErrIO),
		m.vices.FullAt > 0 && errors.Is(err, disk.ErrNoSpace),
		m.vices.ReadOnly && errors.Is(err, disk.ErrReadOnly):
		m.failedSyncs++
		m.acked = max(m.acked, m.log.Durable())
		return nil
	}
	return fmt.Errorf("sync: %w", err)
}
