package chunk

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/iot-smart-meter/smartmeter"
)

// Hash returns the SHA-256 of what a chunk gives back of the readings: for each
// of them 46 bytes, little-endian, which are At (8), Timing (1), Boot (4), Seq
// (4), Has (1), Voltage (4), Current (4), Power (4), Energy (8), Frequency (4)
// and PowerFactor (4). A quantity that a reading does not have counts as 0.
func Hash(readings []smartmeter.Reading) [32]byte {
	const atOnce = 4096
	h := sha256.New()
	buf := make([]byte, 0, atOnce+64)
	for i := range readings {
		if buf = appendCanonical(buf, &readings[i]); len(buf) >= atOnce {
			h.Write(buf)
			buf = buf[:0]
		}
	}
	h.Write(buf)
	return [32]byte(h.Sum(nil))
}

func appendCanonical(p []byte, r *smartmeter.Reading) []byte {
	m := measured(r.Measurement)
	le := binary.LittleEndian
	p = le.AppendUint64(p, uint64(r.At))
	p = append(p, byte(r.Timing))
	p = le.AppendUint32(p, uint32(r.Boot))
	p = le.AppendUint32(p, r.Seq)
	p = append(p, byte(m.Has))
	p = le.AppendUint32(p, uint32(m.Voltage))
	p = le.AppendUint32(p, uint32(m.Current))
	p = le.AppendUint32(p, uint32(m.Power))
	p = le.AppendUint64(p, uint64(m.Energy))
	p = le.AppendUint32(p, uint32(m.Frequency))
	return le.AppendUint32(p, uint32(m.PowerFactor))
}

// measured returns m with 0 for what it does not have.
func measured(m smartmeter.Measurement) smartmeter.Measurement {
	lacks := func(q smartmeter.Quantities) bool { return !m.Has.Has(q) }
	if lacks(smartmeter.Voltage) {
		m.Voltage = 0
	}
	if lacks(smartmeter.Current) {
		m.Current = 0
	}
	if lacks(smartmeter.Power) {
		m.Power = 0
	}
	if lacks(smartmeter.Energy) {
		m.Energy = 0
	}
	if lacks(smartmeter.Frequency) {
		m.Frequency = 0
	}
	if lacks(smartmeter.PowerFactor) {
		m.PowerFactor = 0
	}
	return m
}
