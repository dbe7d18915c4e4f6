package node

import (
	"math"

	"github.com/iot-smart-meter/smartmeter"
)

// WeekOfMinutes is how many minutes a node should remember the register of, at
// 8 bytes each, where it has the memory.
const WeekOfMinutes = 7 * 24 * 60

// msPerMinute converts between the time since boot and minutes.
const msPerMinute smartmeter.Millis = 60_000

// minutes remembers what the register said in each minute of this boot: of the
// first sample of a minute its number and its register. It is the long memory
// for an outage that outlasts the buffer, when only the energy matters, and by
// when it was used. What is left of a sample is that sample, thinned: it keeps
// its number, and its time to the minute.
type minutes struct {
	records []minute // of minute m at m % len(records)
	// oldest is the first minute that may still be wanted and newest the last
	// that was noted, in minutes since boot.
	oldest, newest int64
}

// minute is what is remembered of one minute; seq is 0 where there is nothing.
type minute struct {
	seq      uint32
	register uint32 // Wh
}

// newMinutes returns the memory of count minutes, 0 for none.
func newMinutes(count int) minutes {
	return minutes{records: make([]minute, count), newest: -1}
}

// note remembers a sample if it is the first of its minute.
func (m *minutes) note(s *smartmeter.Sample) {
	at := int64(s.T / msPerMinute)
	if len(m.records) == 0 || at == m.newest || !s.Has.Has(smartmeter.Energy) || s.Energy > math.MaxUint32 {
		return
	}
	for gap := max(m.newest+1, at-int64(len(m.records))+1); gap < at; gap++ {
		*m.of(gap) = minute{}
	}
	*m.of(at) = minute{seq: s.Seq, register: uint32(s.Energy)}
	m.newest = at
	m.oldest = max(m.oldest, at-int64(len(m.records))+1)
}

// of returns the place of a minute.
func (m *minutes) of(at int64) *minute { return &m.records[at%int64(len(m.records))] }

// acknowledge forgets all up to a sample.
func (m *minutes) acknowledge(seq uint32) {
	for m.oldest <= m.newest && m.of(m.oldest).seq <= seq {
		m.oldest++
	}
}

// clear forgets everything.
func (m *minutes) clear() { m.oldest = m.newest + 1 }

// from returns the first remembered minute from one on; one after newest if
// there is none.
func (m *minutes) from(at int64) int64 {
	at = max(at, m.oldest)
	for at <= m.newest && m.of(at).seq == 0 {
		at++
	}
	return at
}

// thinned returns what is left of the sample of a minute. Nothing that came
// before it is kept any more, as First says.
func (m *minutes) thinned(at int64, boot smartmeter.BootID) smartmeter.Sample {
	record := m.of(at)
	return smartmeter.Sample{
		Measurement: smartmeter.Measurement{Has: smartmeter.Energy, Energy: smartmeter.WattHour(record.register)},
		Boot:        boot,
		Seq:         record.seq,
		First:       record.seq,
		T:           smartmeter.Millis(at) * msPerMinute,
	}
}
