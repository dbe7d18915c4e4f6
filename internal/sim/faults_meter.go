package sim

import (
	"math/rand/v2"

	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// MeterFault is what is wrong with a module or its line.
type MeterFault uint8

// The faults of a module.
const (
	MeterWell   MeterFault = iota
	MeterSilent            // no mains: not a byte comes
	MeterNoisy             // bytes are changed, lost, or come from nowhere
)

// faultyPort is a line to a module that can be spoilt.
type faultyPort struct {
	*pzem.Slave
	chance *rand.Rand
	fault  MeterFault
}

// Read reads the module's reply, or what became of it.
func (p *faultyPort) Read(into []byte) (int, error) {
	n, err := p.Slave.Read(into)
	switch {
	case p.fault == MeterSilent:
		return 0, err
	case p.fault != MeterNoisy || n == 0:
		return n, err
	}
	switch p.chance.IntN(4) {
	case 0:
		into[p.chance.IntN(n)] ^= 1 << p.chance.IntN(8)
	case 1:
		n = p.chance.IntN(n)
	case 2:
		for i := range into[:n] {
			into[i] = byte(p.chance.Uint32())
		}
	}
	return n, err
}
