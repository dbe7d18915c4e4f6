package store

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/archive"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"
)

// index is where things lie and what they add up to: a SQLite database beside
// the log and the monthly files.
//
// Nothing in it is the only copy. The log and the monthly files are the truth,
// so a database that a card has destroyed is thrown away and made again; that
// is what errIndexBroken asks for, from openIndex and from every later call
// that comes upon damage.
//
// It is written by apply alone: once per seal, per human action and per
// replay, never on a beat. A change is there whole or not at all, is durable
// when apply returns, and changes nothing when it is applied again.
//
// What has been erased is gone from its files, too: SQLite overwrites what it
// deletes, and the write-ahead log is emptied.
//
// All methods may be called at the same time. Reads see what apply had finished
// when they began. A loop over a read holds one of few connections and a view of
// that moment: its body must not read from the index itself, nor take long.
type index struct {
	log    *slog.Logger
	writer *sqlitex.Pool // of one connection
	reader *sqlitex.Pool
	// unclean says that erased bytes may be left in the write-ahead log. It
	// belongs to who holds the writer.
	unclean bool
	broken  atomic.Pointer[error] // what was found to be damaged first
}

var (
	// errIndexBroken says that the database cannot be used and is to be made
	// again from the log and the monthly files.
	errIndexBroken = errors.New("the index is damaged and has to be made again")
	// errIndexNewer says that the database is intact and not ours to touch.
	errIndexNewer = errors.New("the database was written by a newer version of smartmeter; update this one to open it")
	// errIndexForeign says that the file belongs to another program.
	errIndexForeign = errors.New("the database belongs to another program; move it out of the data directory")
	// errNotYetScrubbed says that a change was applied, but that the
	// write-ahead log still holds what it erased, because of a query that
	// takes long. The next apply tries again, and so does close.
	errNotYetScrubbed = errors.New("what was erased is still in the database's write-ahead log")
)

// channelKey is the small number that stands for a channel in the index.
type channelKey int64

type channelRow struct {
	key     channelKey
	uid     chunk.ID // all zero if it has not been given one yet
	node    smartmeter.NodeID
	channel uint8
}

// place names a frame of the monthly files: the month since January 1970, its
// part, and the bytes in it. A place is never used again for another frame.
type place struct {
	month  int32
	part   uint32
	offset int64
	length int32
}

func placeOf(p archive.Place) place {
	return place{month: int32(p.Month), part: p.Part, offset: p.Offset, length: p.Length}
}

func (p place) archived() archive.Place {
	return archive.Place{Month: archive.Month(p.month), Part: p.part, Offset: p.offset, Length: p.length}
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.month, q.month), cmp.Compare(p.part, q.part), cmp.Compare(p.offset, q.offset))
}

// chunkRow is a sealed day and where it lies.
type chunkRow struct {
	channel     channelKey
	day         chunk.Day
	version     uint32
	place       place
	count       int
	first, last smartmeter.Instant
	hash        [32]byte
	quantities  smartmeter.Quantities
}

// sumsRow is what a channel's day adds up to, as internal/rollup packs it.
type sumsRow struct {
	channel channelKey
	day     chunk.Day
	packed  []byte
}

type latestRow struct {
	channel channelKey
	reading smartmeter.Reading
}

// bootSpan says that the samples first to last of a boot are kept. A boot has
// several where there are gaps. lastAt is the time of the last one.
type bootSpan struct {
	channel     channelKey
	boot        smartmeter.BootID
	first, last uint32
	lastAt      smartmeter.Instant
}

// monthSize is how much the index knows to be in a month's files.
type monthSize struct {
	month  int32 // since January 1970
	chunks int
	bytes  int64
}

// changeRow says that something exportable is new, or has a new version.
type changeRow struct {
	seq     int64
	kind    string // "chunk", "sums" or "command"
	key     string // "<uid>/<date>" of a chunk or sums, a command's id
	version int64
}

