package archive

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Open opens the archive in a directory, or creates it. It reads the files'
// headers and nothing else; Scan delivers their frames. Files that Rewrite
// replaced and could not remove are removed. A disk that takes no writes can be
// read.
func Open(cfg Config) (*Archive, error) {
	a := &Archive{cfg: cfg.withDefaults(), turn: make(chan struct{}, 1), months: make(map[Month]*month)}
	if err := a.load(); err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return a, nil
}

// load finds the files. Their names must be durable before anything is built
// on them.
func (a *Archive) load() error {
	fs, dir := a.cfg.FS, a.cfg.Dir
	if err := fs.MkdirAll(dir); err != nil {
		return err
	}
	if err := fs.SyncDir(dir); err != nil {
		return err
	}
	entries, err := fs.List(dir)
	if err != nil {
		return err
	}
	found := make(map[Month][]*part)
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name, newSuffix); ok {
			if _, _, ok := parseName(name); ok {
				_ = fs.Remove(a.path(e.Name)) // if it stays, it does no harm
			}
		}
		m, number, ok := parseName(e.Name)
		if !ok {
			continue
		}
		p, err := a.readHeader(e, m, number)
		if err != nil {
			return err
		}
		found[m] = append(found[m], p)
	}
	for m, parts := range found {
		a.months[m] = link(m, parts)
		_ = a.removeVoid(a.months[m]) // if they stay, the next Open tries again
	}
	return nil
}

// readHeader reads what a file says of itself.
func (a *Archive) readHeader(e disk.Entry, m Month, number uint32) (*part, error) {
	p := &part{name: e.Name, size: e.Size, endAt: e.Size}
	var b [headerBytes]byte
	n, err := a.readStart(e.Name, b[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, disk.ErrIO) {
		return nil, err
	}
	p.header, p.state = parseHeader(b[:n], a.cfg.Site, m, number)
	switch {
	case p.state == headerNewer:
		return nil, fmt.Errorf("%s was written by a later version of this program; use that one", e.Name)
	case p.state == headerIntact:
		return p, nil
	case errors.Is(err, disk.ErrIO):
		p.state, p.why = headerUnreadable, "the disk cannot read its header"
	case p.state == headerForeign:
		p.why = "it belongs to another site or was renamed"
	case p.state == headerBroken:
		p.why = "its header is damaged"
	default:
		p.why = "its header was not written"
	}
	p.header = header{month: m, number: number}
	return p, nil
}

// readStart reads a file's first bytes; where the disk fails, sector by sector.
func (a *Archive) readStart(name string, b []byte) (int, error) {
	f, err := a.cfg.FS.Open(a.path(name))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := f.ReadAt(b, 0)
	if !errors.Is(err, disk.ErrIO) {
		return n, err
	}
	clear(b)
	for at := 0; at < len(b); at += disk.SectorBytes {
		sector := b[at : at+disk.SectorBytes]
		if _, err := f.ReadAt(sector, int64(at)); err != nil {
			clear(sector)
		}
	}
	return len(b), err
}
