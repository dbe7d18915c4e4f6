package store

import (
	"cmp"
	"errors"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// A machine without a clock of its own does not know the time when it starts,
// and may learn it hours later. What is measured until then is kept by the
// machine's uptime, which says when it was as soon as anybody knows when the
// machine began: Place. Readings of a boot of the machine that never learned the
// time wait for ever, or until their node sends them again and can tell.

// maxUnplaced bounds how many readings wait for the time: a day of ten devices.
const maxUnplaced = 200_000

// carryAfter is how many records of the log, about a day of them, are kept for
// the sake of readings that wait for the time. Then these are written again
// behind them.
const carryAfter = 10_000

// maxMachine bounds a machine's boot id, which has 36 characters on Linux.
const maxMachine = 64

var (
	errUnplaced = errors.New("200000 readings wait until the hub knows the time, and no more fit; let the machine reach a time server, or, if its clock is right, start the hub with --clock trusted")
	errMachine  = errors.New("the machine's boot id needs 1 to 64 characters")
)

// unplaced is a reading whose time is not known.
type unplaced struct {
	// reading's At is the uptime of the machine, in ms.
	reading smartmeter.Reading
	machine string // its boot id
	// position is the record of the log that has it; 0 if none has.
	position wal.Position
	// waits says that it is in line for the log, for the first time or again.
	waits bool
}

// unplacedID tells readings apart while their time is not known. A number of its
// node is enough; without one they are told apart by all that is known of them.
type unplacedID struct {
	channel *channel
	boot    smartmeter.BootID
	seq     uint32

	machine string
	uptime  smartmeter.Instant
	has     smartmeter.Quantities
}

func unplacedIDOf(c *channel, machine string, r *smartmeter.Reading) unplacedID {
	if r.Seq != 0 {
		return unplacedID{channel: c, boot: r.Boot, seq: r.Seq}
	}
	return unplacedID{channel: c, machine: machine, uptime: r.At, has: r.Has}
}

// AppendUnplaced takes readings whose time is not known: their At is the uptime,
// in ms, of the machine since the boot with an id. A sample that is kept
// already, with its time or by the same boot's uptime, is not taken again. Place
// makes readings of them; until then no query has them, no watermark passes
// them. All are taken, or none, with an error that says what to do.
func (s *Store) AppendUnplaced(machine string, readings ...smartmeter.Reading) error {
	if machine == "" || len(machine) > maxMachine {
		return errMachine
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unplaced)+len(readings) > maxUnplaced {
		return errors.Join(errUnplaced, s.writeErr)
	}
	for i := range readings {
		if at := readings[i].At; at < -lastInstant || at > lastInstant {
			return errTime
		}
	}
	for _, r := range readings {
		c := s.channelOf(channelID{r.Node, r.Channel})
		r.Node = c.id.node
		if u := s.holdUnplaced(c, machine, r); u != nil {
			s.line(unplacedIDOf(c, machine, &r), u)
		}
	}
	return nil
}

// holdUnplaced keeps a reading until its time is known, and returns nil if it is
// kept already. A sample that comes again after another boot of the machine
// counts as of that one, which may still learn the time. The caller holds mu.
func (s *Store) holdUnplaced(c *channel, machine string, r smartmeter.Reading) *unplaced {
	if b := c.boots[r.Boot]; r.Seq != 0 && b != nil && b.taken.has(r.Seq) {
		return nil
	}
	id := unplacedIDOf(c, machine, &r)
	known := s.unplaced[id]
	if known != nil && known.machine == machine {
		return nil
	}
	u := &unplaced{reading: r, machine: machine}
	if known != nil {
		s.holdLog(known.position)
	}
	s.unplaced[id] = u
	return u
}

// line puts a reading in line for the log. The caller holds mu.
func (s *Store) line(id unplacedID, u *unplaced) {
	u.waits = true
	s.unlogged = append(s.unlogged, id)
}

// Place says when a boot of the machine was: at its uptime 0 it was epoch. What
// was kept by that uptime becomes readings, with the next Sync, which this asks
// for; they are counted in watermarks once they are durable as such.
func (s *Store) Place(machine string, epoch smartmeter.Instant) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range s.unplaced {
		if u.machine == machine {
			s.entries = append(s.entries, entry{Placed: &placedEntry{Machine: machine, Epoch: epoch}})
			s.hurry()
			return nil
		}
	}
	return nil
}

