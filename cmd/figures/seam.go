package main

import (
	"sync/atomic"

	"github.com/iot-smart-meter/smartmeter/internal/disk"
)

// countingFS counts the blocks that are written through it.
type countingFS struct {
	disk.FS
	bytes atomic.Int64
}

// Create counts what sets the file's bytes aside, too.
func (f *countingFS) Create(name string, size int64) (disk.File, error) {
	file, err := f.FS.Create(name, size)
	f.bytes.Add(blocks(0, size))
	return &countingFile{file, f}, err
}

// Open returns a file whose writes are counted.
func (f *countingFS) Open(name string) (disk.File, error) {
	file, err := f.FS.Open(name)
	return &countingFile{file, f}, err
}

type countingFile struct {
	disk.File
	fs *countingFS
}

// WriteAt counts the blocks that it touches.
func (f *countingFile) WriteAt(p []byte, offset int64) (int, error) {
	f.fs.bytes.Add(blocks(offset, int64(len(p))))
	return f.File.WriteAt(p, offset)
}

// blocks returns how many bytes the blocks have that a write touches.
func blocks(offset, length int64) int64 {
	if length == 0 {
		return 0
	}
	first, last := offset/disk.BlockBytes, (offset+length-1)/disk.BlockBytes
	return (last - first + 1) * disk.BlockBytes
}
