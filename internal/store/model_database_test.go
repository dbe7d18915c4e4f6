package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/ledger"
	"github.com/iot-smart-meter/smartmeter/internal/rollup"
)

// databaseFile is one of the database's files as it was at some moment.
type databaseFile struct {
	suffix  string
	content []byte
}

func (m *house) hasDatabase() bool {
	_, err := os.Stat(filepath.Join(m.dir, databaseName))
	return err == nil
}

// readDatabase copies the database with what SQLite has not moved into it yet.
func (m *house) readDatabase() (files []databaseFile) {
	for _, suffix := range []string{"", "-wal"} {
		if b, err := os.ReadFile(filepath.Join(m.dir, databaseName+suffix)); err == nil {
			files = append(files, databaseFile{suffix, b})
		}
	}
	return files
}

func (m *house) writeDatabase(files []databaseFile) {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(m.dir, databaseName+suffix))
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(m.dir, databaseName+f.suffix), f.content, 0o600); err != nil {
			panic(err)
		}
	}
}

// harmDatabase does to the database what cards do at a power cut, beside
// leaving it alone.
func (m *house) harmDatabase() {
	files := m.readDatabase()
	dice := m.rng.IntN(20)
	m.note("database %d", dice)
	switch dice {
	case 0:
		m.torn = false
		m.writeDatabase(nil)
	case 1:
		garbage := make([]byte, 1+m.rng.IntN(100_000))
		for i := range garbage {
			garbage[i] = byte(m.rng.Uint32())
		}
		m.torn = false
		m.writeDatabase([]databaseFile{{"", garbage}})
		m.rebuilt++
	case 2, 3:
		if len(m.database) > 0 {
			m.torn = m.tornCopy
			m.writeDatabase(m.database)
		}
	case 4:
		if len(files) > 0 && len(files[0].content) > 0 {
			files[0].content = files[0].content[:m.rng.IntN(len(files[0].content))]
			m.torn = true
			m.writeDatabase(files[:1])
		}
	}
	if m.rng.IntN(4) == 0 {
		m.database, m.tornCopy = files, m.torn
	}
}

// rebuild holds what a database answers that went through all these lives
// against one that is made again from the log and the monthly files.
func (m *house) rebuild(ctx context.Context) error {
	if m.lies > 0 {
		return nil // sums may outlive the readings that such a disk lost
	}
	m.disk.SetFaults(faultdisk.Faults{})
	var whole [2]string
	for i := range whole {
		s, err := openStill(ctx, m.config(i == 1))
		if err != nil {
			return fmt.Errorf("open at the end: %w", err)
		}
		whole[i], err = m.sums(ctx, s)
		if err = errors.Join(err, s.Close()); m.torn && errors.Is(err, errIndexBroken) {
			return nil
		} else if err != nil {
			return err
		}
		m.disk = m.disk.Restart()
	}
	if whole[0] != whole[1] {
		return fmt.Errorf("the database that is made again has other sums (-before +after):\n%s", gocmp.Diff(whole[0], whole[1]))
	}
	return nil
}

// sums returns what s makes of the readings of all nodes, when all is sealed.
func (m *house) sums(ctx context.Context, s *Store) (string, error) {
	err := s.Seal(ctx, m.now.AddDate(0, 0, 2))
	var text strings.Builder
	for _, n := range m.nodes {
		quarters, failed := collect(s.Buckets(ctx, n.id, 0, smartmeter.AllQuantities, 0, endOfTime, rollup.Quarter))
		days, ledgerFailed := s.EnergyDays(ctx, n.id, 0, ledger.Range{First: 0, Last: 1 << 20})
		err = errors.Join(err, failed, ledgerFailed)
		for _, q := range quarters {
			fmt.Fprintf(&text, "%s %+v\n", n.id, q)
		}
		for _, d := range days {
			fmt.Fprintf(&text, "%s %+v\n", n.id, d)
		}
	}
	return text.String(), err
}
