package wire

import (
	"math"

	"github.com/iot-smart-meter/smartmeter"
)

// DecodeMetrics reads one sample of pzem/metrics into s.
//
// With a nil error or [OutOfRange] s holds the whole sample. OutOfRange means
// that it must not be stored as measured: a quantity is outside the meter's
// physical range (s.Implausible says which), or its identity is (then s.Seq is
// 0). A numbered sample can so be acknowledged and counted as quarantined
// instead of being sent again for ever. With any other error s is zero.
//
// A sample of protocol 0 has no seq; its Boot, Seq, First and T are 0. Where
// seq is present, boot and t must be, too.
func DecodeMetrics(p []byte, s *smartmeter.Sample) error {
	*s = smartmeter.Sample{}
	d := scan(p)
	d.sample(s, 0)
	err := d.end(0)
	if err != nil && err != OutOfRange {
		*s = smartmeter.Sample{}
	}
	return err
}

// sample reads one object of metrics or backlog.
func (d *scanner) sample(s *smartmeter.Sample, required fields) {
	outer := d.begin()
	for d.next() {
		switch d.field {
		case fieldVoltage:
			measured(d, s, smartmeter.Voltage, &s.Voltage, 1)
		case fieldCurrent:
			measured(d, s, smartmeter.Current, &s.Current, 3)
		case fieldPower:
			measured(d, s, smartmeter.Power, &s.Power, 1)
		case fieldFrequency:
			measured(d, s, smartmeter.Frequency, &s.Frequency, 1)
		case fieldPowerFactor:
			measured(d, s, smartmeter.PowerFactor, &s.PowerFactor, 2)
		case fieldEnergyWh:
			d.register(s)
		case fieldBoot:
			d.boot(&s.Boot)
		case fieldSeq:
			whole(d, &s.Seq, 1, math.MaxUint32)
		case fieldFirst:
			whole(d, &s.First, 0, math.MaxUint32)
		case fieldT:
			millis(d, &s.T, 0)
		case fieldAt:
			millis(d, &s.At, 1)
		default:
			d.skip()
		}
	}
	d.judge(s)
	d.require(required)
	d.leave(outer)
}

// measured reads a quantity in steps of 10^-places. What no int32 holds
// saturates, and is implausible then.
func measured[T ~int32](d *scanner, s *smartmeter.Sample, q smartmeter.Quantities, dst *T, places int) {
	if v, ok := d.decimal(places); ok {
		*dst = T(clamp(v))
		s.Has |= q
	}
}

// register reads the meter's own counter.
func (d *scanner) register(s *smartmeter.Sample) {
	if v, ok := d.decimal(0); ok {
		s.Energy = smartmeter.WattHour(v)
		s.Has |= smartmeter.Energy
	}
}

// judge decides what a sample that has been read is worth: whether it is
// numbered, and whether it can be believed.
func (d *scanner) judge(s *smartmeter.Sample) {
	numbered := d.got&fieldSeq != 0
	if numbered {
		d.require(fieldBoot | fieldT)
	} else if s.Has == 0 {
		d.fail(MissingField)
	}
	if numbered && s.First > s.Seq {
		d.out |= fieldFirst
	}
	if !numbered || d.out&(fieldSeq|fieldFirst|fieldT) != 0 {
		s.Boot, s.Seq, s.First, s.T = 0, 0, 0, 0
	}
	if s.Implausible() != 0 {
		d.out |= quantities
	}
}

// quantities are the fields that a meter measures.
const quantities = fieldVoltage | fieldCurrent | fieldPower | fieldEnergyWh | fieldFrequency | fieldPowerFactor

// AppendMetrics appends s as JSON, what was not measured left out. A fielded
// sample (voltage, current, power; no seq) has the fielded form.
func AppendMetrics(dst []byte, s *smartmeter.Sample) []byte {
	dst = append(dst, '{')
	if s.Has.Has(smartmeter.Voltage) {
		dst = appendDecimal(dst, "voltage", s.Voltage, 1)
	}
	if s.Has.Has(smartmeter.Current) {
		dst = appendDecimal(dst, "current", s.Current, 3)
	}
	if s.Has.Has(smartmeter.Power) {
		dst = appendDecimal(dst, "power", s.Power, 1)
	}
	if s.Has.Has(smartmeter.Frequency) {
		dst = appendDecimal(dst, "frequency", s.Frequency, 1)
	}
	if s.Has.Has(smartmeter.PowerFactor) {
		dst = appendDecimal(dst, "pf", s.PowerFactor, 2)
	}
	if s.Has.Has(smartmeter.Energy) {
		dst = appendInt(dst, "energy_wh", s.Energy)
	}
	if s.Seq != 0 {
		dst = appendBoot(dst, s.Boot)
		dst = appendInt(dst, "seq", s.Seq)
		dst = appendSet(dst, "first", s.First)
		dst = appendInt(dst, "t", s.T)
	}
	dst = appendSet(dst, "at", s.At)
	return append(dst, '}')
}

// DecodeBacklog reads an array of at most [MaxBacklog] numbered samples and
// appends them to dst. With [OutOfRange] they are returned all the same, and
// those that are Implausible or have Seq 0 must not be stored as measured. With
// any other error dst comes back as it was.
func DecodeBacklog(p []byte, dst []smartmeter.Sample) ([]smartmeter.Sample, error) {
	before := len(dst)
	d := scan(p)
	for d.enter('['); d.more(']'); {
		if len(dst)-before == MaxBacklog {
			d.fail(TooMany)
			break
		}
		dst = append(dst, smartmeter.Sample{})
		d.sample(&dst[len(dst)-1], fieldSeq)
	}
	err := d.end(0)
	if err != nil && err != OutOfRange {
		return dst[:before], err
	}
	return dst, err
}

// AppendBacklog appends samples, oldest first and at most [MaxBacklog], as an
// array.
func AppendBacklog(dst []byte, samples []smartmeter.Sample) []byte {
	dst = append(dst, '[')
	for i := range samples {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendMetrics(dst, &samples[i])
	}
	return append(dst, ']')
}
