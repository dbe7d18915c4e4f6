package chunk

import (
	"fmt"
	"math"

	"github.com/klauspost/compress/fse"

	"github.com/iot-smart-meter/smartmeter"
)

// Decoder unpacks chunks. It holds buffers only: its zero value is ready, and
// it may be used again and again, but not by two goroutines at once.
type Decoder struct {
	table   table
	coder   coder
	scratch fse.Scratch
}

// Decode unpacks the chunk p into the slice given, from its beginning, and
// returns it, grown where it was too short, with the header. Node and Channel
// are left empty in the readings: the header's Channel stands for them.
//
// The error is ErrCorrupt or ErrUnknownCodec; the slice is still returned, with
// no readings.
func (d *Decoder) Decode(p []byte, into []smartmeter.Reading) (Header, []smartmeter.Reading, error) {
	return d.DecodeOnly(p, smartmeter.AllQuantities, into)
}

// DecodeOnly is Decode for some of the quantities: the readings have no others,
// and what these do not need is not unpacked. There are still h.Count readings.
func (d *Decoder) DecodeOnly(p []byte, want smartmeter.Quantities, into []smartmeter.Reading) (Header, []smartmeter.Reading, error) {
	h, err := d.unpack(p, columnsOf(want))
	if err != nil {
		return h, into[:0], err
	}
	return h, d.table.readings(into[:0], h.Day.Midnight(), want), nil
}

// unpack fills the wanted columns of the table, and those which they need.
func (d *Decoder) unpack(p []byte, want columnSet) (Header, error) {
	h, err := ReadHeader(p)
	if err != nil {
		return h, err
	}
	switch {
	case h.Codec == codecColumns && h.Revision == revisionColumns && h.Schema == schemaPZEM:
		return h, d.unpackColumns(p[headerSize:], &h, want)
	default:
		return h, fmt.Errorf("%w (codec %d.%d, schema %d)", ErrUnknownCodec, h.Codec, h.Revision, h.Schema)
	}
}

// unpackColumns reads codec 1: the lengths of all columns, then the columns.
func (d *Decoder) unpackColumns(body []byte, h *Header, want columnSet) error {
	r := reader{p: body}
	var lengths [columns]int
	for k := range columns {
		lengths[k] = r.length(len(body))
	}
	var packed [columns]reader
	var way [columns]mode
	for k := range columns {
		packed[k] = reader{p: r.bytes(lengths[k])}
		way[k] = packed[k].mode(k)
		r.failed = r.failed || packed[k].failed
	}
	if r.failed || len(r.p) > 0 {
		return fmt.Errorf("%w: its columns do not fit", ErrCorrupt)
	}
	for k := columns - 1; k >= 0; k-- {
		if want.has(k) {
			want |= way[k].needs(k)
		}
	}
	for k := range columns {
		if want.has(k) && !d.unpackColumn(k, way[k], packed[k].p, h.Count) {
			return fmt.Errorf("%w: its column of %s cannot be read", ErrCorrupt, k)
		}
	}
	return d.table.agrees(h)
}

func (d *Decoder) unpackColumn(k column, m mode, p []byte, n int) bool {
	if !d.coder.open(p, n, &d.scratch) {
		return false
	}
	d.table.make(k, n)
	d.table.walk(&d.coder, k, m)
	return d.coder.next == d.coder.count && d.table.valid(k)
}

// limits are the least and the most that a column may hold.
func (k column) limits() (least, most int64) {
	switch k {
	case colTiming:
		return 0, math.MaxUint8
	case colHas:
		return 0, int64(smartmeter.AllQuantities)
	case colBoot, colSeq:
		return 0, math.MaxUint32
	case colTime:
		return 0, dayMillis - 1
	case colEnergy:
		return math.MinInt64, math.MaxInt64
	default:
		return math.MinInt32, math.MaxInt32
	}
}

// valid reports whether a column holds nothing that its type cannot.
func (t *table) valid(k column) bool {
	least, most := k.limits()
	within := int64(0) // negative as soon as one of the differences is
	for _, x := range t.col[k] {
		within |= (x - least) | (most - x)
	}
	return within >= 0 || k == colEnergy
}

// agrees compares what the table says of itself with the header.
func (t *table) agrees(h *Header) error {
	at, boot, seq := t.col[colTime], t.col[colBoot], t.col[colSeq]
	has := int64(0)
	for i := range at {
		has |= t.col[colHas][i]
		if i == 0 {
			continue
		}
		later := at[i] > at[i-1] || at[i] == at[i-1] &&
			(boot[i] > boot[i-1] || boot[i] == boot[i-1] && seq[i] >= seq[i-1])
		if !later {
			return fmt.Errorf("%w: reading %d comes before reading %d", ErrCorrupt, i, i-1)
		}
	}
	first, last := smartmeter.Instant(0), smartmeter.Instant(0)
	if n := len(at); n > 0 {
		first = h.Day.Midnight() + smartmeter.Instant(at[0])
		last = h.Day.Midnight() + smartmeter.Instant(at[n-1])
	}
	if first != h.First || last != h.Last || smartmeter.Quantities(has) != h.Quantities {
		return fmt.Errorf("%w: its readings are not those of the header", ErrCorrupt)
	}
	return nil
}
