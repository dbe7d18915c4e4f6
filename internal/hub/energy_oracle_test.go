package hub_test

import (
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter"
)

const (
	second      = smartmeter.Instant(1000)
	perWattHour = 36_000_000 // 0.1 W x ms
	rollsOver   = 10_000_000 // Wh
)

// oracleMeter is a meter and what happens to it. It adds up in integers what its
// true register showed from reading to reading, and knows nothing of a ledger.
type oracleMeter struct {
	chance   *rand.Rand
	now      smartmeter.Instant
	used     int64 // since the counter began at 0, in 0.1 W x ms
	shown    int64 // Wh, by the last true reading
	readings []smartmeter.Reading
	// counted is the true answer, held what only a person can decide.
	counted, held int64
}

// newOracleMeter returns a meter after days of such a life.
func newOracleMeter(chance *rand.Rand, node smartmeter.NodeID, begin, end smartmeter.Instant) *oracleMeter {
	starts := []int64{0, 3_737, 59_900, 438_816, 9_999_500}
	m := &oracleMeter{chance: chance, now: begin, used: starts[chance.IntN(len(starts))] * perWattHour}
	m.shown = m.register()
	m.reads(0)
	m.runs(20, true)
	for m.now < end {
		m.happens()
		m.runs(10+chance.IntN(10), true) // a counter needs minutes to prove itself
		m.runs(chance.IntN(300), false)
	}
	for i := range m.readings {
		m.readings[i].Node = node
	}
	return m
}

func (m *oracleMeter) register() int64 { return m.used / perWattHour % rollsOver }

func (m *oracleMeter) passes(length smartmeter.Instant, power int64) {
	m.now += length
	m.used += int64(length) * power
}

// says adds a reading, true or not.
func (m *oracleMeter) says(power, register int64) {
	r := smartmeter.Reading{At: m.now}
	r.Has, r.Power, r.Energy = smartmeter.Power|smartmeter.Energy, smartmeter.Deciwatt(power), smartmeter.WattHour(register)
	m.readings = append(m.readings, r)
}

// reads adds a true reading, and counts.
func (m *oracleMeter) reads(power int64) {
	m.says(power, m.register())
	m.counted += (m.register() - m.shown + rollsOver) % rollsOver
	m.shown = m.register()
}

// runs lets a load run for some minutes, read at each.
func (m *oracleMeter) runs(minutes int, strong bool) {
	power := []int64{0, 30, 600, 20_000}[m.chance.IntN(4)]
	if strong {
		power = 6000 + m.chance.Int64N(14_000)
	}
	for range minutes {
		m.passes(minute, power)
		m.reads(power)
	}
}

// happens does one thing that happens to meters.
func (m *oracleMeter) happens() {
	switch m.chance.IntN(7) {
	case 0: // nobody hears it
		power := m.chance.Int64N(3000)
		m.passes(30*minute+smartmeter.Instant(m.chance.Int64N(2*int64(day))), power)
		m.reads(power)
	case 1:
		m.lies(10*second, func(truth int64) int64 { return max(0, truth-200-m.chance.Int64N(500_000)) })
	case 2:
		m.lies(10*second, func(truth int64) int64 { return truth + 200 + m.chance.Int64N(50_000_000) })
	case 3: // as modules do after a reboot
		m.lies(second, func(int64) int64 { return 0 })
	case 4: // somebody resets it
		if m.shown > 1000 && m.shown < 9_990_000 {
			m.used, m.shown = 0, 0
		}
	case 5: // a jump that nobody can account for, once and for all
		if m.shown > 9_000_000 {
			return
		}
		m.used += (50_000 + m.chance.Int64N(900_000)) * perWattHour
		m.passes(minute, 6000)
		m.held += m.register() - m.shown
		m.shown = m.register()
		m.says(6000, m.shown)
	case 6: // its clock is set right
		m.now += []smartmeter.Instant{-10 * second, 5 * second, 2 * hour}[m.chance.IntN(3)]
	}
}

// lies lets the meter say something else for less than a minute.
func (m *oracleMeter) lies(every smartmeter.Instant, lie func(truth int64) int64) {
	for range 1 + m.chance.IntN(int(50*second/every)) {
		m.passes(every, 20_000)
		said := lie(m.register())
		if off := said - m.register(); max(off, -off) >= 200 { // else it is as good as true
			m.says(20_000, said)
		}
	}
}
