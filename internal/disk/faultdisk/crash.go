package faultdisk

import (
	"bytes"
	"maps"
	"path"
	"slices"
)

// Crash cuts the power, if it is not cut yet, and returns the disk as it could
// be when it comes back. The old one, and the files opened from it, only return
// ErrCrashed.
func (d *Disk) Crash() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	names := maps.Clone(d.durable)
	for _, c := range d.pending {
		// What was never made, or is elsewhere, cannot have been renamed.
		if d.rng.IntN(2) == 0 && (c.from == "" || names[c.from] == c.node) {
			c.apply(names)
		}
	}
	return d.successor(names, names, nil, func(n *inode) *inode {
		image := n.afterCut(d.rng)
		return &inode{cache: image, stable: bytes.Clone(image), blocks: make(map[int64]bool), bad: n.bad}
	})
}

// Restart ends whatever uses the disk, but not the disk: what only the cache
// knew is still there, and still not durable.
func (d *Disk) Restart() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.successor(d.names, d.durable, d.pending, func(n *inode) *inode { return n })
}

// successor makes the disk that follows this one, with every file passed
// through next once, in the order of their names so that it can be repeated.
func (d *Disk) successor(names, durable map[string]*inode, pending []naming, next func(*inode) *inode) *Disk {
	d.crashed = true
	after := &Disk{seed: d.seed, rng: d.rng, faults: d.faults, stats: d.stats, dirs: d.dirs, names: make(map[string]*inode), durable: make(map[string]*inode), pending: pending}
	made := make(map[*inode]*inode)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		n := names[name]
		if made[n] == nil {
			made[n] = next(n)
		}
		after.names[name] = made[n]
	}
	for name, n := range durable {
		if made[n] == nil {
			made[n] = n
		}
		after.durable[name] = made[n]
	}
	return after
}

// Rot flips bits of a file at random places between two offsets, durably, and
// returns the offsets of the bytes.
func (d *Disk) Rot(name string, from, to int64, bits int) []int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.names[path.Clean(name)]
	var offsets []int64
	for range bits {
		off := from + d.rng.Int64N(to-from)
		flip := byte(1) << d.rng.IntN(8)
		n.cache[off] ^= flip
		if off < int64(len(n.stable)) {
			n.stable[off] ^= flip
		}
		offsets = append(offsets, off)
	}
	return offsets
}

// BadSector makes the sector with this offset unreadable from now on.
func (d *Disk) BadSector(name string, off int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[path.Clean(name)].bad[floor(off)] = true
}
