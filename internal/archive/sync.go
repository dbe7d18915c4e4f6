package archive

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Sync writes what waits, makes it durable, and returns the places, in the order
// of Append. If there is an error, everything goes on waiting, and the next Sync
// writes what is not durable to new parts (see package disk). Once the disk has
// been asked, ctx no longer matters.
func (a *Archive) Sync(ctx context.Context) ([]Place, error) {
	if err := a.takeTurn(ctx); err != nil {
		return nil, err
	}
	defer a.endTurn()
	a.change(func() {
		a.flying = append(a.flying, a.pending...)
		a.pending = nil
	})
	for _, batch := range a.batches() {
		if err := a.write(ctx, batch); err != nil {
			return nil, fmt.Errorf("archive %v: %w", batch[0].month, err)
		}
	}
	places := make([]Place, len(a.flying))
	for i, e := range a.flying {
		places[i] = e.place
	}
	a.change(func() {
		for _, e := range a.flying {
			a.waiting -= len(e.payload)
			for _, p := range a.months[e.month].parts {
				p.unsaid = 0
			}
		}
	})
	a.flying = nil
	return places, nil
}

// batches returns what is not durable yet, by month, in the order of Append.
func (a *Archive) batches() [][]*entry {
	var waiting []*entry
	for i := range a.flying {
		if !a.flying[i].durable {
			waiting = append(waiting, &a.flying[i])
		}
	}
	slices.SortStableFunc(waiting, func(x, y *entry) int { return int(x.month - y.month) })
	var batches [][]*entry
	for len(waiting) > 0 {
		n := 1
		for n < len(waiting) && waiting[n].month == waiting[0].month {
			n++
		}
		batches = append(batches, waiting[:n])
		waiting = waiting[n:]
	}
	return batches
}

// write makes a month's batch durable, behind the month's last or in a new part.
func (a *Archive) write(ctx context.Context, batch []*entry) error {
	if err := a.room(batch); err != nil {
		return err
	}
	last := a.months[batch[0].month].last()
	if last != nil && !last.walked {
		if err := a.walk(ctx, last, Mark{}, &Report{}, ignore); err != nil {
			return err
		}
	}
	if last != nil && last.ready {
		return a.extend(last, batch)
	}
	return a.begin(batch)
}

// ignore takes frames that nobody asked for.
func ignore(Frame) error { return nil }

// room refuses a batch that does not fit on the disk, before half of it does.
func (a *Archive) room(batch []*entry) error {
	need := int64(headerBytes + disk.SectorBytes)
	for _, e := range batch {
		need += frameBytes + int64(len(e.payload))
	}
	free, err := a.cfg.FS.Free()
	if err == nil && free < need {
		err = disk.ErrNoSpace
	}
	return err
}

// extend writes a batch behind the last one of a part. If that fails, nobody
// knows what of it is on the disk: the part is over, and the next one's header
// will say that this batch does not count.
func (a *Archive) extend(p *part, batch []*entry) error {
	at := nextSector(p.endAt)
	b, end := frames(nil, p.header, at, batch)
	err := a.writeSync(p.name, b, at)
	a.change(func() {
		if err != nil {
			p.close(p.endAt, p.endAt)
			return
		}
		p.size = at + int64(len(b))
		p.soundTo, p.endAt = end, end
		if p.unsaid == 0 {
			p.unsaid = at
		}
		acknowledge(batch)
	})
	return err
}

// begin writes a batch to a new part. It counts only when its name is durable,
// too. If it fails, the file is of no use: nothing in it was acknowledged.
func (a *Archive) begin(batch []*entry) error {
	m := a.months[batch[0].month]
	number, err := m.nextNumber()
	if err != nil {
		return err
	}
	h := header{site: a.cfg.Site, month: batch[0].month, number: number}
	last := m.last()
	if last != nil {
		h.previous, h.sound, h.end = last.number, last.soundTo, last.endAt
	}
	p, err := a.create(h, fileName(h.month, h.number))
	if err != nil {
		return err
	}
	b, end := frames(p.appendTo(nil), p.header, headerBytes, batch)
	err = a.writeSync(p.name, b, 0)
	if err == nil {
		err = a.cfg.FS.SyncDir(a.cfg.Dir)
	}
	if err != nil {
		a.discard(p)
		return err
	}
	a.change(func() {
		if last != nil {
			last.close(h.sound, h.end)
		}
		p.size, p.soundTo, p.endAt = int64(len(b)), end, end
		p.walked, p.ready, p.known, p.unsaid = true, true, true, headerBytes
		m := a.month(p.month)
		m.parts = append(m.parts, p)
		m.highest = p.number
		acknowledge(batch)
	})
	return nil
}

// frames adds a batch to a buffer, for an offset of a file, and fills its last
// sector with zeroes; end is the offset behind the last frame.
func frames(b []byte, h header, at int64, batch []*entry) (padded []byte, end int64) {
	seed, shift := h.seed(), at-int64(len(b))
	for i, e := range batch {
		e.place = Place{Month: h.month, Part: h.number, Offset: shift + int64(len(b)), Length: int32(len(e.payload))}
		in := inBatch
		if i == 0 {
			in |= firstOfBatch
		}
		if i == len(batch)-1 {
			in |= lastOfBatch
		}
		b = appendFrame(b, seed, e.place.Offset, e.kind, e.payload, in)
	}
	end = shift + int64(len(b))
	return append(b, make([]byte, nextSector(end)-end)...), end
}

// acknowledge notes that a batch is durable.
func acknowledge(batch []*entry) {
	for _, e := range batch {
		e.durable = true
	}
}

// again has the next Sync write what the last one wrote to a month and, because
// another month failed, could not return.
func (a *Archive) again(m Month) {
	for i := range a.flying {
		if a.flying[i].month == m {
			a.flying[i].durable = false
		}
	}
}

// writeSync writes to a file and makes it durable.
func (a *Archive) writeSync(name string, b []byte, at int64) error {
	f, err := a.cfg.FS.Open(a.path(name))
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, at)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
