package faultdisk

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// ErrCrashed is what every operation returns from the crash on.
var ErrCrashed = errors.New("the power is cut")

// Faults are the disk's vices; the zero value has none.
type Faults struct {
	// Lies is the probability that Sync, Settle or SyncDir returns nil and
	// does nothing.
	Lies float64
	// Errors is the probability that an operation which changes something
	// fails with disk.ErrIO.
	Errors float64
	// FullAt is how many bytes all files together may have; 0 is no limit.
	FullAt int64
	// ReadOnly refuses every change with disk.ErrReadOnly.
	ReadOnly bool
}

// Stats count what the disk was asked to do.
type Stats struct {
	Operations int   // all that change something; each is a crash point
	Writes     int   // WriteAt
	Syncs      int   // File.Sync and Settle
	DirSyncs   int   // SyncDir
	Bytes      int64 // given to WriteAt
	// Blocks is how many blocks of disk.BlockBytes the syncs had to write,
	// those of Create's zeroes included, the file system's own not.
	Blocks int64
}

// Disk is a disk in memory. Make one with New. Its methods may be called from
// several goroutines, but only in a fixed order is a run repeatable.
type Disk struct {
	seed uint64

	mu      sync.Mutex
	rng     *rand.Rand
	faults  Faults
	stats   Stats
	crashAt int // the operation to crash at; 0 is none
	failAt  int // the operation to fail at; 0 is none
	crashed bool

	dirs    map[string]bool
	names   map[string]*inode // as the kernel has them
	durable map[string]*inode // as they are for sure after a power cut
	pending []naming          // from durable to names
}

var _ disk.FS = (*Disk)(nil)

// New makes an empty disk whose chances come from seed.
func New(seed uint64) *Disk {
	return &Disk{
		seed:    seed,
		rng:     rand.New(rand.NewPCG(seed, 0)),
		dirs:    map[string]bool{".": true},
		names:   make(map[string]*inode),
		durable: make(map[string]*inode),
	}
}

// Seed returns what New was given, also after crashes.
func (d *Disk) Seed() uint64 {
	return d.seed
}

// SetFaults replaces the disk's vices.
func (d *Disk) SetFaults(f Faults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = f
}

// CrashAfter lets n further operations happen. The one after that may take
// effect or not, and from it on everything fails with ErrCrashed.
func (d *Disk) CrashAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.crashAt = d.stats.Operations + n + 1
}

// FailAfter lets n further operations happen and fails the one after that with
// disk.ErrIO.
func (d *Disk) FailAfter(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.failAt = d.stats.Operations + n + 1
}

// Crashed says whether the power is cut.
func (d *Disk) Crashed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.crashed
}

// Stats returns the counts since New, crashes and restarts included.
func (d *Disk) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.stats
}

// Dirty says whether a power cut now could lose anything.
func (d *Disk) Dirty() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.pending) > 0 {
		return true
	}
	for _, n := range d.names {
		if n.dirty() {
			return true
		}
	}
	return false
}

// change does one operation that changes something: apply if all is well,
// botch, which may be nil, if the device fails in the middle of it.
func (d *Disk) change(op, name string, apply func() error, botch func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return ErrCrashed
	}
	d.stats.Operations++
	switch {
	case d.stats.Operations == d.crashAt:
		d.crashed = true
		if d.rng.IntN(2) == 0 {
			_ = apply() // nobody is there to hear how it went
		}
		return ErrCrashed
	case d.faults.ReadOnly:
		return failure(op, name, unix.EROFS)
	case d.stats.Operations == d.failAt, d.happens(d.faults.Errors):
		if botch != nil {
			botch()
		}
		return failure(op, name, unix.EIO)
	}
	return apply()
}

// happens draws whether something of this probability does.
func (d *Disk) happens(probability float64) bool {
	return probability > 0 && d.rng.Float64() < probability
}

// room returns how many bytes the files may grow by.
func (d *Disk) room() int64 {
	if d.faults.FullAt == 0 {
		return 1 << 40
	}
	var used int64
	for _, n := range d.names {
		used += int64(len(n.cache))
	}
	return max(0, d.faults.FullAt-used)
}

// failure is an error as package os would make it, classified.
func failure(op, name string, number unix.Errno) error {
	return disk.Classify(&fs.PathError{Op: op, Path: name, Err: number})
}
