package wal

// giveUp takes the segments without a needed record from the log. Those that
// need no space to be written again become spares, up to so many; the others are
// removed.
func (l *Log) giveUp(spares int) error {
	n := l.unneeded()
	if n == 0 {
		return nil
	}
	var kept []string
	for _, s := range l.older[:n] {
		spare, err := l.retire(s, len(l.spares)+len(kept) < spares)
		if err != nil {
			return err
		}
		if spare != "" {
			kept = append(kept, spare)
		}
		l.older = l.older[1:]
	}
	// A spare gets new content, so its old name must be gone for good.
	if err := l.cfg.FS.SyncDir(l.cfg.Dir); err != nil {
		return err
	}
	l.spares = append(l.spares, kept...)
	return nil
}

// unneeded counts the segments that end below the checkpoint: the next one's
// first position says so.
func (l *Log) unneeded() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for n < len(l.older) {
		var next segment
		switch {
		case n+1 < len(l.older):
			next = l.older[n+1]
		case l.active != nil:
			next = l.active.segment
		default:
			return n
		}
		if next.first > l.checkpoint {
			return n
		}
		n++
	}
	return n
}

// retire renames a segment to a spare and returns its new name, or removes it.
func (l *Log) retire(s segment, keep bool) (spare string, err error) {
	name := l.path(s.tag, segmentSuffix)
	if !keep || s.size != int64(l.cfg.SegmentBytes) {
		return "", l.cfg.FS.Remove(name)
	}
	spare = l.path(s.tag, spareSuffix)
	return spare, l.cfg.FS.Rename(name, spare)
}
