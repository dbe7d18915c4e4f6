package archive

import (
	"bytes"
	"context"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// walk goes through the frames of a file and tells what is torn from what is
// damaged: a batch is only written when the one before it is durable, so what is
// broken before the start of a later batch was whole once.
type walk struct {
	w     window
	seed  uint32
	sound int64 // all before was acknowledged

	frame func(head, []byte) error

	end     int64  // behind the last frame whose head is intact
	sealed  int64  // behind the last batch that was acknowledged, or could have been
	pending []span // broken, not known yet how
	damage  []span
	torn    []span
	clean   bool // the last batch is whole, and another can be written behind it
}

// run walks from an offset to the limit.
func (k *walk) run(ctx context.Context, from int64) error {
	k.end, k.sealed = from, from
	for k.end < k.w.limit {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, ok, err := k.next()
		if err != nil {
			return err
		}
		if !ok {
			break
		}
		if err := k.take(h); err != nil {
			return err
		}
	}
	return k.finish()
}

// next finds the next frame with an intact head: right behind the last one, or
// behind a whole batch and zeroes at the next sector, or else anywhere.
func (k *walk) next() (head, bool, error) {
	b, err := k.w.bytes(k.end, frameBytes+disk.SectorBytes)
	if err != nil {
		return head{}, false, err
	}
	if h, ok := parseHead(b, k.seed, k.end); ok {
		return h, true, nil
	}
	sector := nextSector(k.end)
	padding := int(min(sector-k.end, int64(len(b))))
	if h, ok := parseHead(b[padding:], k.seed, sector); ok && h.starts && k.sealed == k.end && !anySet(b[:padding]) {
		return h, true, nil
	}
	h, ok, err := k.search()
	if ok {
		k.broken(k.end, h.at)
	}
	return h, ok, err
}

// search looks for a frame's head by its marker.
func (k *walk) search() (head, bool, error) {
	for at := k.end; at+frameBytes <= k.w.limit; {
		b, err := k.w.ahead(at)
		if err != nil {
			return head{}, false, err
		}
		i := bytes.Index(b, []byte(marker))
		switch {
		case i < 0:
			at += int64(len(b) - len(marker) + 1)
			continue
		case i+frameBytes > len(b):
			at += int64(i)
			continue
		}
		at += int64(i)
		if h, ok := parseHead(b[i:], k.seed, at); ok {
			return h, true, nil
		}
		at++
	}
	return head{}, false, nil
}

// take delivers a frame, if it is whole.
func (k *walk) take(h head) error {
	if h.starts {
		k.damage = append(k.damage, k.pending...)
		k.pending = k.pending[:0]
		k.sealed = h.at
	}
	payload, err := k.w.bytes(h.at+frameBytes, h.length)
	if err != nil {
		return err
	}
	k.end = min(h.end(), k.w.limit)
	if !h.holds(payload) {
		k.broken(h.at, k.end)
		return nil
	}
	if h.ends && len(k.pending) == 0 {
		k.sealed = k.end
	}
	return k.frame(h, payload)
}

// broken notes a stretch without a frame.
func (k *walk) broken(from, to int64) {
	k.pending = append(k.pending, span{from, to})
}

// finish judges what is behind the last frame and what is still undecided.
func (k *walk) finish() error {
	rest := span{k.end, k.w.limit}
	if k.sealed == k.end && nextSector(k.end) >= k.w.limit {
		padding, err := k.w.bytes(k.end, disk.SectorBytes)
		if err != nil {
			return err
		}
		k.clean = !anySet(padding) && k.w.readable(rest)
	}
	if !k.clean && rest.from < rest.to {
		k.broken(rest.from, rest.to)
	}
	for _, s := range k.pending {
		if s.from < k.sound || !k.w.readable(s) {
			k.damage = append(k.damage, s)
		} else {
			k.torn = append(k.torn, s)
		}
	}
	return nil
}
