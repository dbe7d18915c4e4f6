package chunk

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/klauspost/compress/fse"

	"github.com/iot-smart-meter/smartmeter"
)

// Encoder packs readings into chunks. It holds buffers only: its zero value is
// ready, and it may be used again and again, but not by two goroutines at once.
type Encoder struct {
	table   table
	coder   coder
	scratch fse.Scratch
	packed  [columns][]byte
	try     []byte
	check   Decoder
}

// Encode appends the chunk of the readings to dst. Of h it takes Site, Channel,
// Day and Version; the rest follows from the readings, which must be sorted by
// At, Boot and Seq and lie in the day. Their Node and Channel, and the values
// of quantities they do not have, are not kept.
//
// Equal readings give equal bytes. What was packed is unpacked again and
// compared before Encode returns, since nobody else will see both.
func (e *Encoder) Encode(dst []byte, h Header, readings []smartmeter.Reading) ([]byte, error) {
	if err := checkReadings(h.Day, readings); err != nil {
		return nil, err
	}
	h.describe(readings)
	e.table.fill(readings, h.Day.Midnight())
	start := len(dst)
	dst = append(dst, make([]byte, headerSize)...)
	for k := range columns {
		if err := e.pack(k); err != nil {
			return nil, err
		}
		dst = binary.AppendUvarint(dst, uint64(len(e.packed[k])))
	}
	for k := range columns {
		dst = append(dst, e.packed[k]...)
	}
	h.seal(dst[start:])
	if err := e.prove(dst[start:]); err != nil {
		return nil, err
	}
	return dst, nil
}

// checkReadings refuses what a chunk cannot hold.
func checkReadings(day Day, readings []smartmeter.Reading) error {
	if len(readings) > MaxReadings {
		return fmt.Errorf("%d readings are too many for a chunk, which holds %d: split or thin out the day", len(readings), MaxReadings)
	}
	for i := range readings {
		if past := readings[i].At - day.Midnight(); past < 0 || past >= dayMillis {
			return fmt.Errorf("reading %d is of %s and not of %s: give each day its own chunk", i, DayOf(readings[i].At), day)
		}
		if unknown := readings[i].Has &^ smartmeter.AllQuantities; unknown != 0 {
			return fmt.Errorf("reading %d has quantities (%#x) for which schema %d has no column: give them a schema", i, uint8(unknown), schemaPZEM)
		}
		if i > 0 && compare(&readings[i-1], &readings[i]) > 0 {
			return fmt.Errorf("reading %d comes before reading %d: sort them by time, boot and sequence", i, i-1)
		}
	}
	return nil
}

func compare(a, b *smartmeter.Reading) int {
	return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Boot, b.Boot), cmp.Compare(a.Seq, b.Seq))
}

// describe sets what of the header follows from the readings.
func (h *Header) describe(readings []smartmeter.Reading) {
	h.Codec, h.Revision, h.Schema = codecColumns, revisionColumns, schemaPZEM
	h.Count, h.Quantities, h.First, h.Last = len(readings), 0, 0, 0
	for i := range readings {
		h.Quantities |= readings[i].Has
	}
	if len(readings) > 0 {
		h.First, h.Last = readings[0].At, readings[len(readings)-1].At
	}
	h.Hash = Hash(readings)
}

// pack packs a column in each way there is for it and keeps the shortest.
func (e *Encoder) pack(k column) error {
	e.packed[k] = e.packed[k][:0]
	for _, m := range e.table.ways(k) {
		e.table.walk(e.coder.begin(e.table.held[k]), k, m)
		var err error
		e.try = m.append(e.try[:0], k)
		if e.try, err = e.coder.appendColumn(e.try, &e.scratch); err != nil {
			return err
		}
		if len(e.packed[k]) == 0 || len(e.try) < len(e.packed[k]) {
			e.packed[k], e.try = e.try, e.packed[k]
		}
	}
	return nil
}

// prove unpacks the chunk p and compares it with what was to be packed.
func (e *Encoder) prove(p []byte) error {
	if _, err := e.check.Unpack(p, smartmeter.AllQuantities); err != nil {
		return fmt.Errorf("read back what was packed: %w", err)
	}
	for k := range columns {
		if !slices.Equal(e.table.col[k], e.check.table.col[k]) {
			return errors.New("what was packed reads back differently; this is a mistake of ours, keep the readings as they are")
		}
	}
	return nil
}
