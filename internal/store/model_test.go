package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
)

// house drives a store through lives that end in power cuts, and holds what it
// answers against plain lists of what it was given.
type house struct {
	tally

	rng   *rand.Rand
	ids   io.Reader
	disk  *faultdisk.Disk
	lies  float64
	vices faultdisk.Faults
	dir   string
	now   time.Time
	s     *Store

	nodes    []*modelNode
	retained map[string]*cell[string]
	boots    uint32
	serial   int
	database []databaseFile // an earlier copy of it
	// torn says that a part of the database was cut off, tornCopy that of its copy.
	torn, tornCopy bool
	trace          []string
}

// modelNode is a node with one channel, its device, and all that was ever
// measured with it. What came before an erasure that was not acknowledged may
// come back, so it has pasts.
type modelNode struct {
	id       smartmeter.NodeID
	numbered bool // protocol 1
	boot     smartmeter.BootID
	seq      uint32
	pasts    []*past // the last one is the present
}

// past is what a store must know of a node, unless it was erased.
type past struct {
	given []smartmeter.Reading // each once, in the order in which they were taken
	taken map[sampleID]bool
	acked int // so many of given are durable
	solid int // so many are, also on a disk that lies
	// doomed are what an erasure was to take from a disk that lies.
	doomed map[sampleID]bool

	device   cell[*smartmeter.Device]
	commands map[string]*cell[*smartmeter.Command]
	ever     map[sampleID][]smartmeter.Reading // all that was ever given, whatever became of it
}

type sampleID struct {
	boot smartmeter.BootID
	seq  uint32
	at   smartmeter.Instant // of samples without a number
}

// cell is one thing that is replaced, and what a reader may find of it: the
// acknowledged state, or any newer one. Index 0 is acknowledged.
type cell[T any] struct {
	states []T
	ever   []T
}

func newHouse(seed uint64, lies float64, dir string) *house {
	m := &house{
		rng: rand.New(rand.NewPCG(seed, 1)), ids: rand.NewChaCha8([32]byte(binary.LittleEndian.AppendUint64(make([]byte, 24), seed))), disk: faultdisk.New(seed), lies: lies, dir: dir,
		now: time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC), retained: make(map[string]*cell[string]),
	}
	for i := range 4 {
		n := &modelNode{id: smartmeter.NodeID(fmt.Sprintf("node-%c", 'a'+i)), numbered: i < 3}
		n.pasts = []*past{newPast()}
		m.reboot(n)
		m.nodes = append(m.nodes, n)
	}
	for i := range 3 {
		m.retained[fmt.Sprintf("dev/%d", i)] = &cell[string]{states: []string{""}, ever: []string{""}}
	}
	return m
}

func newPast() *past {
	return &past{
		taken:    make(map[sampleID]bool),
		device:   cell[*smartmeter.Device]{states: []*smartmeter.Device{nil}, ever: []*smartmeter.Device{nil}},
		commands: make(map[string]*cell[*smartmeter.Command]),
		ever:     make(map[sampleID][]smartmeter.Reading),
	}
}

// set replaces what a cell holds; it is not acknowledged.
func (c *cell[T]) set(v T) {
	c.states, c.ever = append(c.states, v), append(c.ever, v)
}

// acknowledge makes the newest state the only one that may be found.
func (c *cell[T]) acknowledge() { c.states = c.states[len(c.states)-1:] }

func (c *cell[T]) newest() T { return c.states[len(c.states)-1] }

func (n *modelNode) present() *past { return n.pasts[len(n.pasts)-1] }

// life opens the store, checks what it answers, works with it, and cuts the
// power or, at times, only kills the process or ends it in peace.
func (m *house) life(ctx context.Context) error {
	m.lives++
	if len(m.trace) > 60 {
		m.trace = m.trace[30:]
	}
	m.note("\nlife %d:", m.lives)
	m.vices = faultdisk.Faults{Lies: m.lies}
	if m.rng.IntN(12) == 0 {
		m.vices.ReadOnly = true
	}
	m.disk.SetFaults(m.vices)
	m.disk.CrashAfter(m.rng.IntN(120))
	err := m.open(ctx)
	for err == nil && m.s != nil && !m.disk.Crashed() && m.rng.IntN(150) > 0 {
		err = m.step(ctx)
	}
	if err != nil && !m.condemned(ctx, err) {
		return fmt.Errorf("%w\nlately: %v", err, m.trace)
	}
	return m.end()
}

// condemned says whether an error is that of a database of which a part was cut
// off. The store must know that it is to be made again.
func (m *house) condemned(ctx context.Context, err error) bool {
	if !m.torn || !errors.Is(err, errIndexBroken) || m.s == nil || !m.s.checkIndex(ctx, false) {
		return false
	}
	m.damaged++
	return true
}

// open opens the store and compares all that it answers. A cut in the midst of
// it is one more cut.
func (m *house) open(ctx context.Context) error {
	if err := m.unsettleIfErasing(); err != nil {
		return err
	}
	before := m.hasDatabase()
	s, err := openStill(ctx, m.config(false))
	if err != nil {
		m.failedOpens++
		if m.excused(err) {
			return nil
		}
		return fmt.Errorf("open: %w", err)
	}
	m.s = s
	if !before {
		m.rebuilt++
	}
	if m.disk.Crashed() {
		return nil // while it went on with an erasure
	}
	return m.compare(ctx, true)
}

func (m *house) config(rebuild bool) Config {
	return Config{
		Dir: m.dir, FS: m.disk, Now: func() time.Time { return m.now }, Rebuild: rebuild, Logger: logger(),
		segmentBytes: 64 << 10, random: m.ids,
	}
}

// logger says what the store says when a run is repeated.
func logger() *slog.Logger {
	if *seed == 0 {
		return slog.New(slog.DiscardHandler)
	}
	return slog.Default()
}

// end ends a life: with the power, with the process alone, or in peace.
func (m *house) end() error {
	var err error
	if m.s != nil && !m.disk.Crashed() && m.rng.IntN(6) == 0 {
		m.restarts++
		if err = m.s.Sync(context.Background()); err == nil {
			m.acknowledge()
		} else if m.excused(err) {
			err = nil
		}
	}
	kept := m.readDatabase() // as it is on the disk before anybody closes it
	if m.rng.IntN(3) == 0 && !m.disk.Crashed() {
		m.restarts++
		m.disk = m.disk.Restart()
		m.note("restart")
	} else {
		m.disk = m.disk.Crash()
	}
	if m.s != nil {
		_ = m.s.closeFiles() // of the disk that is gone
		m.s = nil
	}
	m.writeDatabase(kept)
	m.harmDatabase()
	return err
}

// excused says whether an error is one that the disk's vices explain.
func (m *house) excused(err error) bool {
	return errors.Is(err, faultdisk.ErrCrashed) ||
		m.vices.Errors > 0 && errors.Is(err, disk.ErrIO) ||
		m.vices.FullAt > 0 && errors.Is(err, disk.ErrNoSpace) ||
		m.vices.ReadOnly && errors.Is(err, disk.ErrReadOnly)
}

func (m *house) note(what string, args ...any) {
	m.trace = append(m.trace, fmt.Sprintf(what, args...))
}
