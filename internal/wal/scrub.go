package wal

import "context"

// Cut ends the segment that is written to: what is appended from now on lies in
// others. It syncs.
func (l *Log) Cut(ctx context.Context) error {
	if err := l.takeTurn(ctx); err != nil {
		return err
	}
	defer l.endTurn()
	if err := l.flush(); err != nil || l.active == nil {
		return err
	}
	return l.seal()
}

// Scrub removes the files of segments that were given up, which are otherwise
// written again with their old bytes in them. With Cut and Release before it, no
// file has anything that was appended before the Cut.
func (l *Log) Scrub(ctx context.Context) error {
	if err := l.takeTurn(ctx); err != nil {
		return err
	}
	defer l.endTurn()
	if err := l.giveUp(0); err != nil {
		return err
	}
	for len(l.spares) > 0 {
		last := len(l.spares) - 1
		if err := l.cfg.FS.Remove(l.spares[last]); err != nil {
			return err
		}
		l.spares = l.spares[:last]
	}
	return l.cfg.FS.SyncDir(l.cfg.Dir)
}
