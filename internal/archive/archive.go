package archive

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"sync"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Kind says what a payload is. It is the caller's, 1-255.
type Kind byte

// Place names one frame of an archive. Places can be compared and kept; only
// Rewrite and Remove end one's life.
type Place struct {
	Month  Month
	Part   uint32
	Offset int64 // in the part's file, in bytes
	Length int32 // of the payload, in bytes
}

func (p Place) String() string {
	return fmt.Sprintf("%s at byte %d", fileName(p.Month, p.Part), p.Offset)
}

// Frame is what Scan and Rewrite deliver. Payload is valid until the callback
// returns.
type Frame struct {
	Place   Place
	Kind    Kind
	Payload []byte
}

var (
	// ErrKind means that Append was given kind 0.
	ErrKind = errors.New("kind 0 is no kind; use 1-255")
	// ErrMonth means that a month is before 1970 or after 9999.
	ErrMonth = errors.New("the month is before 1970 or after 9999; check the clock")
	// ErrTooLarge means that a payload is larger than MaxPayload.
	ErrTooLarge = errors.New("the payload is larger than 16 MiB; divide it")
	// ErrFull means that Config.BufferBytes wait for Sync, because nobody calls
	// it or because it fails; it says why.
	ErrFull = errors.New("too much waits to be archived; sync first")
	// ErrMissing means that there is no frame at a place: it was rewritten,
	// removed, or lost with its file. Look its new place up.
	ErrMissing = errors.New("the archive has no such frame")
	// ErrDamaged means that a frame is not what was written.
	ErrDamaged = errors.New("the frame is damaged")
	// ErrClosed means that the archive is closed.
	ErrClosed = errors.New("the archive is closed")
)

// Config is what an Archive needs.
type Config struct {
	// FS must not be nil.
	FS disk.FS
	// Dir is the archive's own directory in FS; it is made if it does not exist.
	Dir string
	// Site is written to every file. Files of another site are left alone.
	Site [16]byte
	// BufferBytes is how much may wait for Sync in memory; 0 means 16 MiB.
	BufferBytes int
	// Random is where the ids of files come from; nil means crypto/rand.
	Random io.Reader
}

const defaultBufferBytes = 16 << 20

// Archive is a directory of monthly files. Make one with Open. Its methods may
// be called from several goroutines. Read and Append never wait for what the
// others do to the disk; those wait for each other.
type Archive struct {
	cfg Config

	// turn is held by whoever writes or scans. months and all below it is only
	// changed by its holder, who then also holds mu.
	turn   chan struct{}
	flying []entry // what is being written, or could not be; the holder's, too

	mu      sync.Mutex
	months  map[Month]*month
	pending []entry // after those that fly
	waiting int     // bytes of the payloads of both
	closed  bool
}

// month is what an archive has of a month.
type month struct {
	month   Month
	parts   []*part  // those that count, oldest first
	void    []string // files that do not count, to be removed
	blank   []string // files that never became parts, and may count for nothing
	damage  []Damage // what Open found, for the report
	torn    []Damage
	highest uint32 // number in use, whether it counts or not
}

// entry is a payload that waits for Sync.
type entry struct {
	month   Month
	kind    Kind
	payload []byte
	place   Place // where it was written
	durable bool
}

// Append takes a payload, which may be used again at once. It is in the archive
// when a later Sync returns nil. The error is ErrKind, ErrMonth, ErrTooLarge,
// ErrFull or ErrClosed, and then nothing was taken.
func (a *Archive) Append(m Month, k Kind, payload []byte) error {
	switch {
	case k == 0:
		return ErrKind
	case !m.valid():
		return ErrMonth
	case len(payload) > MaxPayload:
		return ErrTooLarge
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return ErrClosed
	}
	if a.waiting+len(payload) > a.cfg.BufferBytes {
		return ErrFull
	}
	a.pending = append(a.pending, entry{month: m, kind: k, payload: bytes.Clone(payload)})
	a.waiting += len(payload)
	return nil
}

// Months returns the months that have files, oldest first.
func (a *Archive) Months() []Month {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.DeleteFunc(sortedKeys(a.months), func(m Month) bool { return a.months[m].last() == nil })
}

// Bytes returns how much the files of the given months take up, or those of all
// months if none is given.
func (a *Archive) Bytes(months ...Month) int64 {
	if len(months) == 0 {
		months = a.Months()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var sum int64
	for _, m := range months {
		if state := a.months[m]; state != nil {
			for _, p := range state.parts {
				sum += p.size
			}
		}
	}
	return sum
}

// Close ends the archive's use. What waits for Sync is forgotten.
func (a *Archive) Close() error {
	if err := a.takeTurn(context.Background()); err != nil {
		return err
	}
	defer a.endTurn()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.pending, a.flying = nil, nil
	return nil
}

// takeTurn waits for the disk. If it returns nil, endTurn must follow.
func (a *Archive) takeTurn(ctx context.Context) error {
	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		a.endTurn()
		return ErrClosed
	}
	return nil
}

func (a *Archive) endTurn() {
	<-a.turn
}

// change changes what Read looks at. The turn must be held.
func (a *Archive) change(do func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	do()
}

// path returns a file's name in the FS.
func (a *Archive) path(name string) string {
	return path.Join(a.cfg.Dir, name)
}

// withDefaults fills in what was left 0.
func (c Config) withDefaults() Config {
	if c.BufferBytes == 0 {
		c.BufferBytes = defaultBufferBytes
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	return c
}

// sortedKeys returns a map's keys in order, so that equal directories lead to
// equal work.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
