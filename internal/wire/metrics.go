package wire

import "github.com/iot-smart-meter/smartmeter"

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
func DecodeMetrics(p []byte, s *smartmeter.Sample) error { return NotJSON }

// AppendMetrics appends s as JSON, what was not measured left out. A fielded
// sample (voltage, current, power; no seq) has the fielded form.
func AppendMetrics(dst []byte, s *smartmeter.Sample) []byte { return dst }

// DecodeBacklog reads an array of at most [MaxBacklog] numbered samples and
// appends them to dst. With [OutOfRange] they are returned all the same, and
// those that are Implausible or have Seq 0 must not be stored as measured. With
// any other error dst comes back as it was.
func DecodeBacklog(p []byte, dst []smartmeter.Sample) ([]smartmeter.Sample, error) {
	return dst, NotJSON
}

// AppendBacklog appends samples, oldest first and at most [MaxBacklog], as an
// array.
func AppendBacklog(dst []byte, samples []smartmeter.Sample) []byte { return dst }

// DecodeEnergy reads the cumulative register as kWh, e.g. 12.34.
func DecodeEnergy(p []byte) (smartmeter.WattHour, error) { return 0, NotJSON }

// AppendEnergy appends the register as kWh with two decimals, as the fielded
// sketch does: steps of 10 Wh, rounded half up.
func AppendEnergy(dst []byte, e smartmeter.WattHour) []byte { return dst }

// Ack tells a node that all samples of a boot up to Seq are durable at the
// hub, or known to be lost: the node may forget them.
type Ack struct {
	Boot smartmeter.BootID
	Seq  uint32
}

// DecodeAck reads pzem/ack.
func DecodeAck(p []byte) (Ack, error) { return Ack{}, NotJSON }

// AppendAck appends a as JSON.
func AppendAck(dst []byte, a Ack) []byte { return dst }
