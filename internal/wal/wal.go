package wal

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Position is a record's place in the log. The first is 1, and each is one more
// than the one before; a few are the log's own and are never seen.
type Position uint64

// Record is what Open delivers. Payload is valid until the callback returns.
type Record struct {
	Position Position
	Type     byte // the caller's, 1-255
	Payload  []byte
}

// What Append refuses.
var (
	// ErrFull means that Config.BufferBytes wait to become durable, because
	// nobody calls Sync or because it fails; it says why.
	ErrFull = errors.New("the log's memory is full; see why it cannot be written")
	// ErrTooLarge means that a record does not fit into a segment.
	ErrTooLarge = errors.New("the record is too large for the log")
	// ErrType means that a record has type 0, which is the log's own.
	ErrType = errors.New("record type 0 is the log's own; use 1-255")
	// ErrClosed means that the log is closed.
	ErrClosed = errors.New("the log is closed")
)

// Config is what a Log needs.
type Config struct {
	// FS must not be nil.
	FS disk.FS
	// Dir is the log's own directory in FS; it is made if it does not exist.
	Dir string
	// SegmentBytes is the size of new segments, a multiple of 4096 up to
	// 64 MiB; 0 means 1 MiB. A record can be 1036 bytes smaller, and 8 MiB.
	SegmentBytes int
	// BufferBytes is how much may wait in memory, with 12 bytes a record;
	// 0 means 4 MiB.
	BufferBytes int
	// Spares is how many released segments are kept to be written again, which
	// spares the disk the zeroes of new ones; 0 means 128, less than 0 none. Only
	// what the log once needed is ever kept.
	Spares int
	// Random is where ids come from; nil means crypto/rand.
	Random io.Reader
}

const (
	defaultSegmentBytes = 1 << 20
	defaultBufferBytes  = 4 << 20
	defaultSpares       = 128
)

// withDefaults fills in what was left 0 and refuses what cannot be.
func (c Config) withDefaults() (Config, error) {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = defaultSegmentBytes
	}
	if c.BufferBytes == 0 {
		c.BufferBytes = defaultBufferBytes
	}
	if c.Spares == 0 {
		c.Spares = defaultSpares
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.SegmentBytes < 0 || c.SegmentBytes > maxSegmentBytes || c.SegmentBytes%disk.BlockBytes != 0 {
		return c, fmt.Errorf("a log segment of %d bytes: use a multiple of %d up to %d", c.SegmentBytes, disk.BlockBytes, maxSegmentBytes)
	}
	return c, nil
}

// Log is an append log. Make one with Open. Its methods may be called from
// several goroutines; Append never waits for the disk.
type Log struct {
	cfg    Config
	id     ID
	life   uint64
	before []life // newest first

	// turn is held by whoever uses the disk, and guards the fields up to mu.
	turn   chan struct{}
	number uint64    // of the newest segment
	older  []segment // the ones before active, oldest first
	active *writing  // nil: the next batch begins a segment
	spares []string
	flying []byte // frames that are being written, or could not be
	batch  []byte // scratch

	mu         sync.Mutex
	pending    []byte // frames, after those that fly
	waiting    int    // bytes of both
	next       Position
	durable    Position // the last one
	checkpoint Position // the first one that is still needed
	closed     bool
}

// segment is a file of the log.
type segment struct {
	tag   tag
	first Position // of its first record
	size  int64    // of its file in bytes
}

// writing is the segment that batches go to.
type writing struct {
	segment
	f    disk.File
	seed uint32
	end  int // of the last batch
}

// ID returns the log's id, drawn when it was created.
func (l *Log) ID() ID {
	return l.id
}

// Durable returns the last durable record's position, 0 if there is none.
func (l *Log) Durable() Position {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.durable
}

// Waiting returns how many bytes wait in memory to become durable.
func (l *Log) Waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// Append takes a record, whose payload may be used again at once, and returns
// its position. It is durable when a later Sync returns nil. The error is
// ErrFull, ErrTooLarge, ErrType or ErrClosed, and then nothing was taken.
func (l *Log) Append(kind byte, payload []byte) (Position, error) {
	if kind == typeCheckpoint {
		return 0, ErrType
	}
	size := frameBytes + len(payload)
	if len(payload) > maxPayload || headerBytes+size > l.cfg.SegmentBytes {
		return 0, ErrTooLarge
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return 0, ErrClosed
	}
	if l.waiting+size > l.cfg.BufferBytes {
		return 0, ErrFull
	}
	return l.take(kind, payload), nil
}

// take appends without a limit. l.mu must be held.
func (l *Log) take(kind byte, payload []byte) Position {
	position := l.next
	l.pending = appendFrame(l.pending, position, kind, payload)
	l.waiting += frameBytes + len(payload)
	l.next++
	return position
}

// Sync makes everything durable that was appended before it was called. The
// error says why not (see package disk); nothing is lost by it, and the next
// Sync tries again. Once the disk has been asked, ctx no longer matters.
func (l *Log) Sync(ctx context.Context) error {
	l.mu.Lock()
	last := l.next - 1
	l.mu.Unlock()
	if err := l.takeTurn(ctx); err != nil {
		return err
	}
	defer l.endTurn()
	if l.Durable() >= last {
		return nil
	}
	return l.flush()
}

// Release says that the records below a position are not needed any more. Open
// will not deliver them again, and segments with nothing else are given up.
// It syncs.
func (l *Log) Release(ctx context.Context, upTo Position) error {
	if err := l.takeTurn(ctx); err != nil {
		return err
	}
	defer l.endTurn()
	l.mu.Lock()
	if upTo = min(upTo, l.next); upTo > l.checkpoint {
		l.checkpoint = upTo
		l.take(typeCheckpoint, binary.LittleEndian.AppendUint64(nil, uint64(upTo)))
	}
	l.mu.Unlock()
	if err := l.flush(); err != nil {
		return err
	}
	return l.giveUp(max(l.cfg.Spares, 0))
}

// Close syncs and closes the log. If it cannot be synced, it is closed
// nevertheless, and what waited is lost.
func (l *Log) Close(ctx context.Context) error {
	if err := l.takeTurn(ctx); err != nil {
		return err
	}
	defer l.endTurn()
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	err := l.flush()
	if l.active != nil {
		err = errors.Join(err, l.active.f.Close())
		l.active = nil
	}
	return err
}

// takeTurn waits for the disk. If it returns nil, endTurn must follow.
func (l *Log) takeTurn(ctx context.Context) error {
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.endTurn()
		return ErrClosed
	}
	return nil
}

func (l *Log) endTurn() {
	<-l.turn
}

// path returns a file's name in the FS.
func (l *Log) path(t tag, suffix string) string {
	return path.Join(l.cfg.Dir, t.base()+suffix)
}
