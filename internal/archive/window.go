package archive

import (
	"errors"
	"io"
	"slices"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

const windowBytes = 256 << 10

// span is a stretch of a file.
type span struct {
	from, to int64
}

// window reads a file from front to back, a piece at a time. Sectors that the
// disk cannot read are zero.
type window struct {
	f     disk.File
	limit int64 // where it ends
	at    int64 // of buf in the file
	buf   []byte
	read  int64  // bytes
	bad   []span // that the disk cannot read
}

// bytes returns n bytes from an offset on, or what there is of them. They are
// valid until the next call.
func (w *window) bytes(at int64, n int) ([]byte, error) {
	n = int(min(int64(n), max(w.limit-at, 0)))
	if n == 0 {
		return nil, nil
	}
	if at < w.at || at+int64(n) > w.at+int64(len(w.buf)) {
		if err := w.load(at, max(n, int(min(windowBytes, w.limit-at)))); err != nil {
			return nil, err
		}
	}
	from := at - w.at
	return w.buf[from : from+int64(n)], nil
}

// ahead returns what is in memory from an offset on, a frame's head at least if
// the file has one there.
func (w *window) ahead(at int64) ([]byte, error) {
	if _, err := w.bytes(at, frameBytes); err != nil {
		return nil, err
	}
	return w.buf[at-w.at:], nil
}

// readable says whether the disk could read all of a stretch, as far as it was
// asked.
func (w *window) readable(s span) bool {
	return !slices.ContainsFunc(w.bad, func(b span) bool { return b.from < s.to && s.from < b.to })
}

// load fills the buffer.
func (w *window) load(at int64, n int) error {
	if cap(w.buf) < n {
		w.buf = make([]byte, n)
	}
	w.at, w.buf = at, w.buf[:n]
	got, err := w.f.ReadAt(w.buf, at)
	w.read += int64(got)
	switch {
	case errors.Is(err, disk.ErrIO):
		return w.loadSectors()
	case err != nil && !errors.Is(err, io.EOF):
		w.buf = w.buf[:0]
		return err
	}
	clear(w.buf[got:])
	return nil
}

// loadSectors reads what can be read.
func (w *window) loadSectors() error {
	for from := int64(0); from < int64(len(w.buf)); {
		to := min(int64(len(w.buf)), (w.at+from)/disk.SectorBytes*disk.SectorBytes+disk.SectorBytes-w.at)
		sector := w.buf[from:to]
		got, err := w.f.ReadAt(sector, w.at+from)
		clear(sector[got:])
		if errors.Is(err, disk.ErrIO) {
			clear(sector)
			w.bad = append(w.bad, span{w.at + from, w.at + to})
		} else if err != nil && !errors.Is(err, io.EOF) {
			w.buf = w.buf[:0]
			return err
		}
		from = to
	}
	return nil
}