// Unplaced returns how many readings wait for their time to become known.
func (s *Store) Unplaced() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.unplaced)
}

// take takes from what waits for the time all that an entry places, in order of
// time. What would be at no possible time waits on.
func (p placedEntry) take(s *Store) (placed []*unplaced) {
	for id, u := range s.unplaced {
		at := u.reading.At + p.Epoch
		if u.machine != p.Machine || at < 0 || at > lastInstant {
			continue
		}
		u.reading.At = at
		placed = append(placed, u)
		delete(s.unplaced, id)
	}
	slices.SortFunc(placed, func(x, y *unplaced) int {
		return cmp.Or(byTime(x.reading, y.reading), cmp.Compare(x.reading.Node, y.reading.Node), cmp.Compare(x.reading.Channel, y.reading.Channel))
	})
	return placed
}

// place makes readings of what an entry places, when that is in the log: a
// replay finds the same times, and the readings, which follow it there, are the
// same ones. The caller holds writing and mu.
func (s *Store) place(p placedEntry) {
	for _, u := range p.take(s) {
		s.holdLog(u.position)
		s.take(u.reading)
	}
}

// holdLog keeps a record of the log until all that waits is in the log, too. The
// caller holds mu.
func (s *Store) holdLog(position wal.Position) {
	if position != 0 && (s.heldLog == 0 || position < s.heldLog) {
		s.heldLog = position
	}
}

// claim forgets that a sample has no time, for now it has: its node could tell.
// The caller holds mu.
func (s *Store) claim(c *channel, r *smartmeter.Reading) {
	if r.Seq == 0 || len(s.unplaced) == 0 {
		return
	}
	id := unplacedID{channel: c, boot: r.Boot, seq: r.Seq}
	if u := s.unplaced[id]; u != nil {
		s.holdLog(u.position)
		delete(s.unplaced, id)
	}
}

// forgetUnplaced forgets what waits of an erased channel. The caller holds mu.
func (s *Store) forgetUnplaced(c *channel) {
	for id := range s.unplaced {
		if id.channel == c {
			delete(s.unplaced, id)
		}
	}
}

// logUnplaced hands a record's worth of what waits for the time to the log. The
// caller holds mu.
func (s *Store) logUnplaced() error {
	n := min(len(s.unlogged), readingsPerRecord)
	var machine string
	var batch []*unplaced
	groups := make(map[*channel][]smartmeter.Reading)
	for i, id := range s.unlogged[:n] {
		u := s.unplaced[id]
		if u == nil || !u.waits {
			continue
		}
		if machine == "" {
			machine = u.machine
		}
		if u.machine != machine { // that is another record
			n = i
			break
		}
		batch = append(batch, u)
		groups[id.channel] = append(groups[id.channel], u.reading)
	}
	if len(batch) > 0 {
		position, err := s.wal.Append(recordUnplaced, encodeUnplaced(machine, groups))
		if err != nil {
			return err
		}
		for _, u := range batch {
			u.position, u.waits = position, false
		}
	}
	if s.unlogged = s.unlogged[n:]; len(s.unlogged) == 0 {
		s.unlogged = nil
	}
	return nil
}

// carryUnplaced puts in line again what waits for the time and lies in the log
// before a record, so that the log can let go of that part. The records that
// have it now stay until it is written again.
func (s *Store) carryUnplaced(before wal.Position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, u := range s.unplaced {
		if u.position != 0 && u.position < before && !u.waits {
			s.line(id, u)
		}
	}
}

// neededUnplaced returns the first record before a position that is needed for
// the sake of readings that wait for their time, or did until now; else that
// position. The caller holds mu.
func (s *Store) neededUnplaced(needed wal.Position) wal.Position {
	if s.heldLog != 0 {
		needed = min(needed, s.heldLog)
	}
	for _, u := range s.unplaced {
		if u.position != 0 {
			needed = min(needed, u.position)
		}
	}
	return needed
}
