package faultdisk

import (
	"bytes"
	"io"

	"golang.org/x/sys/unix"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// file is an open file of a Disk.
type file struct {
	d    *Disk
	name string
	node *inode
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.crashed {
		return 0, ErrCrashed
	}
	if off >= int64(len(f.node.cache)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.cache[off:])
	for sector := range f.node.bad {
		if sector+disk.SectorBytes > off && sector < off+int64(n) {
			return 0, failure("read", f.name, unix.EIO)
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) WriteAt(p []byte, off int64) (n int, err error) {
	err = f.d.change("write", f.name, func() error {
		f.d.stats.Writes++
		n = len(p)
		grows := off + int64(len(p)) - int64(len(f.node.cache))
		if room := f.d.room(); grows > room {
			n = int(max(0, int64(len(p))-grows+room))
		}
		f.d.stats.Bytes += int64(n)
		f.node.write(p[:n], off)
		if n < len(p) {
			return failure("write", f.name, unix.ENOSPC)
		}
		return nil
	}, func() {
		n = f.d.rng.IntN(len(p) + 1)
		f.node.write(p[:n], off)
	})
	return n, err
}

func (f *file) Size() (int64, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.crashed {
		return 0, ErrCrashed
	}
	return int64(len(f.node.cache)), nil
}

func (f *file) Truncate(size int64) error {
	return f.d.change("truncate", f.name, func() error {
		if size-int64(len(f.node.cache)) > f.d.room() {
			return failure("truncate", f.name, unix.ENOSPC)
		}
		f.node.truncate(size)
		return nil
	}, nil)
}

// Sync makes the content durable, unless the disk lies. If it fails, what did
// not reach the device by then never will, and the cache hides it.
func (f *file) Sync() error {
	if f.d.nothingToSync(func() bool { return len(f.node.unsynced) == 0 }) {
		return nil
	}
	return f.d.change("fdatasync", f.name, func() error {
		f.d.stats.Syncs++
		if !f.d.happens(f.d.faults.Lies) {
			f.d.stats.Blocks += f.node.sync()
		}
		return nil
	}, func() {
		f.node.stable = f.node.afterCut(f.d.rng)
		f.node.written()
	})
}

// Settle syncs, and shows what is durable. On a disk that lies, the device's
// own cache still answers.
func (f *file) Settle() error {
	if err := f.Sync(); err != nil {
		return err
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if len(f.node.unsynced) == 0 {
		f.node.cache = bytes.Clone(f.node.stable)
	}
	return nil
}

func (f *file) Close() error {
	return nil
}
