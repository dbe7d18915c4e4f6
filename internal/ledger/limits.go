package ledger

import (
	"github.com/iot-smart-meter/smartmeter"
)

// What the ledger believes.
const (
	// registerStep is the coarsest step of the registers in the field. A
	// decrease by no more than this is rounding.
	registerStep smartmeter.WattHour = 10
	// rollover is where the PZEM-004T begins again at 0, after 9,999.99 kWh
	// or, in finer steps, 9,999.999.
	rollover smartmeter.WattHour = 10_000_000
	// slack is how far time may be wrong between two readings: stalled
	// networks, clocks set right, a load's peak between two samples of power.
	slack smartmeter.Instant = 10_000

	// holdsFor is how long a candidate must hold.
	holdsFor smartmeter.Instant = 60_000
	// lagsFor is how long it may count less than the power says. After that
	// the power is wrong, not the register.
	lagsFor smartmeter.Instant = 3_600_000
	// announcedFor is how far a node's word about a reset and the decrease
	// may lie apart.
	announcedFor smartmeter.Instant = 300_000
	// gapFrom is the length from which on readings leave a gap.
	gapFrom = quarterMillis
)

// vouched returns the energy that the samples of power account for: a tenth
// more than their integral, 72 Wh for slack, and a step. Where there are no
// samples, they account for nothing.
func vouched(u Use, length smartmeter.Instant) smartmeter.WattHour {
	return min(possible(length), registerStep+wattHours(u.Energy+u.Energy/10+atMost(slack)))
}

// plausible returns the energy that can have been used at all: what the samples
// account for, and the meter's full power where there are none.
func plausible(u Use, length smartmeter.Instant) smartmeter.WattHour {
	gap := length - smartmeter.Instant(u.Covered)
	return min(possible(length), vouched(u, length)+wattHours(atMost(gap)))
}

// possible returns what the meter's full power amounts to, with slack and a step.
func possible(length smartmeter.Instant) smartmeter.WattHour {
	return wattHours(atMost(length+slack)) + registerStep
}

// expected returns what a register that goes with its power has counted at
// least: half of it, less a step.
func expected(u Use) smartmeter.WattHour {
	return wattHours(u.Energy/2) - registerStep
}

// misses returns how far the power is from what a register has counted.
func (u Use) misses(counted smartmeter.WattHour) int64 {
	missed := int64(counted)*perWattHour - u.Energy
	return max(missed, -missed)
}

func atMost(length smartmeter.Instant) int64 {
	return int64(smartmeter.MaxPower) * int64(length)
}

func wattHours(energy int64) smartmeter.WattHour {
	return smartmeter.WattHour(energy / perWattHour)
}
