// Package faultdisk is a disk in memory for tests: one that does what package
// disk promises and not a bit more, and that fails on request.
//
// It keeps what is durable apart from what only the cache knows. Crash gives
// the disk as it could be after a power cut at this moment: of every file, each
// write since the last good Sync is there, is not, or is torn at sectors of
// 512 bytes, in any order; its length is any it had meanwhile; of every
// directory, each creation, renaming and removal since the last good SyncDir
// has happened or not, independently of the others but for what it builds on.
// That is more than a journaling file system lets happen, so what survives here
// survives there.
// Restart is the mild case: the process died, the machine did not.
//
// Every operation that changes something is a point to crash at (CrashAfter) or
// to fail at (FailAfter). Faults are what goes wrong all the time: a cache that
// lies about Sync, errors at random, a full disk, one that turned read-only. A
// failed Sync behaves like Linux's: any part of the writes has reached the
// device, none of the rest ever will, and reads show it nevertheless. Rot flips
// durable bits, BadSector makes one unreadable.
//
// All chance comes from one seed, so that a run can be repeated; Seed returns
// it for the message of a failed test.
//
// It is a model of promises, not of a device: it has no speed, it never breaks
// a sector that was not written to, and directories are durable at once (Dir
// syncs them when it makes them).
package faultdisk
