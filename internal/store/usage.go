package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/disk"
	"zombiezen.com/go/sqlite"
)

// Usage is what the data directory takes of its disk, in bytes.
type Usage struct {
	Log, Chunks, Database int64
	// Free is what an ordinary user can still write.
	Free int64
	// PerDay is by how much the directory grows in a day, by the days that were
	// sealed in the last 30; 0 if there are none.
	PerDay int64
	// OldestRaw is the first day with readings, at midnight UTC; 0 if there is
	// none.
	OldestRaw smartmeter.Instant
}

// rowBytes is about what the database needs for a sealed day beside its sums.
const rowBytes = 200

// Usage measures the data directory.
func (s *Store) Usage(ctx context.Context) (u Usage, err error) {
	var errs [3]error
	u.Log, errs[0] = listed(s.files, logDir)
	u.Chunks, errs[1] = listed(s.files, chunkDir)
	u.Free, errs[2] = s.files.Free()
	if err := errors.Join(errs[:]...); err != nil {
		return u, fmt.Errorf("measure the data directory: %w", err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if info, err := os.Stat(filepath.Join(s.dir, databaseName+suffix)); err == nil {
			u.Database += info.Size()
		}
	}
	today := chunk.DayOf(smartmeter.InstantOf(s.now()))
	if u.PerDay, err = s.index.growth(ctx, today-30, today); err != nil {
		return u, err
	}
	oldest, found, err := s.index.oldestChunk(ctx)
	if err != nil {
		return u, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.byUID {
		for day := range c.days {
			if !found || day < oldest {
				oldest, found = day, true
			}
		}
	}
	if found {
		u.OldestRaw = oldest.Midnight()
	}
	return u, nil
}

// listed returns what the files of a directory take.
func listed(files disk.FS, dir string) (bytes int64, err error) {
	entries, err := files.List(dir)
	for _, e := range entries {
		bytes += e.Size
	}
	return bytes, err
}

// growth returns how many bytes a day from first up to end, without it, took on
// average, from the first such day that is sealed to the last.
func (x *index) growth(ctx context.Context, first, end chunk.Day) (perDay int64, err error) {
	err = x.query(ctx, `
		SELECT coalesce(sum(length + ?3 + coalesce((SELECT length(packed) FROM sums WHERE sums.channel = chunk.channel AND sums.day = chunk.day), 0)), 0)
			/ max(1, coalesce(max(day) - min(day) + 1, 1))
		FROM chunk WHERE day >= ?1 AND day < ?2`, []any{first, end, rowBytes}, func(stmt *sqlite.Stmt) error {
		perDay = stmt.ColumnInt64(0)
		return nil
	})
	return perDay, err
}

// oldestChunk returns the first day that has one.
func (x *index) oldestChunk(ctx context.Context) (day chunk.Day, found bool, err error) {
	err = x.query(ctx, `SELECT min(day) FROM chunk`, nil, func(stmt *sqlite.Stmt) error {
		found = !stmt.ColumnIsNull(0)
		day = chunk.Day(stmt.ColumnInt64(0))
		return nil
	})
	return day, found, err
}
