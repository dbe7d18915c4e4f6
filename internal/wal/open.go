package wal

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Open opens the log in a directory, or creates it, and delivers to record, in
// order, what is in it and was not released; an error of record ends it. The
// Report says whether anything is missing. The log goes on in a new segment,
// made by the first Sync: a disk that takes no writes can be read.
func Open(cfg Config, record func(Record) error) (*Log, Report, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, Report{}, err
	}
	l := &Log{cfg: cfg, turn: make(chan struct{}, 1), checkpoint: 1}
	r := &recovery{log: l, record: record}
	if err := r.run(); err != nil {
		return nil, r.report, fmt.Errorf("open the log: %w", err)
	}
	l.next = r.expected
	l.before = r.lives()
	l.durable = r.expected - 1
	return l, r.report, nil
}

// recovery is the work of Open.
type recovery struct {
	log      *Log
	record   func(Record) error
	report   Report
	found    []found
	expected Position
	buf      []byte
}

// found is a segment's file, as its header describes it.
type found struct {
	tag    tag
	size   int64
	header header
	state  headerState
	begin  int      // offset of the first record that can be found
	cutoff Position // where later segments say that it ends, or unknown
	closed bool     // they know that all below was acknowledged
	end    Position // where it, or a segment before, was found to end
}

func (r *recovery) run() error {
	if err := r.list(); err != nil {
		return err
	}
	if err := r.readHeaders(); err != nil {
		return err
	}
	if err := r.identify(); err != nil {
		return err
	}
	if err := r.findCheckpoint(); err != nil {
		return err
	}
	r.expected = r.log.checkpoint
	for i := range r.found {
		if err := r.replay(i); err != nil {
			return err
		}
		r.found[i].end = r.expected
	}
	return nil
}

// list finds the segments and the spares, whose names must be durable before
// anything is built on them.
func (r *recovery) list() error {
	cfg := r.log.cfg
	if err := cfg.FS.MkdirAll(cfg.Dir); err != nil {
		return err
	}
	if err := cfg.FS.SyncDir(cfg.Dir); err != nil {
		return err
	}
	entries, err := cfg.FS.List(cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if t, ok := parseName(e.Name, segmentSuffix); ok {
			r.found = append(r.found, found{tag: t, size: min(e.Size, maxSegmentBytes)})
			r.log.number = max(r.log.number, t.number)
		}
		if _, ok := parseName(e.Name, spareSuffix); ok {
			r.keepSpare(e)
		}
	}
	slices.SortFunc(r.found, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.tag.number, b.tag.number), cmp.Compare(a.tag.life, b.tag.life))
	})
	r.report.Segments = len(r.found)
	return nil
}

// keepSpare puts a spare to use, or removes it; one that cannot be removed now
// is met again at the next Open.
func (r *recovery) keepSpare(e disk.Entry) {
	l := r.log
	name := path.Join(l.cfg.Dir, e.Name)
	if e.Size == int64(l.cfg.SegmentBytes) && len(l.spares) < l.cfg.Spares {
		l.spares = append(l.spares, name)
		return
	}
	_ = l.cfg.FS.Remove(name)
}

// readHeaders reads what every segment says of itself. First it makes durable
// what is about to be delivered: back to the newest segment whose header is, for
// all before was durable when that one began.
func (r *recovery) readHeaders() error {
	settled := false
	for i := len(r.found) - 1; i >= 0; i-- {
		s := &r.found[i]
		if !settled {
			if err := r.settle(s.tag); err != nil {
				return err
			}
		}
		b, unreadable, err := r.readSegment(s.tag, min(s.size, headerBytes))
		if err != nil {
			return err
		}
		s.header, s.state = parseHeader(b, s.tag)
		if unreadable && s.state == headerBlank {
			s.state = headerBroken
		}
		settled = settled || s.state == headerIntact
	}
	return nil
}

// settle makes a segment read as it is on the disk.
func (r *recovery) settle(t tag) error {
	f, err := r.log.cfg.FS.Open(r.log.path(t, segmentSuffix))
	if errors.Is(err, disk.ErrIO) {
		return nil // replay reports it
	}
	if err != nil {
		return err
	}
	return errors.Join(f.Settle(), f.Close())
}

// identify takes the log's id from its newest segment, draws this life, and
// tells each segment where the later ones say that it ends.
func (r *recovery) identify() error {
	l := r.log
	var drawn [len(l.id) + 8]byte
	if _, err := io.ReadFull(l.cfg.Random, drawn[:]); err != nil {
		return fmt.Errorf("draw an id: %w", err)
	}
	l.id = ID(drawn[:len(l.id)])
	l.life = binary.LittleEndian.Uint64(drawn[len(l.id):])
	for _, s := range slices.Backward(r.found) {
		if s.state == headerIntact {
			l.id = s.header.id
			break
		}
	}
	var newest Position
	for i := range r.found {
		s := &r.found[i]
		if s.state == headerIntact && s.header.id != l.id {
			s.state = headerForeign
		}
		if s.state == headerIntact {
			newest = max(newest, s.header.first)
			l.checkpoint = max(l.checkpoint, s.header.checkpoint)
		}
	}
	for i := range r.found {
		if err := r.doWithout(&r.found[i], newest); err != nil {
			return err
		}
	}
	for i := range r.found {
		r.bound(i)
	}
	return nil
}

// doWithout looks at a segment without its header for a position to begin with.
// A power cut in its first sync leaves no more than the first batch; any other
// says that the header is gone that was once there.
func (r *recovery) doWithout(s *found, around Position) error {
	s.begin = headerBytes
	if s.state == headerIntact {
		return nil
	}
	b, _, err := r.readSegment(s.tag, s.size)
	if err != nil {
		return err
	}
	f, ok := firstBatch(b, headerBytes, s.tag.seed(), around)
	if !ok {
		return nil
	}
	s.begin = f.at
	s.header = header{tag: s.tag, first: f.position}
	_, more := firstBatch(b, f.at+disk.SectorBytes, s.tag.seed(), around)
	if s.state == headerBlank && (more || f.at > headerBytes) {
		s.state = headerGone
	}
	return nil
}

// bound finds where a segment ends according to the later ones.
func (r *recovery) bound(i int) {
	s := &r.found[i]
	s.cutoff = unknown
	for _, later := range r.found[i+1:] {
		if later.header.first > 0 && later.state != headerForeign {
			cutoff, closed := later.header.bound(s.tag.life)
			s.cutoff = min(s.cutoff, cutoff)
			s.closed = s.closed || closed
		}
	}
}

// lives returns the lives before this one, newest first, and where each ended:
// what the newest intact header remembers, and what was found of it and after.
func (r *recovery) lives() []life {
	var lives []life
	for _, s := range slices.Backward(r.found) {
		if len(lives) == 0 || lives[len(lives)-1].id != s.tag.life {
			lives = append(lives, life{id: s.tag.life, end: s.end})
		}
		if s.state == headerIntact {
			lives = append(lives, s.header.before...)
			break
		}
	}
	return lives[:min(len(lives), maxLives)]
}
