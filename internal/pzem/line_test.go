package pzem_test

import (
	"os"
	"slices"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// How a serial line behaves, in milliseconds.
const (
	readTimeout = 200
	replyTime   = 35
)

// line is a serial line with a module at its end and a clock of its own. What
// happens to each reply on its way is given by faults, one after the other,
// and nothing happens to those that follow.
type line struct {
	slave  *pzem.Slave
	faults []fault
	// gone is what reading and writing fail with; nil while the port is there.
	gone error
	// polite makes silence an error with Timeout() == true, as a socket does,
	// instead of no bytes and no error, as a serial port does.
	polite bool

	now      int
	arrivals []arrival
	requests [][]byte
	resets   int
}

// fault spoils one reply.
type fault struct {
	silent bool
	delay  int    // milliseconds more than usual
	before []byte // noise just before the reply
	after  []byte // noise just after it
	flip   int    // 1 + the bit that is turned over
	cut    int    // bytes that are missing at the end
	say    []byte // said instead of the reply
	single bool   // the reply trickles in, a byte at a time
}

type arrival struct {
	at    int
	bytes []byte
}

func (l *line) Write(request []byte) (int, error) {
	if l.gone != nil {
		return 0, l.gone
	}
	l.requests = append(l.requests, slices.Clone(request))
	var f fault
	if len(l.faults) > 0 {
		f, l.faults = l.faults[0], l.faults[1:]
	}
	reply := slices.Clone(l.slave.Feed(request))
	if f.silent || len(reply) == 0 {
		return len(request), nil
	}
	l.arrive(l.now+replyTime+f.delay, f.spoil(reply), f.single)
	return len(request), nil
}

// spoil returns what becomes of a reply.
func (f fault) spoil(reply []byte) []byte {
	if f.say != nil {
		reply = slices.Clone(f.say)
	}
	if f.flip > 0 {
		bit := (f.flip - 1) % (8 * len(reply))
		reply[bit/8] ^= 1 << (bit % 8)
	}
	reply = reply[:len(reply)-min(f.cut, len(reply))]
	return slices.Concat(f.before, reply, f.after)
}

func (l *line) arrive(at int, b []byte, single bool) {
	size := max(1, len(b))
	if single {
		size = 1
	}
	for chunk := range slices.Chunk(b, size) {
		l.arrivals = append(l.arrivals, arrival{at, chunk})
		at++
	}
	slices.SortStableFunc(l.arrivals, func(a, b arrival) int { return a.at - b.at })
}

func (l *line) Read(p []byte) (int, error) {
	switch {
	case l.gone != nil:
		return 0, l.gone
	case len(l.arrivals) == 0 || l.arrivals[0].at > l.now+readTimeout:
		l.now += readTimeout
		if l.polite {
			return 0, os.ErrDeadlineExceeded
		}
		return 0, nil
	}
	first := &l.arrivals[0]
	l.now = max(l.now, first.at)
	n := copy(p, first.bytes)
	if first.bytes = first.bytes[n:]; len(first.bytes) == 0 {
		l.arrivals = l.arrivals[1:]
	}
	return n, nil
}

// flushingLine can forget what has arrived, as a serial port can.
type flushingLine struct{ *line }

func (l flushingLine) ResetInputBuffer() error {
	l.resets++
	for len(l.arrivals) > 0 && l.arrivals[0].at <= l.now {
		l.arrivals = l.arrivals[1:]
	}
	return nil
}

// measuring is what the modules of these tests measure.
func measuring() smartmeter.Measurement {
	return smartmeter.Measurement{
		Has:         smartmeter.AllQuantities,
		Voltage:     2305,
		Current:     70_123, // needs the high word
		Power:       161_234,
		Energy:      9_999_990,
		Frequency:   499,
		PowerFactor: 97,
	}
}
