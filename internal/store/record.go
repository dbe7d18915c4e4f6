package store

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
)

// What the log's records hold. Readings come every second and are packed; what
// people do is rare and is JSON, one entry to a record.
const (
	recordReadings byte = 1
	recordEntry    byte = 2
	recordUnplaced byte = 3
)

// entry is what happened beside the readings. Exactly one of its fields is set.
// Those that last, one to a line, are the journal in the monthly files.
type entry struct {
	Channel  *channelEntry       `json:"channel,omitempty"`
	Device   *smartmeter.Device  `json:"device,omitempty"`
	Command  *smartmeter.Command `json:"command,omitempty"`
	Alert    *smartmeter.Alert   `json:"alert,omitempty"`
	Erased   *erasedEntry        `json:"erased,omitempty"`
	Retained *retainedEntry      `json:"retained,omitempty"`
	// Correction is one of energy.
	Correction *smartmeter.Correction `json:"correction,omitempty"`
	Placed     *placedEntry           `json:"placed,omitempty"`
}

// channelEntry gives a channel its number in the log and its name for good.
type channelEntry struct {
	Number  uint32            `json:"number"` // in the log
	UID     chunk.ID          `json:"uid"`
	Node    smartmeter.NodeID `json:"node"`
	Channel uint8             `json:"channel"`
	// Again says that the journal has it already.
	Again bool `json:"again,omitempty"`
}

// erasedEntry is a device that is forgotten, with its channels by their names
// for good: a node that is met anew has another one.
type erasedEntry struct {
	Device   smartmeter.Device `json:"device"`
	Channels []chunk.ID        `json:"channels"`
}

// retainedEntry is a message that the broker keeps, or Gone.
type retainedEntry struct {
	Topic   string `json:"topic"`
	Payload []byte `json:"payload,omitempty"`
	QoS     uint8  `json:"qos,omitempty"`
	Gone    bool   `json:"gone,omitempty"`
}

// placedEntry gives readings that were kept by a machine's uptime their time.
type placedEntry struct {
	Machine string             `json:"machine"` // its boot id
	Epoch   smartmeter.Instant `json:"epoch"`   // the time at its uptime 0
}

// lasting reports whether e belongs in the journal that is kept for good. What
// the broker keeps counts only until the next message, a machine's uptime only
// within the log, and of what is erased nothing is to be told.
func (e entry) lasting() bool {
	return e.Retained == nil && e.Placed == nil && e.Erased == nil && (e.Channel == nil || !e.Channel.Again)
}

func encodeEntry(e entry) []byte {
	p, err := json.Marshal(e)
	if err != nil {
		panic(err) // strings and integers only
	}
	return p
}

func decodeEntry(p []byte) (entry, error) {
	var e entry
	if err := json.Unmarshal(p, &e); err != nil {
		return e, fmt.Errorf("an entry of the log: %w", err)
	}
	return e, nil
}

var errRecord = errors.New("a record of readings is not as it was written")

// A record of readings is a time, as a signed varint of ms since 1970 UTC, and
// groups, one for each channel:
//
//	uvarint  the channel's number in the log
//	uvarint  how many readings follow
//
// and each reading is a byte of what it has (bits 0-5), whether it came by
// arrival (bit 6) and whether a boot follows (bit 7; 4 bytes, little endian);
// then, as differences from the reading before in the group, at first from the
// record's time and 0: its time, its sequence number and the quantities it has,
// as signed varints. Two readings of ten seconds take some 38 bytes.
const (
	flagByArrival = 1 << 6
	flagBoot      = 1 << 7
)

// beginRecord begins a record of readings from about a time.
func beginRecord(dst []byte, at smartmeter.Instant) []byte {
	return binary.AppendVarint(dst, int64(at))
}

// appendGroup appends a channel's readings to a record that began with at.
func appendGroup(dst []byte, at smartmeter.Instant, number uint32, readings []smartmeter.Reading) []byte {
	dst = binary.AppendUvarint(dst, uint64(number))
	dst = binary.AppendUvarint(dst, uint64(len(readings)))
	before := smartmeter.Reading{At: at}
	for i := range readings {
		r := &readings[i]
		flags := byte(r.Has)
		if r.Timing == smartmeter.ByArrival {
			flags |= flagByArrival
		}
		if r.Boot != before.Boot {
			flags |= flagBoot
		}
		dst = append(dst, flags)
		if flags&flagBoot != 0 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(r.Boot))
		}
		dst = binary.AppendVarint(dst, int64(r.At-before.At))
		dst = binary.AppendVarint(dst, int64(r.Seq)-int64(before.Seq))
		now, then := quantities(&r.Measurement), quantities(&before.Measurement)
		for q := range now {
			if r.Has.Has(1 << q) {
				dst = binary.AppendVarint(dst, now[q]-then[q])
			}
		}
		before = *r
	}
	return dst
}

// quantities returns the values in the order of their bits, 0 where absent.
func quantities(m *smartmeter.Measurement) (v [6]int64) {
	v = [6]int64{int64(m.Voltage), int64(m.Current), int64(m.Power), int64(m.Energy), int64(m.Frequency), int64(m.PowerFactor)}
	for q := range v {
		if !m.Has.Has(1 << q) {
			v[q] = 0
		}
	}
	return v
}

