// Package store is where the hub's memory outlives it: readings, devices,
// commands, and what the broker keeps for later subscribers.
//
// # Where things are
//
// Three things lie in a data directory:
//
//   - log, an append log (package wal). All that is taken goes there first, in
//     groups, every Config.SyncEvery and at once for what people and relays do.
//     A reading in the log is durable.
//   - chunks, a file or more for each month (package archive). When a UTC day
//     is over, each channel's readings of it become one compressed chunk there,
//     and the log lets go of them. Late readings make a newer version.
//   - smartmeter.db, the index: where chunks lie, what they add up to, devices
//     and commands, for queries and for the sqlite3 shell. It is a convenience:
//     when it is lost or damaged it is made again from the others.
//
// The readings of days that are not sealed yet are in memory, too, packed as
// they will be in their chunk.
//
// # What is promised
//
// What Sync has acknowledged, and every sample up to a watermark, survives
// kill -9 and power cuts, on a disk that keeps its word about flushing. On one
// that does not, what is lost was written within the disk's own window, and no
// value is ever wrong.
//
// When the disk refuses, is full or read-only, what was taken waits in memory,
// up to a limit, and is tried again; old readings are served all the while, and
// Check says what is wrong. Nothing taken is forgotten while the process lives.
//
// A sample is kept once, however often and in whatever order it comes. Its time
// is fixed when it first becomes durable. Until anybody knows the time, readings
// are kept by the machine's uptime, in the log, and get their time later.
//
// A directory belongs to one process at a time; a second one is refused.
package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
	"golang.org/x/sys/unix"
)

// Config is what a Store needs.
type Config struct {
	// Dir is the data directory; it is made if it does not exist.
	Dir string
	// FS is where log and monthly files lie; nil means in Dir.
	FS disk.FS
	// SyncEvery bounds how long a reading waits in memory; 0 means 10 s.
	SyncEvery time.Duration
	// Now tells which day it is; nil means time.Now.
	Now func() time.Time
	// Rebuild has the database made again from the log and the monthly files,
	// which takes a while and loses nothing.
	Rebuild bool
	// Logger must not be nil.
	Logger *slog.Logger

	// segmentBytes is how large the log's files are; 0 means as package wal has
	// them. Tests have smaller ones.
	segmentBytes int
	// random is where ids are drawn from; nil means crypto/rand. Tests that can
	// be repeated have their own.
	random io.Reader
	// trial is a directory in which the database is to lie, "" for Dir: what
	// becomes of the files of FS is tried out, and Dir is left alone.
	trial string
	// locked says that who opens it has the directory's lock.
	locked bool
	// progress, unless it is nil, is told of bytes of the monthly files that were
	// read one after the other.
	progress func(bytes int)
}

const (
	defaultSyncEvery = 10 * time.Second
	databaseName     = "smartmeter.db"
	lockName         = "smartmeter.lock"
	logDir           = "log"
	chunkDir         = "chunks"
)

// Store keeps measurements and settings in a directory. Make one with Open.
type Store struct {
	log     *slog.Logger
	now     func() time.Time
	dir     string
	segment int       // see Config.segmentBytes
	random  io.Reader // see Config.random
	site    chunk.ID
	close   []func() error // what Open has opened, last first

	files   disk.FS
	wal     *wal.Log
	archive *archive.Archive
	index   *index
	readers sync.Pool // of *dayReader
	old     bool      // the index has what the store's first form has kept
	rebuild bool      // the index, see Config.Rebuild
	unclean bool      // the last stop was not in peace

	trial    string // see Config.trial
	progress func(bytes int)
	met      met

	// writing is held by whoever moves what waits into the log.
	writing gate
	// sealing is held by whoever changes the monthly files or packs memory.
	// It is taken before writing.
	sealing gate
	sealer  sealer

	mu       sync.Mutex // guards what memory holds: everything below
	channels map[channelID]*channel
	byUID    map[chunk.ID]*channel
	keys     channelKey // the highest of a channel in the index
	devices  map[smartmeter.DeviceID]smartmeter.Device
	retained map[string]smartmeter.Message

	// What waits for the log, in order: entries first.
	entries []entry
	dirty   []*channel // those with readings that wait
	waiting int        // readings
	// What is in the log and not durable yet.
	flying []*boot
	// What is in the log and not in the index, or not in the monthly files, yet.
	unindexed []entry
	journal   []journalEntry
	// Boots whose watermark rose since somebody asked.
	risen []*boot
	// unplaced are the readings whose time is not known, unlogged those of them
	// in line for the log.
	unplaced map[unplacedID]*unplaced
	unlogged []unplacedID
	// heldLog is the first record of the log that is kept until all that waits is
	// in the log; 0 if none is.
	heldLog wal.Position
	// erasures are those that are in the log and not finished, in order.
	erasures []erasing

	// corrections is the journal of energy in order, and revision counts how
	// often it became another one. The slice is replaced, never changed.
	corrections []smartmeter.Correction
	revision    uint64

	writeErr, indexErr, sealErr, energyErr, damageErr error // why the last try failed; nil when all is well

	wake  chan struct{}
	stop  context.CancelFunc
	ended sync.WaitGroup
}

