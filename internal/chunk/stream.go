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
	c.split()
	raw := c.raw.finish()
	dst = binary.AppendUvarint(dst, uint64(len(raw)))
	dst = append(dst, raw...)
	var used byte
	for i, tokens := range c.tokens {
		if len(tokens) > 0 {
			used |= 1 << i
		}
	}
	dst = append(dst, used)
	for _, tokens := range c.tokens {
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