const (
	indexReaders = 4
	// indexPageBytes is how large SQLite makes the pages of a new database.
	indexPageBytes = 4096
	// indexApplicationID marks the file as ours for sqlite and file(1): "SMtr".
	indexApplicationID = 0x534d7472
)

//go:embed migrations/*.sql
var indexScripts embed.FS

// openIndex opens the database at path, makes it if there is none, and brings
// it up to date. The error is errIndexBroken if it has to be made again, and
// errIndexNewer or errIndexForeign if it must be left alone.
func openIndex(ctx context.Context, path string, log *slog.Logger) (*index, error) {
	x := &index{log: log}
	if err := x.open(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), x.close())
	}
	return x, nil
}

func (x *index) open(ctx context.Context, path string) error {
	if err := makePrivate(path); err != nil {
		return err
	}
	if err := wholePages(path); err != nil {
		return err
	}
	var err error
	x.writer, err = sqlitex.NewPool(path, sqlitex.PoolOptions{PoolSize: 1, PrepareConn: prepareWriter})
	if err != nil {
		return because(ctx, err)
	}
	if err := x.migrate(ctx); err != nil {
		return because(ctx, err)
	}
	x.reader, err = sqlitex.NewPool(path, sqlitex.PoolOptions{PoolSize: indexReaders, PrepareConn: prepareReader})
	return because(ctx, err)
}

// makePrivate makes the database before SQLite does, readable to its owner
// alone: when a house uses power tells when nobody is in. SQLite's other files
// follow its mode.
func makePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

// prepareWriter sets what SQLite forgets between connections. FULL makes a
// commit survive a power cut, not only a crash; secure_delete overwrites what is
// deleted. Caches are small, as a small machine is enough for this.
func prepareWriter(conn *sqlite.Conn) error {
	return pragmas(conn, "busy_timeout = 5000", "synchronous = FULL", "secure_delete = ON", "foreign_keys = ON",
		"temp_store = MEMORY", "cache_size = -2000", "journal_size_limit = 4194304")
}

func prepareReader(conn *sqlite.Conn) error {
	return pragmas(conn, "busy_timeout = 5000", "query_only = ON", "temp_store = MEMORY", "cache_size = -500")
}

func pragmas(conn *sqlite.Conn, settings ...string) error {
	for _, s := range settings {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+s, nil); err != nil {
			return fmt.Errorf("set %s: %w", s, err)
		}
	}
	return nil
}

// migrate brings the database up to date, and finishes an erasure that a power
// cut had interrupted.
func (x *index) migrate(ctx context.Context) error {
	conn, err := x.writer.Take(ctx)
	if err != nil {
		return err
	}
	defer x.writer.Put(conn)
	schema, err := indexSchema()
	if err != nil {
		return err
	}
	if err := identify(conn, len(schema.Migrations)); err != nil {
		return err
	}
	if err := sqlitemigration.Migrate(ctx, conn, schema); err != nil {
		return err
	}
	if err := missing(conn); err != nil {
		return err
	}
	err = emptyLog(conn)
	x.unclean = errors.Is(err, errNotYetScrubbed)
	if x.unclean {
		return nil // somebody looks into the database; a later apply does it
	}
	return err
}

// wholePages returns errIndexBroken if the database ends within a page. SQLite
// takes what is missing there for zeroes, and rows for none, without a word. Only
// with a write-ahead log that is all right: what a power cut left of a page, that
// has whole.
func wholePages(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size()%indexPageBytes == 0 {
		return err
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		return nil
	}
	return fmt.Errorf("%w: a part of its last page is missing", errIndexBroken)
}

// indexSchema reads the numbered migrations, which are only ever added to.
func indexSchema() (sqlitemigration.Schema, error) {
	schema := sqlitemigration.Schema{AppID: indexApplicationID}
	names, err := fs.Glob(indexScripts, "migrations/*.sql")
	if err != nil {
		return schema, err
	}
	for _, name := range names { // Glob sorts
		script, err := indexScripts.ReadFile(name)
		if err != nil {
			return schema, err
		}
		schema.Migrations = append(schema.Migrations, string(script))
	}
	return schema, nil
}

