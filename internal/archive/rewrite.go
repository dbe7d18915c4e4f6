package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Rewrite replaces all files of a month by one: of each frame, in the order in
// which they were written, it keeps what each returns, or drops the frame if ok
// is false. What is damaged is dropped. The result says which place became
// which; what waits for Sync is not touched.
//
// A power cut, or an error, leaves the old files or the new one: if an error
// comes with no places, the old ones count for this process, and perhaps the
// new one after the next Open. If an error comes with places, only the removal
// of the old files failed, and the next Open or Rewrite tries again. After nil,
// they are removed for good; what that means for the bytes is the file system's
// affair, and the flash memory's below it.
//
// Sectors that the disk cannot read are an error, because another day it may.
// The function may call Read and Append, and no other method.
func (a *Archive) Rewrite(ctx context.Context, m Month, each func(Frame) (keep []byte, ok bool, err error)) (map[Place]Place, error) {
	return a.Recast(ctx, m, func(f Frame) (Kind, []byte, bool, error) {
		keep, ok, err := each(f)
		return f.Kind, keep, ok, err
	})
}

// Recast is Rewrite with frames that may become some of another kind.
func (a *Archive) Recast(ctx context.Context, m Month, each func(Frame) (kind Kind, keep []byte, ok bool, err error)) (map[Place]Place, error) {
	if err := a.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer a.endTurn()
	old := a.months[m]
	if old.last() == nil {
		return nil, nil
	}
	r := &rewriting{a: a, moved: make(map[Place]Place)}
	err := r.write(ctx, old, each)
	if err == nil {
		err = r.commit(old)
	}
	if err != nil {
		return nil, fmt.Errorf("rewrite %v: %w", m, err)
	}
	if err := a.removeVoid(old); err != nil {
		return r.moved, fmt.Errorf("remove what was rewritten of %v: %w", m, err)
	}
	return r.moved, nil
}

// rewriting is the work of Rewrite.
type rewriting struct {
	a     *Archive
	part  *part
	f     disk.File
	batch []*entry // what is not written yet
	from  []Place  // and where it was
	size  int      // of its payloads
	at    int64    // where it will begin
	end   int64    // behind the last frame that is written
	moved map[Place]Place
}

// write makes the new file, durable, under a name that does not count.
func (r *rewriting) write(ctx context.Context, old *month, each func(Frame) (Kind, []byte, bool, error)) (err error) {
	number, err := old.nextNumber()
	if err != nil {
		return err
	}
	h := header{site: r.a.cfg.Site, month: old.month, number: number}
	name := fileName(h.month, h.number) + newSuffix
	if err := r.a.cfg.FS.Remove(r.a.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // an earlier attempt left it
	}
	if r.part, err = r.a.create(h, name); err != nil {
		return err
	}
	if r.f, err = r.a.cfg.FS.Open(r.a.path(r.part.name)); err == nil {
		r.at, r.end = headerBytes, headerBytes
		err = errors.Join(r.fill(ctx, old, each), r.f.Close())
	}
	if err != nil {
		_ = r.a.cfg.FS.Remove(r.a.path(r.part.name)) // Open does it otherwise
	}
	return err
}

// fill writes the header and what is kept of the old parts.
func (r *rewriting) fill(ctx context.Context, old *month, each func(Frame) (Kind, []byte, bool, error)) error {
	if _, err := r.f.WriteAt(r.part.appendTo(nil), 0); err != nil {
		return err
	}
	for _, p := range old.parts {
		var report Report
		err := r.a.walk(ctx, p, Mark{}, &report, func(f Frame) error {
			kind, keep, ok, err := each(f)
			if err != nil || !ok {
				return err
			}
			return r.add(f.Place, kind, keep)
		})
		if err != nil {
			return err
		}
		if report.unreadable {
			return fmt.Errorf("%s: %w", p.name, disk.ErrIO)
		}
	}
	if err := r.flush(); err != nil {
		return err
	}
	return r.f.Sync()
}

// add takes a frame into the batch.
func (r *rewriting) add(from Place, kind Kind, payload []byte) error {
	if len(payload) > MaxPayload {
		return ErrTooLarge
	}
	r.batch = append(r.batch, &entry{kind: kind, payload: bytes.Clone(payload)})
	r.from = append(r.from, from)
	if r.size += frameBytes + len(payload); r.size < windowBytes {
		return nil
	}
	return r.flush()
}

// flush writes the batch.
func (r *rewriting) flush() error {
	if len(r.batch) == 0 {
		return nil
	}
	var b []byte
	b, r.end = frames(nil, r.part.header, r.at, r.batch)
	for i, e := range r.batch {
		r.moved[r.from[i]] = e.place
	}
	_, err := r.f.WriteAt(b, r.at)
	r.at += int64(len(b))
	r.batch, r.from, r.size = nil, nil, 0
	return err
}

// commit gives the new file the name that makes it count. Its header names no
// part before it, so that from then on the old ones do not.
func (r *rewriting) commit(old *month) error {
	p := r.part
	from, to := p.name, fileName(p.month, p.number)
	err := r.a.cfg.FS.Rename(r.a.path(from), r.a.path(to))
	if err == nil {
		err = r.a.cfg.FS.SyncDir(r.a.cfg.Dir)
	}
	if err != nil {
		r.undo(old, to)
		return err
	}
	p.name = to
	p.size, p.soundTo, p.endAt = r.at, r.end, r.end
	p.walked, p.ready = true, true
	p.known = !slices.ContainsFunc(old.parts, func(was *part) bool { return !was.known && was.state == headerIntact })
	r.a.change(func() {
		for _, was := range old.parts {
			old.void = append(old.void, was.name)
		}
		old.void = append(old.void, old.blank...)
		old.parts, old.blank, old.torn, old.damage = []*part{p}, nil, nil, nil
		old.highest = p.number
	})
	r.a.again(p.month)
	return nil
}

// undo gives the new file up. But a power cut may bring it back, and then the old
// ones do not count: so nothing may be added to them, only to a part after both.
func (r *rewriting) undo(old *month, name string) {
	r.part.name = name
	_ = r.a.cfg.FS.Remove(r.a.path(name + newSuffix))
	last := old.last()
	r.a.change(func() { last.close(last.soundTo, last.endAt) })
	r.a.discard(r.part)
}
