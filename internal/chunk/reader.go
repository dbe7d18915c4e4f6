package chunk

import "encoding/binary"

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

// stream appends the n tokens of a stream to dst, which has room for them.
func (r *reader) stream(dst []byte, n int, e *entropy) []byte {
	if n > cap(dst)-len(dst) {
		r.failed = true
		return dst
	}
	tokens := dst[len(dst):][:n]
	switch how := r.byte(); how {
	case streamRaw:
		copy(tokens, r.bytes(n))
	case streamRepeated:
		fill(tokens, r.byte())
	case streamFSE:
		r.failed = !e.decode(tokens, r.bytes(r.length(len(r.p)))) || r.failed
	default:
		r.failed = true
	}
	return dst[:len(dst)+n]
}

func fill(p []byte, b byte) {
	if clear(p); b == 0 {
		return
	}
	for i := range p {
		p[i] = b
	}
}
