package wal

import (
	"errors"
	"fmt"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// flush writes what waits, a batch for each segment it takes.
func (l *Log) flush() error {
	l.mu.Lock()
	l.flying = append(l.flying, l.pending...)
	l.pending = l.pending[:0]
	l.mu.Unlock()
	for len(l.flying) > 0 {
		n, records := fitting(l.flying, l.cfg.SegmentBytes-headerBytes)
		if err := l.write(l.flying[:n]); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
		l.acknowledge(n, records)
	}
	return nil
}

// fitting returns how many bytes and records of whole frames fit into most.
func fitting(frames []byte, most int) (n, records int) {
	for n < len(frames) {
		next := n + frameLen(frames[n:])
		if next > most {
			break
		}
		n = next
		records++
	}
	return n, records
}

// acknowledge forgets what is durable now.
func (l *Log) acknowledge(n, records int) {
	l.flying = l.flying[:copy(l.flying, l.flying[n:])]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable += Position(records)
	l.waiting -= n
}

// write makes a batch durable, in the active segment or in a new one.
func (l *Log) write(batch []byte) error {
	if l.active == nil {
		return l.begin(batch)
	}
	if at := place(l.active.end, len(batch)); at+len(batch) <= l.cfg.SegmentBytes {
		return l.extend(batch, at)
	}
	if err := l.seal(); err != nil {
		return err
	}
	return l.begin(batch)
}

// extend writes a batch to the active segment.
func (l *Log) extend(batch []byte, at int) error {
	a := l.active
	finish(batch, a.seed)
	l.batch = padded(append(l.batch[:0], batch...))
	if err := writeSync(a.f, l.batch, int64(at)); err != nil {
		l.abandon()
		return err
	}
	a.end = at + len(batch)
	return nil
}

// abandon leaves the active segment as the last good sync left it: nobody knows
// what of the last batch is on the disk. The first position of the next segment
// makes it void.
func (l *Log) abandon() {
	a := l.active
	l.active = nil
	l.older = append(l.older, a.segment)
	_ = a.f.Close() // it has said already that it fails
}

// seal ends the active segment.
func (l *Log) seal() error {
	a := l.active
	l.active = nil
	l.older = append(l.older, a.segment)
	return a.f.Close()
}

// begin starts a segment with a batch. It counts only when its name is durable,
// too. If it fails, the file is of no use: nothing in it was acknowledged.
func (l *Log) begin(batch []byte) error {
	l.number++
	t := tag{number: l.number, life: l.life}
	f, err := l.newFile(t)
	if err != nil {
		return err
	}
	l.mu.Lock()
	h := header{id: l.id, tag: t, first: l.durable + 1, checkpoint: l.checkpoint, before: l.before}
	l.mu.Unlock()
	w := &writing{segment: segment{tag: t, first: h.first, size: int64(l.cfg.SegmentBytes)}, f: f, seed: t.seed(), end: headerBytes + len(batch)}
	finish(batch, w.seed)
	l.batch = padded(append(h.appendTo(l.batch[:0]), batch...))
	err = writeSync(f, l.batch, 0)
	if err == nil {
		err = l.cfg.FS.SyncDir(l.cfg.Dir)
	}
	if err != nil {
		return errors.Join(err, f.Close(), l.cfg.FS.Remove(l.path(t, segmentSuffix)))
	}
	l.active = w
	return nil
}

// newFile returns a file for a segment: one that was a segment before, or a new
// one, or, on a full disk, one that nobody needs any more.
func (l *Log) newFile(t tag) (disk.File, error) {
	name := l.path(t, segmentSuffix)
	if len(l.spares) == 0 {
		f, err := l.cfg.FS.Create(name, int64(l.cfg.SegmentBytes))
		if !errors.Is(err, disk.ErrNoSpace) {
			return f, err
		}
		if l.giveUp(1) != nil || len(l.spares) == 0 {
			return nil, err
		}
	}
	last := len(l.spares) - 1
	spare := l.spares[last]
	l.spares = l.spares[:last]
	if err := l.cfg.FS.Rename(spare, name); err != nil {
		return nil, err
	}
	return l.cfg.FS.Open(name)
}

// padded fills the last sector with zeroes.
func padded(b []byte) []byte {
	var zeroes [disk.SectorBytes]byte
	return append(b, zeroes[:roundUp(len(b), disk.SectorBytes)-len(b)]...)
}

// writeSync writes and makes durable.
func writeSync(f disk.File, b []byte, at int64) error {
	if _, err := f.WriteAt(b, at); err != nil {
		return err
	}
	return f.Sync()
}
