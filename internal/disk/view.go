package disk

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"sync"
)

// View is a directory that is looked at and never touched: what is written
// through it stays in memory and is seen through it alone. So whatever a program
// would make of a directory can be tried out. Make one with OpenView.
type View struct {
	root *os.Root

	mu    sync.Mutex
	files map[string]*viewFile // by name: written ones, nil where one was removed
	dirs  map[string]bool      // made here
}

var _ FS = (*View)(nil)

// OpenView opens a directory, which must exist.
func OpenView(name string) (*View, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, Classify(err)
	}
	return &View{root: root, files: make(map[string]*viewFile), dirs: make(map[string]bool)}, nil
}

// Close gives the directory back and forgets what was written.
func (v *View) Close() error { return v.root.Close() }

// Create makes a file of size zeroes, in memory.
func (v *View) Create(name string, size int64) (File, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.exists(name) {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrExist}
	}
	if dir := path.Dir(name); !v.dirs[dir] && !v.exists(dir) {
		return nil, &fs.PathError{Op: "create", Path: name, Err: fs.ErrNotExist}
	}
	f := &viewFile{data: make([]byte, size)}
	v.files[name] = f
	return f, nil
}

// Open opens a file; from the first write on it is one in memory.
func (v *View) Open(name string) (File, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if f, known := v.files[name]; known {
		if f == nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return f, nil
	}
	f, err := v.root.Open(name)
	if err != nil {
		return nil, Classify(err)
	}
	return &seenFile{view: v, name: name, f: f}, nil
}

// Rename renames a file, in memory.
func (v *View) Rename(from, to string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	f, err := v.load(from)
	if err != nil {
		return err
	}
	v.files[from], v.files[to] = nil, f
	return nil
}

// Remove has a file seen no more.
func (v *View) Remove(name string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.exists(name) {
		return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrNotExist}
	}
	v.files[name] = nil
	return nil
}

// MkdirAll makes a directory, in memory.
func (v *View) MkdirAll(dir string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for dir = path.Clean(dir); dir != "."; dir = path.Dir(dir) {
		v.dirs[dir] = true
	}
	return nil
}

// List returns a directory's regular files, as they would be.
func (v *View) List(dir string) ([]Entry, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found, err := (&Dir{root: v.root}).List(dir)
	if errors.Is(err, fs.ErrNotExist) && v.dirs[path.Clean(dir)] {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(e Entry) bool {
		_, changed := v.files[path.Join(dir, e.Name)]
		return changed
	})
	for name, f := range v.files {
		if f != nil && path.Dir(name) == path.Clean(dir) {
			found = append(found, Entry{Name: path.Base(name), Size: int64(len(f.data))})
		}
	}
	slices.SortFunc(found, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return found, nil
}

// SyncDir does nothing: memory is what it is.
func (v *View) SyncDir(string) error { return nil }

// Free asks the file system for its room.
func (v *View) Free() (int64, error) { return (&Dir{root: v.root}).Free() }

// exists reports whether a file, or a directory that was not made here, is seen. The caller holds mu.
func (v *View) exists(name string) bool {
	if f, known := v.files[name]; known {
		return f != nil
	}
	_, err := v.root.Stat(name)
	return err == nil
}

// load returns a file in memory, read from the directory if it is not there yet.
// The caller holds mu.
func (v *View) load(name string) (*viewFile, error) {
	if f := v.files[name]; f != nil {
		return f, nil
	}
	if !v.exists(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	data, err := v.root.ReadFile(name)
	if err != nil {
		return nil, Classify(err)
	}
	f := &viewFile{data: data}
	v.files[name] = f
	return f, nil
}

// viewFile is a file in memory.
type viewFile struct {
	mu   sync.RWMutex
	data []byte
}

func (f *viewFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if off >= int64(len(f.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *viewFile) WriteAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resize(max(int64(len(f.data)), off+int64(len(p))))
	return copy(f.data[off:], p), nil
}

func (f *viewFile) Size() (int64, error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return int64(len(f.data)), nil
}

func (f *viewFile) Truncate(size int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.resize(size)
	return nil
}

func (f *viewFile) resize(size int64) {
	if more := size - int64(len(f.data)); more > 0 {
		f.data = append(f.data, make([]byte, more)...)
	}
	f.data = f.data[:size]
}

func (f *viewFile) Sync() error   { return nil }
func (f *viewFile) Settle() error { return nil }
func (f *viewFile) Close() error  { return nil }

// seenFile is an open file of the directory; where it was written to, that in
// memory counts.
type seenFile struct {
	view *View
	name string
	f    *os.File
}

// written returns the file in memory, nil if nobody has written to it.
func (f *seenFile) written() *viewFile {
	f.view.mu.Lock()
	defer f.view.mu.Unlock()
	return f.view.files[f.name]
}

func (f *seenFile) ReadAt(p []byte, off int64) (int, error) {
	if w := f.written(); w != nil {
		return w.ReadAt(p, off)
	}
	n, err := f.f.ReadAt(p, off)
	return n, Classify(err)
}

func (f *seenFile) WriteAt(p []byte, off int64) (int, error) {
	w, err := f.change()
	if err != nil {
		return 0, err
	}
	return w.WriteAt(p, off)
}

func (f *seenFile) Size() (int64, error) {
	if w := f.written(); w != nil {
		return w.Size()
	}
	return (&file{f.f}).Size()
}

func (f *seenFile) Truncate(size int64) error {
	w, err := f.change()
	if err != nil {
		return err
	}
	return w.Truncate(size)
}

// change returns the file in memory, to be written to.
func (f *seenFile) change() (*viewFile, error) {
	f.view.mu.Lock()
	defer f.view.mu.Unlock()
	return f.view.load(f.name)
}

func (f *seenFile) Sync() error   { return nil }
func (f *seenFile) Settle() error { return nil }
func (f *seenFile) Close() error  { return Classify(f.f.Close()) }
