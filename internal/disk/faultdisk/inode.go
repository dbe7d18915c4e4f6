package faultdisk

import (
	"bytes"
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// inode is a file's content, whatever its name: what a reader sees, what is
// durable, and how the one came from the other.
type inode struct {
	cache    []byte
	stable   []byte
	unsynced []edit
	blocks   map[int64]bool // to be written by the next sync
	bad      map[int64]bool // sectors that cannot be read
}

// edit is one change of the content: whole sectors as they were right after
// it, and the length the file then had. The page cache works on whole sectors,
// so a power cut never mixes two edits within one.
type edit struct {
	off  int64
	data []byte
	size int64
}

// newInode makes a file of size zeroes.
func newInode(size int64) *inode {
	n := &inode{cache: make([]byte, size), blocks: make(map[int64]bool), bad: make(map[int64]bool)}
	if size > 0 {
		n.unsynced = append(n.unsynced, edit{size: size})
		n.touch(0, size)
	}
	return n
}

func (n *inode) dirty() bool {
	return len(n.unsynced) > 0 || !bytes.Equal(n.cache, n.stable)
}

// write changes the cache.
func (n *inode) write(p []byte, off int64) {
	end := off + int64(len(p))
	n.cache = resized(n.cache, max(end, int64(len(n.cache))))
	copy(n.cache[off:], p)
	n.note(off, end)
}

// truncate changes the length; what is cut off reads as zeroes if the file
// grows again.
func (n *inode) truncate(size int64) {
	old := int64(len(n.cache))
	n.cache = resized(n.cache, size)
	from := floor(min(old, size))
	gone := make([]byte, max(old, size)-from)
	copy(gone, n.cache[from:])
	n.unsynced = append(n.unsynced, edit{off: from, data: gone, size: size})
	n.touch(from, size)
}

// note records the sectors from off to end as they are now.
func (n *inode) note(off, end int64) {
	size := int64(len(n.cache))
	from, to := floor(off), min(floor(end+disk.SectorBytes-1), size)
	n.unsynced = append(n.unsynced, edit{off: from, data: bytes.Clone(n.cache[from:to]), size: size})
	n.touch(off, end)
}

// touch marks blocks for the next sync.
func (n *inode) touch(off, end int64) {
	for block := off / disk.BlockBytes; block*disk.BlockBytes < end; block++ {
		n.blocks[block] = true
	}
}

// sync makes all of it durable and returns how many blocks that took.
func (n *inode) sync() int64 {
	for _, e := range n.unsynced {
		n.stable = resized(pasted(n.stable, e.off, e.data), e.size)
	}
	return n.written()
}

// written forgets what waited to be written.
func (n *inode) written() int64 {
	count := int64(len(n.blocks))
	n.unsynced = nil
	clear(n.blocks)
	return count
}

// afterCut draws what the file could hold after a power cut now.
func (n *inode) afterCut(rng *rand.Rand) []byte {
	image := bytes.Clone(n.stable)
	size := len(n.stable)
	if len(n.unsynced) > 0 && rng.IntN(4) > 0 {
		size = int(n.unsynced[rng.IntN(len(n.unsynced))].size)
	}
	for _, i := range rng.Perm(len(n.unsynced)) {
		e := n.unsynced[i]
		switch rng.IntN(3) {
		case 0: // never arrived
		case 1:
			image = pasted(image, e.off, e.data)
		case 2:
			image = torn(image, e, rng)
		}
	}
	return resized(image, int64(size))
}

// torn writes some of an edit's sectors.
func torn(image []byte, e edit, rng *rand.Rand) []byte {
	for at := 0; at < len(e.data); at += disk.SectorBytes {
		if rng.IntN(2) == 0 {
			image = pasted(image, e.off+int64(at), e.data[at:min(at+disk.SectorBytes, len(e.data))])
		}
	}
	return image
}

// pasted writes into an image that may be too short for it.
func pasted(image []byte, off int64, data []byte) []byte {
	image = resized(image, max(int64(len(image)), off+int64(len(data))))
	copy(image[off:], data)
	return image
}

// resized cuts or extends with zeroes. What was not cut keeps its spare capacity:
// a file that grows record by record must not be copied each time.
func resized(image []byte, size int64) []byte {
	switch old := int64(len(image)); {
	case size < old:
		return image[:size:size]
	case size > old:
		return append(image, make([]byte, size-old)...)
	default:
		return image
	}
}

func floor(off int64) int64 {
	return off &^ (disk.SectorBytes - 1)
}
