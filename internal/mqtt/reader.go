package mqtt

import "io"

// A frameReader cuts packets out of a stream. Its buffer is small, because
// most connections are silent most of the time and there may be thousands;
// it grows while a client sends a lot at once or a packet is large, but never
// further than what has arrived doubles, so that a header alone reserves
// nothing.
type frameReader struct {
	source io.Reader
	limit  int // bytes of the largest packet
	buf    []byte
	start  int // of what is not yet used
	end    int
	last   int // bytes of the last read
}

const (
	smallBuffer = 512
	busyBuffer  = 8 << 10
)

// next returns the next packet; its body is valid until the following call.
func (r *frameReader) next() (frame, error) {
	for {
		f, size, err := parseFrame(r.buf[r.start:r.end], r.limit)
		if err != nil {
			return f, err
		}
		if size > 0 && size <= r.end-r.start {
			r.start += size
			return f, nil
		}
		if err := r.fill(); err != nil {
			return frame{}, err
		}
	}
}

// fill reads once more.
func (r *frameReader) fill() error {
	r.resize()
	n, err := r.source.Read(r.buf[r.end:])
	r.end += n
	r.last = n
	if n > 0 {
		return nil
	}
	return err
}

// resize moves what is not yet used to the front of a buffer of a size that
// suits the last read.
func (r *frameReader) resize() {
	size, unused := max(len(r.buf), smallBuffer), r.end-r.start
	if unused == size || r.last == size && size < busyBuffer {
		size *= 2
	}
	for unused < size/4 && (size > busyBuffer || size > smallBuffer && r.last < size/4) {
		size /= 2
	}
	buf := r.buf
	if size != len(buf) {
		buf = make([]byte, size)
	}
	r.end = copy(buf, r.buf[r.start:r.end])
	r.start = 0
	r.buf = buf
}
