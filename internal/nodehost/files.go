package nodehost

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// files is the directory that a node keeps things in: the real one, or one
// that a test cuts the power of.
type files interface {
	// Open opens a file, which it makes if need be.
	Open(name string) (file, error)
	// Read returns a whole file, or fs.ErrNotExist.
	Read(name string) ([]byte, error)
	// Rename gives a file another name, in the place of what had it.
	Rename(from, to string) error
	// Remove removes a file; that there is none is no error.
	Remove(name string) error
	// Sync makes the files' names survive a power cut.
	Sync() error
}

// file is an open file. What is written survives a power cut after Sync.
type file interface {
	io.ReaderAt
	io.WriterAt
	io.Closer
	Size() (int64, error)
	Truncate(size int64) error
	Sync() error
}

// directory is files on a disk.
type directory struct{ root *os.Root }

// openDirectory opens a directory, which it makes if need be.
func openDirectory(path string) (directory, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return directory{}, fmt.Errorf("cannot keep settings: %w", err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return directory{}, fmt.Errorf("cannot keep settings: %w", err)
	}
	return directory{root}, nil
}

func (d directory) Open(name string) (file, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return sizedFile{f}, nil
}

func (d directory) Read(name string) ([]byte, error) { return d.root.ReadFile(name) }

func (d directory) Rename(from, to string) error { return d.root.Rename(from, to) }

func (d directory) Remove(name string) error {
	if err := d.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d directory) Sync() error {
	f, err := d.root.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// sizedFile is an *os.File that says how large it is.
type sizedFile struct{ *os.File }

func (f sizedFile) Size() (int64, error) {
	about, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return about.Size(), nil
}

// Close gives the directory back.
func (d directory) Close() error { return d.root.Close() }
