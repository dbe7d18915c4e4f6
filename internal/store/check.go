package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// A power cut on a card that lies about its flushes may leave a database that
// opens and is damaged further in. Once after a stop that was not in peace, all
// of it is read; and whatever query comes upon damage says so, too. Then the
// database is made again at the next start, which Check asks for: until then
// queries answer as far as they can, and nothing of it is the only copy.

// checkAfter is how long after such a stop the database is read: the hub has
// more urgent things to do when it has just started.
const checkAfter = 10 * time.Minute

// damagedSuffix names the file beside a database that has it made again at the
// next start.
const damagedSuffix = ".damaged"

// runCheck watches over the database, until it is found to be damaged.
func (s *Store) runCheck(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		due := s.unclean && time.Since(began) >= checkAfter
		if s.checkIndex(ctx, due) {
			return
		}
		s.unclean = s.unclean && !due
	}
}

// checkIndex reports whether a query has come upon damage in the database, or
// whether there is any if all of it is to be read. If so, it is made again at the
// next start.
func (s *Store) checkIndex(ctx context.Context, all bool) (damaged bool) {
	err := s.index.damage()
	if err == nil && all {
		err = s.index.check(ctx)
	}
	if !errors.Is(err, errIndexBroken) {
		return false
	}
	err = errors.Join(err, condemn(s.dir))
	s.note(&s.damageErr, fmt.Errorf("%w; restart the hub, which does that and loses nothing", err), "the database is damaged", "")
	return true
}

// condemn has the database of a directory made again at the next start.
func condemn(dir string) error {
	return os.WriteFile(filepath.Join(dir, databaseName+damagedSuffix), nil, 0o600)
}
