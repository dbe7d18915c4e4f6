package archive

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Open opens the archive in a directory, or creates it. It reads the files'
// headers and nothing else; Scan delivers their frames. Files that Rewrite
// replaced and could not remove are removed. A disk that takes no writes can be
// read.
func Open(cfg Config) (*Archive, error) {
	a := &Archive{cfg: cfg.withDefaults(), turn: make(chan struct{}, 1), months: make(map[Month]*month)}
	found, err := a.list()
	if err == nil {
		err = a.load(found)
	}
	if err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return a, nil
}

// list finds the files, each month's newest first. Their names must be durable
// before anything is built on them.
func (a *Archive) list() (map[Month][]*part, error) {
	if err := a.cfg.FS.MkdirAll(a.cfg.Dir); err != nil {
		return nil, err
	}
	if err := a.cfg.FS.SyncDir(a.cfg.Dir); err != nil {
		return nil, err
	}
	entries, err := a.cfg.FS.List(a.cfg.Dir)
	if err != nil {
		return nil, err
	}
	found := make(map[Month][]*part)
	for _, e := range entries {
		name, unfinished := strings.CutSuffix(e.Name, newSuffix)
		m, number, ok := parseName(name)
		switch {
		case !ok:
		case unfinished:
			_ = a.cfg.FS.Remove(a.path(e.Name)) // if it stays, it does no harm
		default:
			found[m] = append(found[m], &part{header: header{month: m, number: number}, name: e.Name})
		}
	}
	for _, parts := range found {
		slices.SortFunc(parts, func(x, y *part) int { return cmp.Compare(y.number, x.number) })
	}
	return found, nil
}

// load reads the headers and finds out which files count. What an earlier
// process wrote need not be durable, and must be before it is believed: down to
// the first part that has a header, for all before was durable when that began.
func (a *Archive) load(found map[Month][]*part) error {
	for _, m := range sortedKeys(found) {
		settled := false
		for _, p := range found[m] {
			if err := a.readHeader(p, !settled); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			settled = settled || p.state == headerIntact
		}
		a.months[m] = link(m, found[m])
		_ = a.removeVoid(a.months[m]) // if they stay, the next Open tries again
	}
	return nil
}

// readHeader reads what a file says of itself, after it made it read as it is on
// the disk, if asked to.
func (a *Archive) readHeader(p *part, settle bool) error {
	f, err := a.cfg.FS.Open(a.path(p.name))
	if errors.Is(err, disk.ErrIO) {
		p.state, p.why = headerUnreadable, "the disk cannot open it"
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if settle {
		if err := f.Settle(); err != nil {
			return err
		}
	}
	if p.size, err = f.Size(); err != nil {
		return err
	}
	p.endAt = p.size
	w := window{f: f, limit: min(p.size, headerBytes)}
	b, err := w.bytes(0, headerBytes)
	if err != nil {
		return err
	}
	return p.recognize(b, len(w.bad) == 0, a.cfg.Site)
}

// recognize takes over a header, or says why not.
func (p *part) recognize(b []byte, readable bool, site [16]byte) error {
	h, state := parseHeader(b, site, p.month, p.number)
	p.state = state
	switch {
	case state == headerIntact:
		p.header = h
	case state == headerNewer:
		return errors.New("a later version of this program wrote it; use that one")
	case state == headerForeign:
		p.why = "it belongs to another site or was renamed"
	case !readable:
		p.state, p.why = headerUnreadable, "the disk cannot read its header"
	case state == headerBroken:
		p.why = "its header is damaged"
	default:
		p.why = "its header was not written"
	}
	return nil
}
