package faultdisk

import (
	"cmp"
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// naming is one change to directories: a creation has no from, a removal no to.
type naming struct {
	from, to string
	node     *inode
}

// apply does the change to a set of names.
func (c naming) apply(names map[string]*inode) {
	if c.from != "" && names[c.from] == c.node {
		delete(names, c.from)
	}
	if c.to != "" {
		names[c.to] = c.node
	}
}

// in says whether syncing a directory makes the change durable.
func (c naming) in(dir string) bool {
	return path.Dir(cmp.Or(c.to, c.from)) == dir
}

// rename does a change in the cache.
func (d *Disk) rename(c naming) {
	c.apply(d.names)
	d.pending = append(d.pending, c)
}

// Create makes a file of size zeroes.
func (d *Disk) Create(name string, size int64) (disk.File, error) {
	name = path.Clean(name)
	node := newInode(size)
	err := d.change("create", name, func() error {
		switch {
		case !d.dirs[path.Dir(name)]:
			return failure("create", name, unix.ENOENT)
		case d.names[name] != nil:
			return failure("create", name, unix.EEXIST)
		case size > d.room():
			return failure("create", name, unix.ENOSPC)
		}
		d.rename(naming{to: name, node: node})
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return &file{d: d, name: name, node: node}, nil
}

// Open opens a file.
func (d *Disk) Open(name string) (disk.File, error) {
	name = path.Clean(name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return nil, ErrCrashed
	}
	node := d.names[name]
	if node == nil {
		return nil, failure("open", name, unix.ENOENT)
	}
	return &file{d: d, name: name, node: node}, nil
}

// Rename renames a file.
func (d *Disk) Rename(from, to string) error {
	from, to = path.Clean(from), path.Clean(to)
	return d.change("rename", from, func() error {
		node := d.names[from]
		if node == nil || !d.dirs[path.Dir(to)] {
			return failure("rename", from, unix.ENOENT)
		}
		d.rename(naming{from: from, to: to, node: node})
		return nil
	}, nil)
}

// Remove removes a file.
func (d *Disk) Remove(name string) error {
	name = path.Clean(name)
	return d.change("remove", name, func() error {
		node := d.names[name]
		if node == nil {
			return failure("remove", name, unix.ENOENT)
		}
		d.rename(naming{from: name, node: node})
		return nil
	}, nil)
}

// MkdirAll makes a directory, durable at once.
func (d *Disk) MkdirAll(dir string) error {
	dir = path.Clean(dir)
	d.mu.Lock()
	exists := d.dirs[dir]
	d.mu.Unlock()
	if exists {
		return nil
	}
	return d.change("mkdir", dir, func() error {
		for ; !d.dirs[dir]; dir = path.Dir(dir) {
			d.dirs[dir] = true
		}
		return nil
	}, nil)
}

// List returns a directory's files.
func (d *Disk) List(dir string) ([]disk.Entry, error) {
	dir = path.Clean(dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return nil, ErrCrashed
	}
	if !d.dirs[dir] {
		return nil, failure("list", dir, unix.ENOENT)
	}
	var entries []disk.Entry
	for name, node := range d.names {
		if path.Dir(name) == dir {
			entries = append(entries, disk.Entry{Name: path.Base(name), Size: int64(len(node.cache))})
		}
	}
	slices.SortFunc(entries, func(a, b disk.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

// SyncDir makes a directory's names durable. With nothing to write it succeeds
// on a read-only disk, too.
func (d *Disk) SyncDir(dir string) error {
	dir = path.Clean(dir)
	if d.nothingToSync(func() bool { return len(d.pending) == 0 }) {
		return nil
	}
	return d.change("sync", dir, func() error {
		d.stats.DirSyncs++
		if !d.happens(d.faults.Lies) {
			d.pending = slices.DeleteFunc(d.pending, func(c naming) bool {
				if c.in(dir) {
					c.apply(d.durable)
				}
				return c.in(dir)
			})
		}
		return nil
	}, nil)
}

// nothingToSync says whether the disk is read-only and has nothing in its
// cache that this could keep from being written.
func (d *Disk) nothingToSync(clean func() bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.crashed && d.faults.ReadOnly && clean()
}

// Free returns the room that is left.
func (d *Disk) Free() (int64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.crashed {
		return 0, ErrCrashed
	}
	return d.room(), nil
}
