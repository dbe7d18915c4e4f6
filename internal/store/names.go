package store

import (
	"bytes"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/chunk"
	"github.com/iot-smart-meter/smartmeter/internal/wal"
)

// The log names a channel before its first reading. When it lets go of its
// oldest part, the names in there are repeated at its end: behind the readings
// of the present day, which stay. So a replay sets readings of a channel that it
// does not know aside, and all that follows, until it has read that name.

// record takes the next record of the log.
func (r *replay) record(record wal.Record) error {
	if len(r.aside) == 0 && r.knows(record) {
		return r.redo(record)
	}
	record.Payload = bytes.Clone(record.Payload)
	r.aside = append(r.aside, record)
	if record.Type != recordEntry {
		return nil
	}
	e, err := decodeEntry(record.Payload)
	if err != nil || e.Channel == nil {
		return nil // its turn comes
	}
	r.numbers[e.Channel.Number] = r.announced(e.Channel.UID)
	for len(r.aside) > 0 && r.knows(r.aside[0]) {
		if err := r.redo(r.aside[0]); err != nil {
			return err
		}
		r.aside = r.aside[1:]
	}
	return nil
}

// announced returns a channel whose entry is aside. Its readings lie before that,
// so it is known from here on; its name comes in its turn.
func (r *replay) announced(uid chunk.ID) *channel {
	if c := r.store.byUID[uid]; c != nil {
		return c
	}
	return r.store.addChannel(channelID{}, uid)
}

// end takes what is still aside: its names are lost.
func (r *replay) end() error {
	for _, record := range r.aside {
		if err := r.redo(record); err != nil {
			return err
		}
	}
	r.aside = nil
	return nil
}

// knows reports whether every channel of a record has its name. What cannot be
// read is left to redo.
func (r *replay) knows(record wal.Record) bool {
	known := true
	switch record.Type {
	case recordReadings:
		namesIn(record.Payload, func(number uint32) { known = known && r.numbers[number] != nil })
	case recordUnplaced:
		_ = decodeUnplaced(record.Payload, func(_ string, number uint32, _ []smartmeter.Reading) error {
			known = known && r.numbers[number] != nil
			return nil
		})
	}
	return known
}
