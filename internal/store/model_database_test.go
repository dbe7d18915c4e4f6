package store

import (
	"os"
	"path/filepath"
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
		m.writeDatabase(nil)
	case 1:
		garbage := make([]byte, 1+m.rng.IntN(100_000))
		for i := range garbage {
			garbage[i] = byte(m.rng.Uint32())
		}
		m.writeDatabase([]databaseFile{{"", garbage}})
		m.rebuilt++
	case 2, 3:
		if len(m.database) > 0 {
			m.writeDatabase(m.database)
		}
	case 4:
		if len(files) > 0 && len(files[0].content) > 0 {
			files[0].content = files[0].content[:m.rng.IntN(len(files[0].content))]
			m.writeDatabase(files[:1])
		}
	}
	if m.rng.IntN(4) == 0 {
		m.database = files
	}
}