// decodeGroups calls group for each channel of a record. The readings name no
// node, and the slice is used again.
func decodeGroups(p []byte, group func(number uint32, readings []smartmeter.Reading) error) error {
	d := recordDecoder{rest: p}
	at := smartmeter.Instant(d.varint())
	if d.failed {
		return errRecord
	}
	var readings []smartmeter.Reading
	for len(d.rest) > 0 {
		number, count := d.uvarint(), d.uvarint()
		if d.failed || number > 1<<32-1 || count > uint64(len(d.rest)) { // a reading has more than a byte
			return errRecord
		}
		readings = readings[:0]
		before := smartmeter.Reading{At: at}
		for range count {
			before = d.reading(before)
			readings = append(readings, before)
		}
		if d.failed {
			return errRecord
		}
		if err := group(uint32(number), readings); err != nil {
			return err
		}
	}
	return nil
}

// namesIn calls name with the number of each channel of a record, without decoding
// its readings.
func namesIn(p []byte, name func(number uint32)) {
	d := recordDecoder{rest: p}
	d.varint()
	for len(d.rest) > 0 {
		number, count := d.uvarint(), d.uvarint()
		for ; count > 0 && !d.failed; count-- {
			d.skipReading()
		}
		if d.failed {
			return
		}
		name(uint32(number))
	}
}

// encodeUnplaced returns a record of readings whose time is not known: the length
// of the machine's boot id as uvarint, the id, and a record of readings that
// have the uptime for their time.
func encodeUnplaced(machine string, groups map[*channel][]smartmeter.Reading) []byte {
	record := binary.AppendUvarint(nil, uint64(len(machine)))
	record = beginRecord(append(record, machine...), 0)
	for c, readings := range groups {
		record = appendGroup(record, 0, c.number, readings)
	}
	return record
}

// decodeUnplaced calls group for each channel of such a record; see
// decodeGroups.
func decodeUnplaced(p []byte, group func(machine string, number uint32, readings []smartmeter.Reading) error) error {
	d := recordDecoder{rest: p}
	n := d.uvarint()
	if d.failed || n == 0 || n > maxMachine || n > uint64(len(d.rest)) {
		return errRecord
	}
	machine := string(d.next(int(n)))
	return decodeGroups(d.rest, func(number uint32, readings []smartmeter.Reading) error {
		return group(machine, number, readings)
	})
}

// recordDecoder reads a record from its beginning, until something fails.
type recordDecoder struct {
	rest   []byte
	failed bool
}

func (d *recordDecoder) reading(before smartmeter.Reading) (r smartmeter.Reading) {
	flags := d.next(1)[0]
	r.Has = smartmeter.Quantities(flags) & smartmeter.AllQuantities
	if flags&flagByArrival != 0 {
		r.Timing = smartmeter.ByArrival
	}
	r.Boot = before.Boot
	if flags&flagBoot != 0 {
		r.Boot = smartmeter.BootID(binary.LittleEndian.Uint32(d.next(4)))
	}
	r.At = before.At + smartmeter.Instant(d.varint())
	r.Seq = uint32(int64(before.Seq) + d.varint())
	v := quantities(&before.Measurement)
	for q := range v {
		if r.Has.Has(1 << q) {
			v[q] += d.varint()
		} else {
			v[q] = 0
		}
	}
	r.Voltage, r.Current, r.Power = smartmeter.Decivolt(v[0]), smartmeter.Milliamp(v[1]), smartmeter.Deciwatt(v[2])
	r.Energy, r.Frequency, r.PowerFactor = smartmeter.WattHour(v[3]), smartmeter.Decihertz(v[4]), smartmeter.Hundredth(v[5])
	return r
}

// skipReading goes past a reading without looking at it.
func (d *recordDecoder) skipReading() {
	flags := d.next(1)[0]
	if flags&flagBoot != 0 {
		d.next(4)
	}
	varints := 2 + bits.OnesCount8(flags&byte(smartmeter.AllQuantities))
	for i, b := range d.rest {
		if b&0x80 == 0 {
			varints--
		}
		if varints == 0 {
			d.rest = d.rest[i+1:]
			return
		}
	}
	d.failed, d.rest = true, nil
}

func (d *recordDecoder) uvarint() uint64 {
	if len(d.rest) > 0 && d.rest[0] < 0x80 { // as most are
		v := d.rest[0]
		d.rest = d.rest[1:]
		return uint64(v)
	}
	v, n := binary.Uvarint(d.rest)
	if n <= 0 {
		d.failed, n = true, len(d.rest)
	}
	d.rest = d.rest[n:]
	return v
}

func (d *recordDecoder) varint() int64 {
	u := d.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// next returns the next n bytes, zeroes where they are missing.
func (d *recordDecoder) next(n int) []byte {
	if len(d.rest) < n {
		d.failed, d.rest = true, nil
		return make([]byte, n)
	}
	p := d.rest[:n]
	d.rest = d.rest[n:]
	return p
}
