package chunk

import (
	"fmt"
	"math"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
)

// Decoder unpacks chunks. It holds buffers only: its zero value is ready, and
// it may be used again and again, but not by two goroutines at once.
type Decoder struct {
	table   table
	joiners []joiner
	day     Day
	want    smartmeter.Quantities
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
	h, err := d.Unpack(p, want)
	if err != nil {
		return h, into[:0], err
	}
	into = slices.Grow(into[:0], h.Count)[:h.Count]
	d.Read(into, 0, "", 0)
	return h, into, nil
}

// Between returns the numbers of the readings with from <= At < to: the first,
// and the one behind the last.
func (d *Decoder) Between(from, to smartmeter.Instant) (first, end int) {
	at := d.table.col[colTime]
	first, _ = slices.BinarySearch(at, int64(from-d.day.Midnight()))
	end, _ = slices.BinarySearch(at, int64(to-d.day.Midnight()))
	return first, max(first, end)
}

// Read fills dst with what was unpacked, from the reading with a number on, as
// readings of a node's channel.
func (d *Decoder) Read(dst []smartmeter.Reading, first int, node smartmeter.NodeID, channel uint8) {
	part := func(k column) []int64 {
		if q := k.quantity(); q != 0 && q&d.want == 0 {
			k = colHas // it was not unpacked, and its values will not count
		}
		return d.table.col[k][first:][:len(dst)]
	}
	at, timing, boot, seq, has := part(colTime), part(colTiming), part(colBoot), part(colSeq), part(colHas)
	volts, amps, watts := part(colVoltage), part(colCurrent), part(colPower)
	energy, frequency, factor := part(colEnergy), part(colFrequency), part(colPowerFactor)
	midnight := d.day.Midnight()
	for i := range dst {
		r, has := &dst[i], smartmeter.Quantities(has[i])&d.want
		r.Node, r.Channel = node, channel
		r.At = midnight + smartmeter.Instant(at[i])
		r.Timing = smartmeter.Timing(timing[i])
		r.Boot = smartmeter.BootID(boot[i])
		r.Seq = uint32(seq[i])
		r.Has = has
		r.Voltage = smartmeter.Decivolt(ifAny(has&smartmeter.Voltage, volts[i]))
		r.Current = smartmeter.Milliamp(ifAny(has&smartmeter.Current, amps[i]))
		r.Power = smartmeter.Deciwatt(ifAny(has&smartmeter.Power, watts[i]))
		r.Energy = smartmeter.WattHour(ifAny(has&smartmeter.Energy, energy[i]))
		r.Frequency = smartmeter.Decihertz(ifAny(has&smartmeter.Frequency, frequency[i]))
		r.PowerFactor = smartmeter.Hundredth(ifAny(has&smartmeter.PowerFactor, factor[i]))
	}
}

// ifAny returns x, or 0 for no quantities.
func ifAny(q smartmeter.Quantities, x int64) int64 {
	if q == 0 {
		return 0
	}
	return x
}

// Unpack makes the readings of the chunk p ready for Read, with some of the
// quantities. They are checked as a whole before it returns.
func (d *Decoder) Unpack(p []byte, want smartmeter.Quantities) (Header, error) {
	h, err := ReadHeader(p)
	if err != nil {
		return h, err
	}
	d.day, d.want = h.Day, want
	switch {
	case h.Codec == codecColumns && h.Revision == revisionColumns && h.Schema == schemaPZEM:
		return h, d.unpackColumns(p[headerSize:], &h, columnsOf(want))
	default:
		return h, fmt.Errorf("%w (codec %d.%d, schema %d)", ErrUnknownCodec, h.Codec, h.Revision, h.Schema)
	}
}

// unpackColumns reads codec 1: the lengths of all columns, then the columns.
func (d *Decoder) unpackColumns(body []byte, h *Header, want columnSet) error {
	u := unpacking{table: &d.table, count: h.Count, want: want}
	r := reader{p: body}
	var lengths [columns]int
	for k := range columns {
		lengths[k] = r.length(len(body))
	}
	for k := range columns {
		column := reader{p: r.bytes(lengths[k])}
		u.way[k] = column.mode(k)
		u.packed[k] = column.p
		r.failed = r.failed || column.failed
	}
	if r.failed || len(r.p) > 0 {
		return fmt.Errorf("%w: its columns do not fit", ErrCorrupt)
	}
	for k := columns - 1; k >= 0; k-- {
		if u.want.has(k) {
			u.want |= u.way[k].needs(k)
		}
	}
	if err := u.run(&d.joiners); err != nil {
		return err
	}
	return d.table.agrees(h)
}

// limits are the least that a column may hold, and how many bits more.
func (k column) limits() (least int64, bits int) {
	switch k {
	case colTiming:
		return 0, 8
	case colHas:
		return 0, 6
	case colBoot, colSeq:
		return 0, 32
	case colTime:
		return 0, 27
	case colEnergy:
		return math.MinInt64, 64
	default:
		return math.MinInt32, 32
	}
}

// valid reports whether a column holds nothing that its type cannot. That times
// lie in the day follows from the last of them.
func (t *table) valid(k column) bool {
	least, bits := k.limits()
	all := uint64(0)
	for _, x := range t.col[k] {
		all |= uint64(x - least)
	}
	return all>>bits == 0
}

// agrees compares what the table says of itself with the header.
func (t *table) agrees(h *Header) error {
	has := int64(0)
	for _, some := range t.col[colHas] {
		has |= some
	}
	if err := t.inOrder(); err != nil {
		return err
	}
	first, last := smartmeter.Instant(0), smartmeter.Instant(0)
	if at := t.col[colTime]; len(at) > 0 {
		first = h.Day.Midnight() + smartmeter.Instant(at[0])
		last = h.Day.Midnight() + smartmeter.Instant(at[len(at)-1])
	}
	if first != h.First || last != h.Last || smartmeter.Quantities(has) != h.Quantities {
		return fmt.Errorf("%w: its readings are not those of the header", ErrCorrupt)
	}
	return nil
}

// inOrder looks at times first: hardly ever two are the same.
func (t *table) inOrder() error {
	at, boot, seq := t.col[colTime], t.col[colBoot], t.col[colSeq]
	for i := 1; i < len(at); i++ {
		if at[i] > at[i-1] || at[i] == at[i-1] && (boot[i] > boot[i-1] || boot[i] == boot[i-1] && seq[i] >= seq[i-1]) {
			continue
		}
		return fmt.Errorf("%w: reading %d comes before reading %d", ErrCorrupt, i, i-1)
	}
	if n := len(at); n > 0 && at[n-1] >= dayMillis {
		return fmt.Errorf("%w: its last reading is of another day", ErrCorrupt)
	}
	return nil
}
