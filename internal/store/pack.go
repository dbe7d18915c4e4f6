package store

import (
	"bytes"
	"context"
	"fmt"
	"runtime/debug"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// packAt is how many readings of a day wait in memory as they are. More of them
// are packed: a sample then takes some 3 bytes instead of 80.
const packAt = 1024

// openPart is what memory had of a channel's day at one moment. It may be read
// without a lock: its slices only grow behind what it has of them.
type openPart struct {
	channel  *channel
	day      chunk.Day
	packed   [][]byte
	replayed [][]byte
	tail     []smartmeter.Reading
	// next is the first record of the log that may have what came later.
	next wal.Position
}

func (s *Store) part(c *channel, day chunk.Day, d *openDay) openPart {
	return openPart{channel: c, day: day, packed: d.packed, replayed: d.replayed, tail: d.tail[:len(d.tail):len(d.tail)], next: s.wal.Durable() + 1}
}

// appendTo appends what memory had to readings.
func (p openPart) appendTo(readings []smartmeter.Reading, dec *chunk.Decoder) ([]smartmeter.Reading, error) {
	for _, packed := range p.packed {
		_, part, err := dec.Decode(packed, nil)
		if err != nil {
			return readings, fmt.Errorf("readings in memory: %w", err)
		}
		readings = append(readings, part...)
	}
	return p.appendLoose(readings)
}

// appendLoose appends what is not packed.
func (p openPart) appendLoose(readings []smartmeter.Reading) ([]smartmeter.Reading, error) {
	for _, record := range p.replayed {
		err := decodeGroups(record, func(_ uint32, part []smartmeter.Reading) error {
			readings = append(readings, part...)
			return nil
		})
		if err != nil {
			return readings, fmt.Errorf("readings in memory: %w", err)
		}
	}
	return append(readings, p.tail...), nil
}

// setAside takes a full tail out of the way while the log is replayed. There may
// be days of readings, and no time to pack them before the hub serves. scratch is
// returned to be used again.
func (d *openDay) setAside(scratch []byte) []byte {
	if len(d.tail) >= packAt {
		scratch = appendGroup(beginRecord(scratch[:0], d.tail[0].At), d.tail[0].At, 0, d.tail)
		d.replayed = append(d.replayed, bytes.Clone(scratch))
		d.tail = d.tail[:0] // nobody has a part of it yet
	}
	return scratch
}

// packReplayed packs what the log had when the store was opened, and gives the
// memory back that this took. What cannot be packed is told on the next beat.
func (s *Store) packReplayed(ctx context.Context) {
	if len(s.partsWith(packAt)) == 0 || s.sealing.lock(ctx) != nil {
		return
	}
	defer s.sealing.unlock()
	if s.packMemory(packAt) == nil {
		debug.FreeOSMemory()
	}
}

// packMemory packs days of which at least so many readings have gathered in
// memory. The caller holds sealing, so that nobody else takes parts of a day
// away.
func (s *Store) packMemory(atLeast int) error {
	var readings []smartmeter.Reading
	for _, p := range s.partsWith(atLeast) {
		if s.sealer.has(p) {
			continue
		}
		var err error
		if readings, err = p.appendLoose(readings[:0]); err != nil {
			return err
		}
		packed, err := s.sealer.encode(p, inOrder(readings), 0)
		if err != nil {
			return err
		}
		s.mu.Lock()
		if d := p.channel.days[p.day]; d != nil {
			d.packed = append(slices.Clip(d.packed), packed)
			d.replayed = d.replayed[len(p.replayed):]
			d.tail = slices.Clone(d.tail[len(p.tail):])
		}
		s.mu.Unlock()
	}
	return nil
}

// has reports whether a day is on its way to the monthly files, which hold as
// much of it as its tail had then.
func (s *sealer) has(p openPart) bool {
	return slices.ContainsFunc(s.handed, func(h sealedDay) bool { return h.part.channel == p.channel && h.part.day == p.day })
}

// partsWith returns the open days with at least so many readings as they are, or
// with any that were replayed.
func (s *Store) partsWith(readings int) (parts []openPart) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.byUID {
		for day, d := range c.days {
			if len(d.tail) >= readings || len(d.replayed) > 0 {
				parts = append(parts, s.part(c, day, d))
			}
		}
	}
	return parts
}
