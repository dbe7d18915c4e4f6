package rollup

import (
	"encoding/binary"
	"errors"
)

// ErrCorrupt is the error of a packed day that is damaged.
var ErrCorrupt = errors.New("packed day is damaged; sum it up anew from its readings")

// A column is the same figure of several summaries: numbers that are mostly
// small, and often 0 for long. Each is a uvarint; a 0 is followed by the number
// of further zeros.
func appendColumn(dst []byte, column []uint64) []byte {
	for i := 0; i < len(column); i++ {
		dst = binary.AppendUvarint(dst, column[i])
		if column[i] != 0 {
			continue
		}
		begin := i
		for i+1 < len(column) && column[i+1] == 0 {
			i++
		}
		dst = binary.AppendUvarint(dst, uint64(i-begin))
	}
	return dst
}

// reader takes a packed day apart. After a failure it gives zeros.
type reader struct {
	p      []byte
	failed bool
}

func (r *reader) uvarint() uint64 {
	if len(r.p) > 0 && r.p[0] < 0x80 { // most are this short
		v := r.p[0]
		r.p = r.p[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(r.p)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.p = r.p[n:]
	return v
}

// bytes returns the next n bytes.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.p)) {
		r.fail()
		return nil
	}
	b := r.p[:n]
	r.p = r.p[n:]
	return b
}

// column fills a column that appendColumn has written.
func (r *reader) column(into []uint64) {
	for i := 0; i < len(into); i++ {
		into[i] = r.uvarint()
		if into[i] != 0 {
			continue
		}
		zeros := r.uvarint()
		if zeros >= uint64(len(into)-i) {
			r.fail()
			return
		}
		clear(into[i+1 : i+1+int(zeros)])
		i += int(zeros)
	}
}

func (r *reader) fail() { r.p, r.failed = nil, true }

// zigzag maps small numbers of either sign to small unsigned ones.
func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }
