// Package store is where the hub's memory outlives it: readings, devices,
// commands, and what the broker keeps for later subscribers.
//
// This is its first form: one SQLite database with a row for every reading.
// It is correct and simple; a log and sealed chunks that are kinder to an SD
// card take its place behind the same methods.
//
// Writes are taken into memory at once and become durable together, at the
// latest after Config.SyncEvery, at once for commands; Sync waits for it.
// Every query sees all that was written before it, and makes it durable first,
// so whatever a query returned survives a crash. When the disk refuses, writes
// wait in memory, up to a limit, and are tried again: nothing taken is
// forgotten while the process lives, and Check says what is wrong.
//
// A directory belongs to one process at a time; a second one is refused.
package store

import (
	"context"
	"crypto/rand"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Config is what a Store needs.
type Config struct {
	// Dir is the data directory; it is made if it does not exist.
	Dir string
	// SyncEvery bounds how long a reading waits in memory; 0 means 2 s.
	SyncEvery time.Duration
	// Logger must not be nil.
	Logger *slog.Logger
}

const (
	defaultSyncEvery = 2 * time.Second
	readers          = 4
	databaseName     = "smartmeter.db"
	lockName         = "smartmeter.lock"
	// applicationID marks the file as ours for sqlite and file(1): "SMtr".
	applicationID = 0x534d7472
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store keeps measurements and settings in a directory. Make one with Open.
type Store struct {
	log  *slog.Logger
	lock *os.File
	pool *sqlitex.Pool // for queries

	writing  gate // guards writer and channels
	writer   *sqlite.Conn
	channels map[channelID]int64 // -> channel.key

	mu      sync.Mutex // guards waiting
	waiting batch

	wake  chan struct{}
	stop  context.CancelFunc
	ended chan struct{}
}

// Open opens the store in a directory and brings its database up to date.
// It refuses a directory that another process has open.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data directory: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		log:      cfg.Logger,
		lock:     lock,
		channels: make(map[channelID]int64),
		waiting:  newBatch(),
		writing:  make(gate, 1),
		wake:     make(chan struct{}, 1),
		ended:    make(chan struct{}),
	}
	if err := s.openDatabase(ctx, filepath.Join(cfg.Dir, databaseName)); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	run, stop := context.WithCancel(context.Background())
	s.stop = stop
	every := cfg.SyncEvery
	if every == 0 {
		every = defaultSyncEvery
	}
	go s.run(run, every)
	return s, nil
}

// lockDir takes the directory's lock, which the kernel drops when the process
// ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the data directory's lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("the data directory %s is in use by another smartmeter; stop that one or choose another with --data", dir), f.Close())
	}
	return f, nil
}

func (s *Store) openDatabase(ctx context.Context, path string) error {
	schema, err := loadSchema()
	if err != nil {
		return err
	}
	if err := keepPrivate(path); err != nil {
		return err
	}
	s.writer, err = sqlite.OpenConn(path)
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if err := prepare(s.writer); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	if err := sqlitemigration.Migrate(ctx, s.writer, schema); err != nil {
		return fmt.Errorf("bring %s up to date: %w", path, err)
	}
	if err := sqlitex.Execute(s.writer, `INSERT OR IGNORE INTO setting (name, value) VALUES ('site', ?), ('log', ?)`,
		&sqlitex.ExecOptions{Args: []any{rand.Text(), rand.Text()}}); err != nil {
		return fmt.Errorf("name the site: %w", err)
	}
	s.pool, err = sqlitex.NewPool(path, sqlitex.PoolOptions{PoolSize: readers, PrepareConn: prepare})
	return err
}

// keepPrivate makes the database before SQLite does, readable to its owner
// alone: when a house uses power tells when nobody is in. SQLite's other files
// follow its mode.
func keepPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// prepare sets what SQLite forgets between connections. FULL makes a commit
// survive a power cut, not only a crash.
func prepare(conn *sqlite.Conn) error {
	for _, pragma := range []string{
		"PRAGMA synchronous = FULL",
		"PRAGMA foreign_keys = ON",
		"PRAGMA busy_timeout = 5000",
	} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return err
		}
	}
	return nil
}

// loadSchema reads the numbered migrations, which are only ever added to.
func loadSchema() (sqlitemigration.Schema, error) {
	schema := sqlitemigration.Schema{AppID: applicationID}
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return schema, err
	}
	for _, name := range names { // Glob sorts
		script, err := migrations.ReadFile(name)
		if err != nil {
			return schema, err
		}
		schema.Migrations = append(schema.Migrations, string(script))
	}
	return schema, nil
}

// run makes waiting writes durable, on a beat and when woken.
func (s *Store) run(ctx context.Context, every time.Duration) {
	defer close(s.ended)
	tick := time.NewTicker(every)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.wake:
		}
		err := s.Sync(ctx)
		if err != nil && !failing {
			s.log.Error("cannot write to the data directory; readings wait in memory", "err", err)
		}
		if err == nil && failing {
			s.log.Info("the data directory takes writes again")
		}
		failing = err != nil
	}
}

// Close makes everything durable and releases the directory.
func (s *Store) Close() error {
	s.stop()
	<-s.ended
	err := s.Sync(context.Background())
	return errors.Join(err, s.closeFiles())
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.pool != nil {
		errs = append(errs, s.pool.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}
