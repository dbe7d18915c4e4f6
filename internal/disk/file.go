package disk

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// file is a File of the real file system.
type file struct {
	f *os.File
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.f.ReadAt(p, off)
	return n, Classify(err)
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	n, err := f.f.WriteAt(p, off)
	return n, Classify(err)
}

func (f *file) Size() (int64, error) {
	info, err := f.f.Stat()
	if err != nil {
		return 0, Classify(err)
	}
	return info.Size(), nil
}

func (f *file) Truncate(size int64) error {
	return Classify(f.f.Truncate(size))
}

func (f *file) Sync() error {
	return f.call("fdatasync", unix.Fdatasync)
}

// Settle syncs and then has the kernel drop its pages, which are clean now
// whether they reached the device or not: the next read asks the device.
func (f *file) Settle() error {
	if err := f.Sync(); err != nil {
		return err
	}
	return f.call("fadvise", func(fd int) error { return unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED) })
}

func (f *file) Close() error {
	return Classify(f.f.Close())
}

// call does something to the open file and puts its name to the error.
func (f *file) call(op string, do func(fd int) error) error {
	if err := again(func() error { return do(int(f.f.Fd())) }); err != nil {
		return Classify(&os.PathError{Op: op, Path: f.f.Name(), Err: err})
	}
	return nil
}

// allocate reserves the space first, in one piece if there is one, so that a
// full disk is known at once; and then writes it. A block that is reserved but
// unwritten would turn every first sync of it into a commit of the file
// system's journal, several blocks more.
func allocate(f *os.File, size int64) error {
	if size == 0 {
		return nil
	}
	err := again(func() error { return unix.Fallocate(int(f.Fd()), 0, 0, size) })
	if err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.ENOSYS) {
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
	zeroes := make([]byte, min(size, 64<<10))
	for off := int64(0); off < size; off += int64(len(zeroes)) {
		if _, err := f.WriteAt(zeroes[:min(size-off, int64(len(zeroes)))], off); err != nil {
			return err
		}
	}
	return nil
}

// again repeats a system call that a signal interrupted.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