// met is what was not as it should be when the store was opened.
type met struct {
	archive archive.Report
	log     wal.Report
	// unusable are places in the monthly files with something that nobody here
	// can read, and why.
	unusable []string
	nameless int // readings of the log whose channel has no name
}

// journalEntry is an entry of the log that belongs in the monthly files.
type journalEntry struct {
	position wal.Position
	entry    entry
}

// Open opens the store in a directory, or makes it, and finds everything again
// that was acknowledged. It refuses a directory that another process has open.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := openStill(ctx, cfg)
	if err != nil {
		return nil, err
	}
	every := cfg.SyncEvery
	if every == 0 {
		every = defaultSyncEvery
	}
	run, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.ended.Go(func() { s.runSync(run, every) })
	s.ended.Go(func() { s.runSeal(run, every) })
	s.ended.Go(func() { s.runEnergy(run, every) })
	s.ended.Go(func() { s.runCheck(run, every) })
	return s, nil
}

// openStill opens a store that does nothing by itself. Damage of the database
// that is met on the way has it begin anew, with another one.
func openStill(ctx context.Context, cfg Config) (*Store, error) {
	s, err := openOnce(ctx, cfg)
	if !errors.Is(err, errIndexBroken) {
		return s, err
	}
	if err := condemn(cfg.Dir); err != nil {
		return nil, err
	}
	return openOnce(ctx, cfg)
}

func openOnce(ctx context.Context, cfg Config) (*Store, error) {
	s := newStore(cfg)
	if err := s.open(ctx, cfg); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	return s, nil
}

func newStore(cfg Config) *Store {
	s := &Store{
		log:      cfg.Logger,
		now:      cfg.Now,
		dir:      cfg.Dir,
		segment:  cfg.segmentBytes,
		random:   cfg.random,
		rebuild:  cfg.Rebuild,
		trial:    cfg.trial,
		progress: cfg.progress,
		channels: make(map[channelID]*channel),
		byUID:    make(map[chunk.ID]*channel),
		devices:  make(map[smartmeter.DeviceID]smartmeter.Device),
		retained: make(map[string]smartmeter.Message),
		unplaced: make(map[unplacedID]*unplaced),
		writing:  make(gate, 1),
		sealing:  make(gate, 1),
		wake:     make(chan struct{}, 1),
		stop:     func() {},
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.progress == nil {
		s.progress = func(int) {}
	}
	return s
}

// open finds again what an earlier life has left: first what is sealed, then
// what the log has beyond that.
func (s *Store) open(ctx context.Context, cfg Config) error {
	if err := s.takeDir(cfg.locked || cfg.trial != ""); err != nil {
		return err
	}
	fs := cfg.FS
	if fs == nil {
		dir, err := disk.OpenDir(cfg.Dir)
		if err != nil {
			return fmt.Errorf("open the data directory: %w", err)
		}
		s.close = append(s.close, dir.Close)
		fs = dir
	}
	s.files = fs
	for _, step := range []func(context.Context, disk.FS) error{
		s.openSite, s.openArchive, s.openIndex, s.openLog, s.takeOver,
	} {
		if err := step(ctx, fs); err != nil {
			return err
		}
	}
	return nil
}

// takeDir makes the directory and keeps others out, unless somebody has.
func (s *Store) takeDir(taken bool) error {
	if taken {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	f, err := lockDir(s.dir, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	s.close = append(s.close, f.Close)
	return nil
}

// ErrInUse means that a process has the data directory open.
var ErrInUse = errors.New("in use by another smartmeter")

// lockDir takes a directory's lock, which the kernel drops when the file is
// closed or the process ends, however it ends.
func lockDir(dir string, how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), how, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data directory's lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the data directory %s is %w; stop that one or choose another with --data", dir, ErrInUse), f.Close())
	}
	return f, nil
}

// runSync makes what waits durable, on a beat and when woken.
func (s *Store) runSync(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		_ = s.Sync(ctx) // it says so in the log, and Check does
	}
}

// Close makes everything durable and releases the directory.
func (s *Store) Close() error {
	s.stop()
	s.ended.Wait()
	return errors.Join(s.Sync(context.Background()), s.closeFiles())
}

func (s *Store) closeFiles() error {
	var errs []error
	for i := len(s.close) - 1; i >= 0; i-- {
		errs = append(errs, s.close[i]())
	}
	return errors.Join(errs...)
}

// Check says what is wrong with the disk; nil if the last write of each kind
// went well.
func (s *Store) Check(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.writeErr, s.indexErr, s.sealErr, s.energyErr, s.damageErr)
}

// note keeps why a kind of write fails in *what, and says so once.
func (s *Store) note(what *error, err error, failing, well string) {
	s.mu.Lock()
	before := *what
	*what = err
	s.mu.Unlock()
	switch {
	case err != nil && before == nil:
		s.log.Error(failing, "err", err)
	case err == nil && before != nil:
		s.log.Info(well)
	}
}

// gate is a lock that one need not wait for for ever: a disk may hang.
type gate chan struct{}

func (g gate) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case g <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the data directory is busy: %w", ctx.Err())
	}
}

func (g gate) unlock() { <-g }
