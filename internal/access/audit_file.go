package access

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

const (
	auditName    = "audit.log"
	auditOldName = "audit.1.log" // the one before, once audit.log was too long
	// maxAudit is when another file is begun, in bytes: some 30,000 lines.
	maxAudit = 8 << 20
)

// auditLog is the audit log in its file. Its methods may be called from several
// goroutines.
type auditLog struct {
	files disk.FS

	mu    sync.Mutex
	f     disk.File
	size  int64
	chain Chain
	// recent are the lines since the last good sync. They are written again
	// before another, see package disk on a Sync that fails.
	recent []byte
	failed bool
}

// openAudit opens the log and checks its last line. What a power cut has left
// of a line behind the anchor, the last line known to be durable, is cut off.
func openAudit(files disk.FS, anchor Chain) (*auditLog, error) {
	l := &auditLog{files: files}
	f, err := files.Open(auditName)
	if errors.Is(err, fs.ErrNotExist) {
		// A power cut between the two steps of begin leaves only the old file.
		if l.chain, err = l.check(auditOldName, nil); errors.Is(err, fs.ErrNotExist) {
			l.chain, err = Chain{}, nil
		}
		if err == nil {
			err = l.create()
		}
		return l, err
	}
	if err != nil {
		return nil, err
	}
	l.f = f
	text, err := readAll(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	l.chain = lastLine(text[:whole])
	if whole < len(text) && l.chain.Lines >= anchor.Lines {
		if err := f.Truncate(int64(whole)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	l.size = int64(whole)
	if whole == 0 {
		l.chain, err = l.check(auditOldName, nil)
		if errors.Is(err, fs.ErrNotExist) {
			l.chain, err = Chain{}, nil
		}
	}
	return l, err
}

// lastLine takes the last line at its word; whether it is true, check says.
func lastLine(text []byte) Chain {
	line := bytes.TrimSuffix(text, []byte("\n"))
	line = line[bytes.LastIndexByte(line, '\n')+1:]
	e, _ := parseEntry(line)
	return Chain{Lines: e.N, Hash: e.Hash}
}

func readAll(f disk.File) ([]byte, error) {
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	text := make([]byte, size)
	if _, err := f.ReadAt(text, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return text, nil
}

func (l *auditLog) create() error {
	f, err := l.files.Create(auditName, 0)
	if err != nil {
		return err
	}
	l.f, l.size = f, 0
	return l.files.SyncDir(".")
}

// add writes an entry. It is durable after sync.
func (l *auditLog) add(e Entry) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.N, e.At = l.chain.Lines+1, e.At.UTC().Truncate(time.Millisecond)
	line, hash := e.seal(l.chain.Hash)
	if l.size+int64(len(line)) > maxAudit {
		if err := l.begin(); err != nil {
			return err
		}
	}
	if _, err := l.f.WriteAt(line, l.size); err != nil {
		return fmt.Errorf("write the audit log: %w", err)
	}
	l.size += int64(len(line))
	l.chain, l.recent = Chain{e.N, hash}, append(l.recent, line...)
	return nil
}

// begin puts the file aside and begins another, which continues its chain.
func (l *auditLog) begin() error {
	if err := l.syncFile(); err != nil {
		return err
	}
	if err := l.f.Close(); err != nil {
		return err
	}
	if err := l.files.Rename(auditName, auditOldName); err != nil {
		return err
	}
	return l.create()
}

// sync makes what was added durable, and returns the last line that is.
func (l *auditLog) sync() (Chain, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.chain, l.syncFile()
}

func (l *auditLog) syncFile() error {
	if len(l.recent) == 0 {
		return nil
	}
	var err error
	if l.failed {
		_, err = l.f.WriteAt(l.recent, l.size-int64(len(l.recent)))
	}
	if err == nil {
		err = l.f.Sync()
	}
	if l.failed = err != nil; l.failed {
		return fmt.Errorf("write the audit log: %w", err)
	}
	l.recent = l.recent[:0]
	return nil
}

// text returns all lines that there are, those of the file before included.
func (l *auditLog) text() ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, err := disk.ReadFile(l.files, auditOldName, 2*maxAudit)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	now, err := readAll(l.f)
	return append(old, now...), err
}

// check walks through one file.
func (l *auditLog) check(name string, start *Chain) (Chain, error) {
	text, err := disk.ReadFile(l.files, name, 2*maxAudit)
	if err != nil {
		return Chain{}, err
	}
	return CheckAudit(bytes.NewReader(text), start, func(Entry) {})
}

func (l *auditLog) close() error {
	_, err := l.sync()
	return errors.Join(err, l.f.Close())
}
