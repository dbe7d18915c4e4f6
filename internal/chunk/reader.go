package chunk

import (
	"encoding/binary"

	"github.com/klauspost/compress/fse"
)

// reader takes bytes off the front of p. After a failure all it gives is zero.
type reader struct {
	p      []byte
	failed bool
}

func (r *reader) bytes(n int) []byte {
	if r.failed || n > len(r.p) {
		r.failed = true
		return nil
	}
	b := r.p[:n:n]
	r.p = r.p[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	u, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.failed = true
		return 0
	}
	r.bytes(n)
	return u
}

// length reads a length that cannot be more than most.
func (r *reader) length(most int) int {
	u := r.uvarint()
	if u > uint64(most) {
		r.failed = true
		return 0
	}
	return int(u)
}

// stream appends the n tokens of a stream to dst.
func (r *reader) stream(dst []byte, n int, s *fse.Scratch) []byte {
	switch how := r.byte(); how {
	case streamRaw:
		return append(dst, r.bytes(n)...)
	case streamRepeated:
		t := r.byte()
		for range n {
			dst = append(dst, t)
		}
		return dst
	case streamFSE:
		block := r.bytes(r.length(len(r.p)))
		if r.failed {
			return dst
		}
		// The limit is checked every 256 tokens, and must not be met by n.
		s.DecompressLimit = n + 1
		tokens, err := fse.Decompress(block, s)
		if err != nil || len(tokens) != n {
			r.failed = true
			return dst
		}
		return append(dst, tokens...)
	default:
		r.failed = true
		return dst
	}
}
