package disk

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// Dir is a directory of the real file system. Make one with OpenDir.
type Dir struct {
	root *os.Root
}

var _ FS = (*Dir)(nil)

// OpenDir opens a directory, which must exist. Nothing that is done through it
// can touch anything outside.
func OpenDir(name string) (*Dir, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, fmt.Errorf("open the data directory: %w", Classify(err))
	}
	return &Dir{root: root}, nil
}

// Close gives the directory back. Files opened from it stay open.
func (d *Dir) Close() error {
	return d.root.Close()
}

// Create makes a file of size zeroes.
func (d *Dir) Create(name string, size int64) (File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, Classify(err)
	}
	if err := allocate(f, size); err != nil {
		return nil, errors.Join(Classify(err), f.Close(), d.root.Remove(name))
	}
	return &file{f}, nil
}

// Open opens a file for reading and writing, or for reading only where the
// file system takes no writes.
func (d *Dir) Open(name string) (File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR, 0)
	if errors.Is(err, unix.EROFS) {
		f, err = d.root.Open(name)
	}
	if err != nil {
		return nil, Classify(err)
	}
	return &file{f}, nil
}

// Rename renames a file.
func (d *Dir) Rename(from, to string) error {
	return Classify(d.root.Rename(from, to))
}

// Remove removes a file.
func (d *Dir) Remove(name string) error {
	return Classify(d.root.Remove(name))
}

// MkdirAll makes a directory that only its owner may enter, and makes the
// names of the new ones durable.
func (d *Dir) MkdirAll(dir string) error {
	if info, err := d.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := d.root.MkdirAll(dir, 0o700); err != nil {
		return Classify(err)
	}
	for parent := path.Dir(path.Clean(dir)); ; parent = path.Dir(parent) {
		if err := d.SyncDir(parent); err != nil {
			return err
		}
		if parent == "." {
			return nil
		}
	}
}

// List returns a directory's regular files.
func (d *Dir) List(dir string) ([]Entry, error) {
	f, err := d.root.Open(dir)
	if err != nil {
		return nil, Classify(err)
	}
	defer f.Close()
	found, err := f.ReadDir(-1)
	if err != nil {
		return nil, Classify(err)
	}
	var entries []Entry
	for _, e := range found {
		if !e.Type().IsRegular() {
			continue
		}
		info, err := d.root.Lstat(path.Join(dir, e.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, Classify(err)
		}
		entries = append(entries, Entry{Name: e.Name(), Size: info.Size()})
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

// SyncDir syncs a directory.
func (d *Dir) SyncDir(dir string) error {
	f, err := d.root.Open(dir)
	if err != nil {
		return Classify(err)
	}
	return errors.Join(Classify(f.Sync()), f.Close())
}

// Free asks the file system for its room, without what is set aside for root.
func (d *Dir) Free() (int64, error) {
	f, err := d.root.Open(".")
	if err != nil {
		return 0, Classify(err)
	}
	defer f.Close()
	var stat unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(int(f.Fd()), &stat) }); err != nil {
		return 0, Classify(fmt.Errorf("ask for the free space: %w", err))
	}
	return int64(stat.Bavail) * int64(stat.Bsize), nil
}