// identify refuses a database that is not ours, or not yet.
func identify(conn *sqlite.Conn, known int) error {
	tables, err := number(conn, `SELECT count(*) FROM sqlite_schema`)
	if err != nil || tables == 0 {
		return err
	}
	application, err := number(conn, `PRAGMA application_id`)
	if err != nil {
		return err
	}
	version, err := number(conn, `PRAGMA user_version`)
	switch {
	case err != nil:
		return err
	case application != indexApplicationID:
		return errIndexForeign
	case version > int64(known):
		return errIndexNewer
	}
	return nil
}

// missing returns an error if a table of the index is not there although the
// database claims to be up to date.
func missing(conn *sqlite.Conn) error {
	for table := range strings.FieldsSeq("channel chunk sums latest boot_span device command alert setting mark progress change energy_day energy_month energy_settled correction") {
		if _, err := number(conn, `SELECT count(*) FROM (SELECT 1 FROM `+table+` LIMIT 1)`); err != nil {
			return fmt.Errorf("%w: %w", errIndexBroken, err)
		}
	}
	return nil
}

// emptyLog moves the write-ahead log into the database and cuts it to nothing.
func emptyLog(conn *sqlite.Conn) error {
	busy, err := number(conn, `PRAGMA wal_checkpoint(TRUNCATE)`)
	if err == nil && busy != 0 {
		return errNotYetScrubbed
	}
	return err
}

// number returns the first column of the first row.
func number(conn *sqlite.Conn, query string) (n int64, err error) {
	err = sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		n = stmt.ColumnInt64(0)
		return nil
	}})
	return n, err
}

// check reads the whole database and returns errIndexBroken, with what is wrong,
// if it does not hold together. It takes long; nothing else waits for it.
func (x *index) check(ctx context.Context) error {
	var wrong []string
	err := x.query(ctx, `PRAGMA quick_check(5)`, nil, func(stmt *sqlite.Stmt) error {
		if line := stmt.ColumnText(0); line != "ok" {
			wrong = append(wrong, line)
		}
		return nil
	})
	if err == nil && len(wrong) > 0 {
		err = fmt.Errorf("%w: %s", errIndexBroken, strings.Join(wrong, "; "))
	}
	if err != nil {
		return fmt.Errorf("check the index: %w", err)
	}
	return nil
}

// because tells what an error of SQLite means to us: damage, or a context that
// has ended. A broken constraint is damage, too: nothing that the store writes
// breaks one of an index that fits it, but where a card forgot a page, a table and
// its index differ, and a deletion does not reach all that it must.
func because(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultConstraint:
		return fmt.Errorf("%w: %w", errIndexBroken, err)
	case sqlite.ResultInterrupt:
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
	return err
}

// because is the function, and remembers damage.
func (x *index) because(ctx context.Context, err error) error {
	err = because(ctx, err)
	if errors.Is(err, errIndexBroken) {
		x.broken.CompareAndSwap(nil, &err)
	}
	return err
}

// hurry has changes durable when the disk likes: nobody misses this database after
// a power cut.
func (x *index) hurry(ctx context.Context) error {
	conn, err := x.writer.Take(ctx)
	if err != nil {
		return err
	}
	defer x.writer.Put(conn)
	return pragmas(conn, "synchronous = OFF")
}

// damage returns what a call has found to be damaged; nil if none has.
func (x *index) damage() error {
	if err := x.broken.Load(); err != nil {
		return *err
	}
	return nil
}

// close ends what still runs and closes the database.
func (x *index) close() error {
	var errs []error
	for _, pool := range []*sqlitex.Pool{x.reader, x.writer} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	return errors.Join(errs...)
}
