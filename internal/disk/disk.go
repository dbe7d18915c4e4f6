// Package disk is the seam between the storage engine and the file system:
// the few operations that the log, the chunk files and their recovery use, and
// nothing else. Dir does them on the real thing; package faultdisk does them in
// memory, as the worst disk that keeps the same promises, or breaks them.
//
// # What is promised
//
// Names are paths with slashes, relative to one data directory, and cannot
// leave it, not even through a symbolic link.
//
// A write may be lost or torn by a power cut until File.Sync has returned nil;
// a file's name, its disappearance or its new name may be lost until FS.SyncDir
// of its directory has. Neither stands in for the other: a new file needs both.
// The unit of tearing is the sector of 512 bytes: within one, a power cut
// leaves the old bytes or the new ones.
//
// # When Sync fails
//
// A failed Sync is the end of what was written since the last good one. Linux
// reports a failed write-back once, marks the pages clean and may drop them: a
// second Sync then succeeds without having written anything, and what a read
// answers from memory is not what the disk holds (fsync(2) says so since 2018;
// PostgreSQL learned it as "fsyncgate"). So never repeat Sync on the same data.
// Write it again, to a new file, and sync that.
//
// For the same reason, what a program reads after it was restarted need not be
// durable. File.Settle makes the two agree.
//
// # What it is not
//
// No buffering, no locks, no retries, no goroutines. Errors are those of the
// operating system, and also one of ErrNoSpace, ErrReadOnly and ErrIO where
// that says what a person can do about it.
package disk

import "io"

// SectorBytes is the unit in which a write is torn by a power cut.
const SectorBytes = 512

// BlockBytes is the unit in which the page cache writes to the device: change
// one byte, and this much is written.
const BlockBytes = 4096

// FS is one data directory. Its methods may be called from several goroutines.
type FS interface {
	// Create makes a file that must not exist yet, sets size bytes aside for
	// it, all zero, and opens it. After that, writes below size need no more
	// space and change nothing but data, so that Sync costs the device the
	// blocks written and not the file system's journal as well. If it fails,
	// no file is left behind, as far as the disk permits.
	Create(name string, size int64) (File, error)
	// Open opens a file that exists, for reading only if the disk allows no
	// more. The error is fs.ErrNotExist if there is none.
	Open(name string) (File, error)
	// Rename gives a file another name and replaces what had that name before.
	Rename(from, to string) error
	// Remove removes a file.
	Remove(name string) error
	// MkdirAll makes a directory with its parents. One that exists is fine.
	MkdirAll(dir string) error
	// List returns a directory's regular files, sorted by name.
	List(dir string) ([]Entry, error)
	// SyncDir makes what Create, Rename and Remove did in a directory durable.
	SyncDir(dir string) error
	// Free returns how many bytes an ordinary user can still write.
	Free() (int64, error)
}

// File is an open file. Reads may run beside each other and beside a write.
type File interface {
	// ReadAt and WriteAt are those of package io. A failed write may have left
	// any part of its bytes.
	io.ReaderAt
	io.WriterAt
	// Size returns the file's length in bytes.
	Size() (int64, error)
	// Truncate cuts the file, or lengthens it with zeroes.
	Truncate(size int64) error
	// Sync makes the content and the length durable (fdatasync). See the
	// package comment for what a failure means.
	Sync() error
	// Settle makes reads answer from what is durable: it syncs, and then
	// forgets what the kernel has only in memory.
	Settle() error
	// Close closes the file; it syncs nothing.
	Close() error
}

// Entry is a file in a directory.
type Entry struct {
	Name string // without the directory
	Size int64  // bytes
}
