package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Read returns the frame at a place. The payload lies in buf, from its start, if
// buf has room for it and 16 bytes more. The error is ErrMissing, ErrDamaged,
// ErrClosed or that of the disk.
func (a *Archive) Read(p Place, buf []byte) (Kind, []byte, error) {
	name, seed, err := a.find(p)
	if err != nil {
		return 0, nil, err
	}
	f, err := a.cfg.FS.Open(a.path(name))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil, fmt.Errorf("%v: %w", p, ErrMissing)
	}
	if err != nil {
		return 0, nil, fmt.Errorf("read %v: %w", p, err)
	}
	defer f.Close()
	b := slices.Grow(buf[:0], frameBytes+int(p.Length))[:frameBytes+int(p.Length)]
	if n, err := f.ReadAt(b, p.Offset); n < len(b) && !errors.Is(err, io.EOF) {
		return 0, nil, fmt.Errorf("read %v: %w", p, err)
	} else if n < len(b) {
		return 0, nil, fmt.Errorf("%v: %w", p, ErrDamaged)
	}
	h, ok := parseHead(b, seed, p.Offset)
	if !ok || !h.holds(b[frameBytes:]) {
		return 0, nil, fmt.Errorf("%v: %w", p, ErrDamaged)
	}
	return h.kind, b[:copy(b, b[frameBytes:])], nil
}

// find returns the file of a place and what its checksums start from.
func (a *Archive) find(p Place) (name string, seed uint32, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return "", 0, ErrClosed
	}
	if m := a.months[p.Month]; m != nil && p.Length >= 0 && p.Length <= MaxPayload && p.Offset >= headerBytes {
		for _, part := range m.parts {
			if part.number == p.Part && p.Offset <= part.endAt-frameBytes-int64(p.Length) {
				if part.state != headerIntact {
					return "", 0, fmt.Errorf("%v: %s: %w", p, part.why, ErrDamaged)
				}
				return part.name, part.seed(), nil
			}
		}
	}
	return "", 0, fmt.Errorf("%v: %w", p, ErrMissing)
}
