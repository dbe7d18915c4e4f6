package wire

import (
	"math"

	"github.com/iot-smart-meter/smartmeter"
)

// Ack tells a node that all samples of a boot up to Seq are durable at the
// hub, or known to be lost: the node may forget them. 0 says that none are, and
// that the hub is there.
type Ack struct {
	Boot smartmeter.BootID
	Seq  uint32
}

// DecodeAck reads pzem/ack.
func DecodeAck(p []byte) (Ack, error) {
	var a Ack
	d := scan(p)
	for d.begin(); d.next(); {
		switch d.field {
		case fieldBoot:
			d.boot(&a.Boot)
		case fieldSeq:
			whole(&d, &a.Seq, 0, math.MaxUint32)
		default:
			d.skip()
		}
	}
	return a, d.end(fieldBoot | fieldSeq)
}

// AppendAck appends a as JSON.
func AppendAck(dst []byte, a Ack) []byte {
	dst = append(dst, '{')
	dst = appendBoot(dst, a.Boot)
	dst = appendInt(dst, "seq", a.Seq)
	return append(dst, '}')
}
