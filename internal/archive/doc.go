// Package archive keeps payloads for good: in append-only files, one or more
// for each month of UTC, that survive power cuts, on disks that fill up, fail,
// turn read-only, rot or lie.
//
// It is where the log lets go: what Sync has acknowledged here may be released
// there. Append takes a payload into memory. Sync writes what was taken, one
// write and one fdatasync for each month, and returns the places by which Read
// finds it again. Scan delivers what is there, all of it or what came after
// marks that the caller kept, so that an index can be made anew. Rewrite replaces
// a month by what a function leaves of it; Remove takes it away.
//
// # What is promised
//
// On a disk that keeps package disk's promises, after a power cut at any
// moment, Scan delivers every payload that was acknowledged and not rewritten or
// removed, unaltered, once. Payloads that were appended and not acknowledged may
// be among them, once. Nothing that was acknowledged is ever written over: not
// its bytes, and not the sector they lie in. A month that was being rewritten is
// the old or the new one.
//
// On a disk that does not: no payload is delivered or read that is not exactly
// as it was appended. What is missing is named in the Report, if the marks know
// it or something later follows it in its file. Rot in a month's very last batch
// looks like a batch torn by a power cut; it is in the Report as that.
//
// When a write or a sync fails, nothing is forgotten: the payloads wait, and the
// next Sync writes them to a new part, because a failed fdatasync says nothing
// about what it was to write.
//
// # What it is not
//
// It does not know what it keeps, nor which version of it is the latest. No
// index, no cache, no goroutine, no clock, and no lock on the directory: whoever
// owns the directory keeps others out.
//
// # Files
//
// The first part of a month is 2026-11.smc, the second 2026-11.2.smc, and so on;
// *.new is what a Rewrite has not finished. Integers are little endian. A file
// starts with two copies of a header, one sector of 512 bytes each, of which one
// must be intact, and of which these bytes are used (the rest is zero):
//
//	 0  7  "SMarc\r\n"
//	 7  1  version of the format, 1
//	 8 16  site id
//	24  8  file id, drawn when the file was made
//	32  4  month: months since January 1970
//	36  4  part, from 1
//	40  4  the part before it that counts; 0: none
//	44  4  0
//	48  8  offset in that part below which all was acknowledged
//	56  8  offset in that part from which on nothing counts
//	64  4  CRC-32C of the 64 bytes before
//
// The highest part of a month counts, and the part that its header names, and so
// on down. Others do not: they were replaced, or never became whole. A part
// without a header that is all zero at the top of a month is the trace of a
// power cut.
//
// # Frames
//
// From byte 1024 on, payloads follow in frames of 16 bytes and the payload:
//
//	 0  3  53 4d f5
//	 3  1  f8; plus 1 in the first frame of a batch, plus 2 in the last
//	 4  1  kind, 1-255
//	 5  3  length of the payload
//	 8  4  CRC-32C of the header's bytes 0-39, the frame's offset (8 bytes), and
//	       the frame's bytes 0-7
//	12  4  CRC-32C of the same bytes and the payload
//	16  …  payload
//
// So a frame is one only in its own file and at its own place; the remains of
// another are not taken for it.
//
// What one Sync writes to a month is a batch. It starts at a sector, and zeroes
// fill its last one. It is only written behind a whole batch, when all before it
// is durable. So what is broken before the start of a later batch is damage, and
// what is broken otherwise is torn; a part with a torn end is left as it is, and
// the next part's header says where it ends. A file of less than 1024 bytes was
// never acknowledged.
package archive
