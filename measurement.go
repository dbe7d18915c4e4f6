package smartmeter

// The meter's units. A PZEM-004T counts in exactly these steps.
type (
	Decivolt  int32 // 0.1 V
	Milliamp  int32 // 1 mA
	Deciwatt  int32 // 0.1 W, active power
	WattHour  int64 // 1 Wh
	Decihertz int32 // 0.1 Hz
	Hundredth int32 // 0.01, power factor
)

// Quantities is a set of measured quantities.
type Quantities uint8

// The quantities a meter may measure.
const (
	Voltage Quantities = 1 << iota
	Current
	Power
	Energy
	Frequency
	PowerFactor

	// AllQuantities is what one read of a PZEM-004T gives.
	AllQuantities = Voltage | Current | Power | Energy | Frequency | PowerFactor
)

// Has reports whether all of q are in the set.
func (s Quantities) Has(q Quantities) bool { return s&q == q }

// Measurement is what a meter said at one instant.
type Measurement struct {
	// Has tells which of the fields were measured. The others are absent, which
	// is not the same as zero.
	Has Quantities

	Voltage     Decivolt
	Current     Milliamp
	Power       Deciwatt
	Energy      WattHour // the meter's own register, not a consumption
	Frequency   Decihertz
	PowerFactor Hundredth
}

// Physical limits of the meters we know (PZEM-004T v3.0 and v4.0 with a 100 A
// transformer, and some margin for power). A value outside them was not
// measured, it was garbled.
const (
	MinVoltage     Decivolt  = 800
	MaxVoltage     Decivolt  = 2600
	MaxCurrent     Milliamp  = 100_000
	MaxPower       Deciwatt  = 260_000
	MinFrequency   Decihertz = 450
	MaxFrequency   Decihertz = 650
	MaxPowerFactor Hundredth = 100
	// MaxEnergy is far above any meter's rollover (9,999.99 kWh for a PZEM) and
	// far below what would overflow a sum.
	MaxEnergy WattHour = 1_000_000_000_000
)

// Implausible returns the measured quantities that lie outside the meter's
// physical range; 0 when all is well.
func (m *Measurement) Implausible() Quantities {
	var bad Quantities
	mark := func(q Quantities, ok bool) {
		if m.Has&q != 0 && !ok {
			bad |= q
		}
	}
	mark(Voltage, m.Voltage >= MinVoltage && m.Voltage <= MaxVoltage)
	mark(Current, m.Current >= 0 && m.Current <= MaxCurrent)
	mark(Power, m.Power >= 0 && m.Power <= MaxPower)
	mark(Energy, m.Energy >= 0 && m.Energy <= MaxEnergy)
	mark(Frequency, m.Frequency >= MinFrequency && m.Frequency <= MaxFrequency)
	mark(PowerFactor, m.PowerFactor >= 0 && m.PowerFactor <= MaxPowerFactor)
	return bad
}

// Sample is a measurement as its node numbered and timed it.
type Sample struct {
	Measurement

	// Boot and Seq identify the sample together with node and channel. Seq
	// counts from 1 at every boot; 0 means the node does not number its samples
	// (protocol 0), and then Boot, First and T are absent, too.
	Boot BootID
	Seq  uint32
	// First is the oldest Seq of this boot that the node still keeps: what is
	// below it and was never acknowledged is lost for good.
	First uint32
	// T is the time since the node's boot.
	T Millis
	// At is the node's own clock, 0 if it has none that it trusts.
	At Instant
}

// BootID is drawn anew at each boot of a node; on the wire it is 8 hex digits.
type BootID uint32

// Reading is a sample at its place in time, as the hub keeps it.
type Reading struct {
	Node    NodeID
	Channel uint8
	At      Instant
	// Timing says where At comes from, and so how far it can be trusted.
	Timing Timing
	Boot   BootID // with Seq: the sample's identity; both 0 for protocol 0
	Seq    uint32
	Measurement
}

// Timing says how the time of a reading was found.
type Timing uint8

const (
	// ByNode: the node's time since boot, mapped onto the hub's clock.
	ByNode Timing = iota
	// ByArrival: the node says nothing about time; stamped when it came in.
	ByArrival
)

// After returns the newest reading of a channel when r follows before, nil for
// none. Only the register is carried over: it stands while nobody sends it, but
// an old voltage or power is not the present one. A register that is sent apart
// from the rest leaves the rest as it is.
func (r Reading) After(before *Reading) Reading {
	switch {
	case before == nil:
		return r
	case r.Has == Energy:
		merged := *before
		merged.Has |= Energy
		merged.Energy = r.Energy
		return merged
	case !r.Has.Has(Energy) && before.Has.Has(Energy):
		r.Has |= Energy
		r.Energy = before.Energy
	}
	return r
}
