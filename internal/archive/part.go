package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
)

// part is one file that counts.
type part struct {
	header
	name  string // without the directory
	state headerState
	why   string // the header cannot be used
	size  int64  // of the file

	// What the header of the next part says, or will say, of this one.
	soundTo, endAt int64

	closed bool  // the next part said so, or will: nothing is written here any more
	walked bool  // soundTo and endAt are known
	ready  bool  // the next batch may be written behind endAt
	known  bool  // its frames were delivered, or written by this process
	unsaid int64 // from here on, Sync has yet to return the places; 0: it has
}

// close ends a part: all of it up to sound was acknowledged, and nothing from
// end on counts.
func (p *part) close(sound, end int64) {
	p.soundTo, p.endAt = sound, end
	p.closed, p.walked, p.ready = true, true, false
}

// mark says up to where the caller knows the part.
func (p *part) mark() Mark {
	end := p.endAt
	switch {
	case !p.known:
		end = headerBytes
	case p.unsaid > 0:
		end = p.unsaid
	case !p.closed && !p.ready:
		end = -p.endAt
	}
	return Mark{ID: p.id, End: end}
}

// damaged is an entry for the report.
func (p *part) damaged(from, to int64, reason string) Damage {
	return Damage{File: File{p.month, p.number}, From: from, To: to, Reason: reason}
}

// place names a frame of the part.
func (p *part) place(h head) Place {
	return Place{Month: p.month, Part: p.number, Offset: h.at, Length: int32(h.length)}
}

// last returns the part that a month is at, or nil.
func (m *month) last() *part {
	if m == nil || len(m.parts) == 0 {
		return nil
	}
	return m.parts[len(m.parts)-1]
}

// nextNumber returns the number of a month's next part.
func (m *month) nextNumber() (uint32, error) {
	switch {
	case m == nil:
		return 1, nil
	case m.highest == math.MaxUint32:
		return 0, errors.New("no number is left for another part; move the file with the highest number away")
	}
	return m.highest + 1, nil
}

// month returns what is known of a month, new if it is. a.mu must be held.
func (a *Archive) month(m Month) *month {
	if a.months[m] == nil {
		a.months[m] = &month{month: m}
	}
	return a.months[m]
}

// create makes a part's file, which does not count yet.
func (a *Archive) create(h header, name string) (*part, error) {
	var id [8]byte
	if _, err := io.ReadFull(a.cfg.Random, id[:]); err != nil {
		return nil, fmt.Errorf("draw an id: %w", err)
	}
	h.id = binary.LittleEndian.Uint64(id[:])
	f, err := a.cfg.FS.Create(a.path(name), 0)
	if err != nil {
		return nil, err
	}
	_ = f.Close() // nothing is written yet that it could lose
	return &part{header: h, name: name}, nil
}

// discard removes the file of what did not become a part. If it stays, it does
// not count, and its number is taken.
func (a *Archive) discard(p *part) {
	if a.cfg.FS.Remove(a.path(p.name)) == nil {
		return
	}
	a.change(func() {
		m := a.month(p.month)
		m.highest = p.number
		m.void = append(m.void, p.name)
	})
}

// removeVoid removes a month's files that do not count, one after the other, for
// good. Those that are left after an error are tried again.
func (a *Archive) removeVoid(m *month) error {
	for len(m.void) > 0 {
		err := a.cfg.FS.Remove(a.path(m.void[0]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := a.cfg.FS.SyncDir(a.cfg.Dir); err != nil {
			return err
		}
		a.change(func() { m.void = m.void[1:] })
	}
	return nil
}
