// Package wal is an append log of opaque records that survives power cuts, on
// disks that fill up, fail, turn read-only, rot or lie.
//
// Append takes a record into memory and returns its position at once. Sync
// makes everything taken so far durable, together: one write, one fdatasync. How
// often is the caller's business; there is no goroutine here and no clock. Open
// returns, in order, what an earlier life left. Release says up to where records
// are no longer needed, because they are kept elsewhere by now.
//
// # What is promised
//
// On a disk that keeps package disk's promises, after a power cut at any
// moment, Open delivers every record that Sync acknowledged and Release did not
// give up, unaltered, in order, once. Records that were appended but not
// acknowledged may follow, without a gap. What Open delivers is durable.
//
// On a disk that does not: no record is delivered that is not exactly as it was
// appended, and whatever is missing from the middle is named in the Report.
// Missing from the end cannot be told from never having been there: a cache that
// lies, or rot in the very last batch, looks like a batch torn by the power cut.
//
// When a write or a sync fails, nothing is forgotten: Sync returns the error,
// records wait in memory up to Config.BufferBytes, and the next Sync writes all
// of them to a new segment, in order, because a failed fdatasync says nothing
// about what it was to write (see package disk).
//
// # What it is not
//
// No index, no reading while it runs, no lock on the directory: whoever owns
// the directory keeps others out.
//
// # Segments
//
// A directory holds segments of Config.SegmentBytes, written with zeroes when
// made, so that a sync costs the blocks it writes and no journal commit. A
// segment's name is its number and the life that began it, both in hexadecimal:
//
//	000000000000002a-9f3a01bc27de5f60.wal
//
// Numbers grow. A life is drawn at every Open, so that a number used again,
// after a power cut forgot a name, is another segment. A released segment is
// renamed to *.spare and becomes a later segment, old bytes and all. A segment
// starts with two copies of a header, one sector of 512 bytes each, of which
// these bytes are used (integers little endian, the rest is zero):
//
//	 0  8  "SMwal\x00\r\n"
//	 8 16  log id, drawn when the log was created
//	24  8  segment number
//	32  8  life
//	40  8  position of the first record
//	48  8  checkpoint: position of the first record that is still needed
//	56  8  how many earlier lives follow, up to 24
//	64     24 times, newest first: a life (8), the position it ended before (8)
//	448 4  CRC-32C of the 448 bytes before
//
// # Frames
//
// From byte 1024 on, records follow in frames of 12 bytes and the payload:
//
//	 0  4  CRC-32C of the segment number and the life, 8 bytes each, and all that follows
//	 4  3  length of the payload in the low 23 bits; the top bit: first frame of a batch
//	 7  1  type; 0 is a checkpoint, whose payload is a position of 8 bytes
//	 8  4  position, the low 32 bits
//	12  …  payload
//
// What one Sync writes to a segment is a batch. It starts at a sector, so that no
// sector with acknowledged records is ever written again, and at the next block
// of 4096 bytes if it would otherwise touch one block more than it must: then a
// sync that fits in a block costs the device one. Zeroes fill its last sector.
//
// A segment is only begun when everything before is durable, so there is never
// more than one batch that a power cut can tear: the last one. This is how Open
// tells a tear, where the log ends, from damage, which it reports and reads on
// behind: damage is followed by the start of a later batch, or by a later
// segment whose first position says that there was more. The positions in a
// header also say where earlier segments end: what a failed sync or an earlier
// life left behind there is void.
package wal
