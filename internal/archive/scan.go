package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// Scan delivers the frames behind the marks, or all if there are none: the
// oldest month first, in the order in which they were written. They are durable;
// what waits for Sync is not among them. An error of frame ends it; frame may
// call Read and Append, and no other method.
//
// The marks that it returns are those of Marks.
func (a *Archive) Scan(ctx context.Context, from Marks, frame func(Frame) error) (Marks, Report, error) {
	var report Report
	if err := a.takeTurn(ctx); err != nil {
		return nil, report, err
	}
	defer a.endTurn()
	for _, m := range sortedKeys(a.months) {
		month := a.months[m]
		report.Damage = append(report.Damage, month.damage...)
		report.Torn = append(report.Torn, month.torn...)
		for _, p := range month.parts {
			if err := a.scan(ctx, p, from, frame, &report); err != nil {
				return a.Marks(), report, fmt.Errorf("scan %s: %w", p.name, err)
			}
		}
	}
	a.compare(from, &report)
	return a.Marks(), report, nil
}

// Marks returns up to where every file is known: delivered by Scan, or
// returned by Sync since Open.
func (a *Archive) Marks() Marks {
	a.mu.Lock()
	defer a.mu.Unlock()
	marks := make(Marks)
	for _, m := range a.months {
		for _, p := range m.parts {
			if p.state == headerIntact {
				marks[p.name] = p.mark()
			}
		}
	}
	return marks
}

// scan delivers the frames of a part behind its mark.
func (a *Archive) scan(ctx context.Context, p *part, from Marks, frame func(Frame) error, report *Report) error {
	report.Files++
	mark := from[p.name]
	if mark.ID != p.id && p.state == headerIntact {
		mark = Mark{}
	}
	err := a.walk(ctx, p, mark, report, func(f Frame) error {
		report.Frames++
		return frame(f)
	})
	if err == nil {
		a.change(func() { p.known = true })
	}
	return err
}

// walk delivers the frames of a part behind a mark, adds to the report, and finds
// out where the part ends.
func (a *Archive) walk(ctx context.Context, p *part, mark Mark, report *Report, frame func(Frame) error) error {
	from := max(headerBytes, mark.offset())
	if p.state != headerIntact {
		report.Damage = append(report.Damage, p.damaged(0, max(p.size, p.endAt, from), p.why))
		report.unreadable = report.unreadable || p.state == headerUnreadable
		return nil
	}
	f, err := a.cfg.FS.Open(a.path(p.name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrIO) {
		report.Damage = append(report.Damage, p.damaged(0, p.size, err.Error()))
		report.unreadable = report.unreadable || errors.Is(err, disk.ErrIO)
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	k := walk{w: window{f: f, limit: p.size}, seed: p.seed(), sound: p.soundTo}
	whole := from
	if p.walked {
		whole = max(from, p.endAt)
	}
	if p.closed {
		k.w.limit = min(p.size, p.endAt)
	}
	k.frame = func(h head, payload []byte) error {
		if p.unsaid > 0 && h.at >= p.unsaid {
			return nil
		}
		return frame(Frame{Place: p.place(h), Kind: h.kind, Payload: payload})
	}
	err = k.run(ctx, min(from, k.w.limit))
	report.Bytes += k.w.read
	if err != nil {
		return err
	}
	report.take(p, &k)
	if mark.End < 0 {
		k.sealed, k.clean = 0, false
	}
	if p.size < whole {
		report.Damage = append(report.Damage, p.damaged(p.size, whole, "the file is shorter than it was"))
		k.clean = false // the places that are lost must not be given away again
	}
	if p.closed && p.endAt < from {
		report.Damage = append(report.Damage, p.damaged(p.endAt, from, "a later part says that it ended before"))
	}
	a.change(func() { p.learn(&k) })
	return nil
}

// learn takes over what a walk found out about the end of a part.
func (p *part) learn(k *walk) {
	if p.closed {
		return
	}
	p.soundTo, p.endAt = k.sealed, k.end
	p.walked, p.ready = true, k.clean
	if !k.clean && len(k.w.bad) > 0 {
		p.endAt = p.size // perhaps the disk will read it another day
	}
}

// compare reports the files that are not there any more.
func (a *Archive) compare(from Marks, report *Report) {
	for _, name := range sortedKeys(from) {
		m, number, ok := parseName(name)
		if !ok {
			continue
		}
		month := a.months[m]
		if month.has(number, from[name].ID) {
			continue
		}
		report.Gone = append(report.Gone, File{m, number})
		if !month.replaced(number) {
			p := part{header: header{month: m, number: number}}
			report.Damage = append(report.Damage, p.damaged(0, from[name].offset(), "the file is gone"))
		}
	}
}

// has says whether a part is there, or at least a file whose header is damaged.
func (m *month) has(number uint32, id uint64) bool {
	return m != nil && slices.ContainsFunc(m.parts, func(p *part) bool {
		return p.number == number && (p.id == id || p.state != headerIntact)
	})
}

// replaced says whether a later part took the place of this and all before it.
func (m *month) replaced(number uint32) bool {
	return m != nil && len(m.parts) > 0 && m.parts[0].number > number && m.parts[0].state == headerIntact && m.parts[0].previous == 0
}
