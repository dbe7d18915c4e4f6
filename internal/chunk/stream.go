package chunk

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/klauspost/compress/fse"
)

// How a stream of tokens is kept.
const (
	streamRaw      = 0 // as it is
	streamRepeated = 1 // one token, again and again
	streamFSE      = 2 // finite state entropy
)

// appendColumn closes the column in c and appends it to dst: the raw bits with
// their length before them, one byte that tells which contexts were used, and
// their streams.
func (c *coder) appendColumn(dst []byte, s *fse.Scratch) ([]byte, error) {
	raw := c.raw.finish()
	dst = binary.AppendUvarint(dst, uint64(len(raw)))
	dst = append(dst, raw...)
	var used byte
	for i, tokens := range c.streams {
		if len(tokens) > 0 {
			used |= 1 << i
		}
	}
	dst = append(dst, used)
	for _, tokens := range c.streams {
		var err error
		if dst, err = appendStream(dst, tokens, s); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// appendStream appends the number of tokens, how they are kept, and then: all
// of them; or the one that is repeated; or the length of an FSE block and the
// block.
func appendStream(dst, tokens []byte, s *fse.Scratch) ([]byte, error) {
	if len(tokens) == 0 {
		return dst, nil
	}
	dst = binary.AppendUvarint(dst, uint64(len(tokens)))
	s.TableLog, s.DecompressLimit = 12, 0
	block, err := fse.Compress(tokens, s)
	switch {
	case errors.Is(err, fse.ErrUseRLE) || len(tokens) == 1:
		return append(dst, streamRepeated, tokens[0]), nil
	case errors.Is(err, fse.ErrIncompressible):
		return append(append(dst, streamRaw), tokens...), nil
	case err != nil:
		return nil, fmt.Errorf("compress a column: %w", err)
	}
	dst = append(dst, streamFSE)
	dst = binary.AppendUvarint(dst, uint64(len(block)))
	return append(dst, block...), nil
}

// open makes c ready to read the column p, of at most n values. What is wrong
// with it, spent tells in the end.
func (c *coder) open(p []byte, n int, s *fse.Scratch) {
	c.reading, c.started, c.restless = true, false, 0
	r := reader{p: p}
	c.raw.reset(r.bytes(r.length(len(p))))
	used := r.byte()
	for i := range c.streams {
		c.streams[i] = nil
		if used>>i&1 == 0 {
			continue
		}
		k := r.length(n)
		n -= k
		c.tokens[i] = r.stream(c.tokens[i][:0], k, s)
		c.streams[i] = c.tokens[i]
	}
	c.failed = r.failed || len(r.p) > 0
}

// spent reports whether a column was read without a failure and to its end.
func (c *coder) spent() bool {
	for _, tokens := range c.streams {
		if len(tokens) > 0 {
			return false
		}
	}
	return !c.failed && c.raw.spent()
}
