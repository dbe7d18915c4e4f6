package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// ReadFile returns a whole file of at most limit bytes. The error is
// fs.ErrNotExist if there is none.
func ReadFile(files FS, name string, limit int64) ([]byte, error) {
	f, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err == nil && size > limit {
		err = fmt.Errorf("%s has %d bytes; at most %d were expected", name, size, limit)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	text := make([]byte, size)
	if _, err = f.ReadAt(text, 0); errors.Is(err, io.EOF) { // as at the end of an empty one
		err = nil
	}
	return text, errors.Join(err, f.Close())
}

// ReplaceFile writes a file in the place of the one that had its name, if there
// was one. It returns when that is durable; whenever the power fails there is
// the old file or the new one. It must not be called twice at a time for one
// name.
func ReplaceFile(files FS, name string, text []byte) error {
	draft := name + ".new"
	if err := files.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := files.Create(draft, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(text, 0)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := files.Rename(draft, name); err != nil {
		return err
	}
	return files.SyncDir(path.Dir(name))
}
