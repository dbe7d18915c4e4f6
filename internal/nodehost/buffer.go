package nodehost

import (
	"errors"
	"io"
	"log/slog"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	// samplesFile is the name of the file that samples are kept in.
	samplesFile = "samples"
	// samplesKept is how many it holds: a week of them at 5 s, in 8 MiB.
	samplesKept = 1 << 17
	// writeAfter is how long samples are in memory only. A hub that listens has
	// acknowledged them by then, and the disk is spared: with it, nothing is
	// ever written.
	writeAfter smartmeter.Millis = 60_000
	// FilePause is the time between two messages of a file's backlog: 128 samples a
	// second. A week is sent within 16 minutes, and a hundred nodes that return
	// together ask of their hub a quarter of what it takes.
	FilePause smartmeter.Millis = 250
	// tailKept bounds the samples in memory while the disk takes none.
	tailKept = 1024
)

// buffer is a node.Buffer whose samples outlive the process. The file is a ring
// of records, each with its position and a checksum of its own, behind a head
// that says where the oldest is. So a record is there or it is not, however a
// power cut tore what was being written.
//
// Nothing here waits for the disk: a memory card may take seconds for that, in
// which nobody would watch the load. What is written reaches the disk when the
// kernel sees fit, within about half a minute, so a power cut takes the last
// minute or two of what the hub does not have; the end of the process alone
// takes what Close was not called for.
type buffer struct {
	file file
	log  *slog.Logger
	kept uint64 // how many records the file has room for

	first, next uint64
	// written is up to where the file has what is kept; from there on it is in
	// tail.
	written uint64
	tail    []smartmeter.Sample
	// head is first as the file says it, and inFile the highest position that
	// the file has, plus one.
	head, inFile uint64

	record [recordLen]byte
	told   bool // that the disk fails
}

// openBuffer opens the samples that were kept, and goes on from them.
func openBuffer(in files, kept uint64, log *slog.Logger) (*buffer, error) {
	f, err := in.Open(samplesFile)
	if err != nil {
		return nil, err
	}
	b := &buffer{file: f, log: log, kept: kept, tail: make([]smartmeter.Sample, 0, tailKept)}
	if err := errors.Join(b.recover(), in.Sync()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return b, nil
}

// recover finds what the file holds. A head that cannot be read counts as none,
// and so do records.
func (b *buffer) recover() error {
	size, err := b.file.Size()
	if err != nil {
		return err
	}
	if _, err := b.file.ReadAt(b.record[:], 0); err == nil {
		if head, ok := decodeHead(b.record[:], b.kept); ok {
			b.head = head
		}
	}
	oldest, next := b.scan(size)
	b.inFile, b.next = next, max(next, b.head)
	b.first = max(b.head, min(oldest, b.next))
	if b.next > b.kept {
		b.first = max(b.first, b.next-b.kept)
	}
	b.written = b.next
	return nil
}

// scan returns the lowest position in the file that is not forgotten, and the
// one after the highest; the first is higher than the second if there are none.
func (b *buffer) scan(size int64) (oldest, next uint64) {
	oldest = ^uint64(0)
	var s smartmeter.Sample
	records := io.NewSectionReader(b.file, recordLen, max(0, size-recordLen))
	page := make([]byte, 1024*recordLen)
	for slot := uint64(0); slot < b.kept; {
		n, err := io.ReadFull(records, page)
		for p := page[:n]; len(p) >= recordLen; p = p[recordLen:] {
			if position, ok := decodeRecord(p[:recordLen], &s); ok && position%b.kept == slot {
				next = max(next, position+1)
				if position >= b.head {
					oldest = min(oldest, position)
				}
			}
			slot++
		}
		if err != nil { // the end, or a bad spot: what is behind it is lost
			break
		}
	}
	return oldest, next
}

// Bounds returns the oldest position and the one to come, see node.Buffer.
func (b *buffer) Bounds() (first, next uint64) { return b.first, b.next }

// Put keeps a sample, see node.Buffer.
func (b *buffer) Put(s *smartmeter.Sample) {
	if b.next-b.first == b.kept {
		b.advance(b.first + 1)
	}
	if len(b.tail) == tailKept { // the disk fails, and this is all the memory
		b.dropTail(1)
	}
	b.tail = append(b.tail, *s)
	b.next++
	if s.T-b.tail[0].T >= writeAfter {
		b.write()
	}
}

// advance forgets samples before a position.
func (b *buffer) advance(before uint64) {
	b.first = max(b.first, min(before, b.next))
	if b.first > b.written {
		b.dropTail(int(b.first - b.written))
	}
}

// dropTail forgets samples at the beginning of the tail, written or not.
func (b *buffer) dropTail(count int) {
	b.tail = b.tail[:copy(b.tail, b.tail[count:])]
	b.written += uint64(count)
}

// write moves the tail to the file. If that fails the tail stays.
func (b *buffer) write() {
	for i := range b.tail {
		position := b.written + uint64(i)
		encodeRecord(&b.record, position, &b.tail[i])
		if _, err := b.file.WriteAt(b.record[:], b.offset(position)); err != nil {
			b.fails(err)
			return
		}
		b.inFile = position + 1
	}
	b.dropTail(len(b.tail))
	b.told = false
}

// offset returns where in the file a position is.
func (b *buffer) offset(position uint64) int64 { return recordLen * int64(1+position%b.kept) }

// fails logs that the disk fails, once until it works again.
func (b *buffer) fails(err error) {
	if !b.told {
		b.log.Error("samples cannot be kept on the disk, only in memory", "error", err)
	}
	b.told = true
}

// Get reads a sample, see node.Buffer.
func (b *buffer) Get(position uint64, into *smartmeter.Sample) bool {
	switch {
	case position < b.first || position >= b.next:
		return false
	case position >= b.written:
		*into = b.tail[position-b.written]
		return true
	}
	if _, err := b.file.ReadAt(b.record[:], b.offset(position)); err != nil {
		return false
	}
	found, ok := decodeRecord(b.record[:], into)
	return ok && found == position
}

// Forget drops samples, see node.Buffer. The file is told if it holds some of
// them, so that they do not come back after a power cut.
func (b *buffer) Forget(before uint64) {
	b.advance(before)
	if b.head >= min(b.first, b.inFile) {
		return
	}
	encodeHead(&b.record, b.first, b.kept)
	if _, err := b.file.WriteAt(b.record[:], 0); err != nil {
		b.fails(err)
		return
	}
	b.head = b.first
}

// Close writes what is kept, and sees it through to the disk.
func (b *buffer) Close() error {
	b.write()
	return errors.Join(b.file.Sync(), b.file.Close())
}
