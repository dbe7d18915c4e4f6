package pzem

import (
	"io"

	"github.com/iot-smart-meter/smartmeter"
)

// Master asks a module for its values. Make one with NewMaster; it is for one
// goroutine.
type Master struct {
	port    io.ReadWriter
	flusher inputFlusher // nil if the port cannot flush
	address byte
	line    lineState

	request []byte
	// reply has room for more than a reply, so that leftovers show.
	reply [2 * longestLen]byte
}

// inputFlusher is what a serial port offers to forget received bytes.
type inputFlusher interface{ ResetInputBuffer() error }

// lineState says what may still be on its way when the next request goes out.
type lineState uint8

const (
	// owed: a reply may still come, for an earlier request was not answered.
	// Nobody knows what happened before we came, so this is the zero value.
	owed lineState = iota
	// garbled: as owed, and the rest of a broken frame may still arrive.
	garbled
	// inStep: every request had its reply.
	inStep
)

// maxNoise bounds how many bytes are read while waiting for silence: a quarter
// of a second at 9600 baud.
const maxNoise = 256

// NewMaster returns a Master for the module at address on port: 0x01 to 0xF7,
// or General. It fails with ErrBadAddress for any other.
//
// A Read of port must come back when nothing arrives; see the package comment.
// Where port has a method ResetInputBuffer() error, it is called before every
// request. Where it has none, port is read until it is silent, which takes the
// time of one silence per request.
func NewMaster(port io.ReadWriter, address byte) (*Master, error) {
	if address < MinAddress || address > General {
		return nil, ErrBadAddress
	}
	m := &Master{port: port, address: address, request: make([]byte, 0, requestLen)}
	m.flusher, _ = port.(inputFlusher)
	return m, nil
}

// Read asks for all values at once: 8 bytes out, 25 back. When it fails, into
// is empty.
func (m *Master) Read(into *smartmeter.Measurement) error {
	*into = smartmeter.Measurement{}
	reply, err := m.ask(readInput, regVoltage, inputRegisters, readInputLen)
	if err != nil {
		return err
	}
	registers := reply[firstRegister:]
	*into = smartmeter.Measurement{
		Has:         smartmeter.AllQuantities,
		Voltage:     smartmeter.Decivolt(word(registers, regVoltage)),
		Current:     smartmeter.Milliamp(pair(registers, regCurrent)),
		Power:       smartmeter.Deciwatt(pair(registers, regPower)),
		Energy:      smartmeter.WattHour(pair(registers, regEnergy)),
		Frequency:   smartmeter.Decihertz(word(registers, regFrequency)),
		PowerFactor: smartmeter.Hundredth(word(registers, regPowerFactor)),
	}
	return nil
}

// AlarmThreshold returns the power, in watts, above which the module raises
// its alarm register.
func (m *Master) AlarmThreshold() (uint16, error) {
	return m.holding(regThreshold)
}

// SetAlarmThreshold sets the alarm threshold in watts, at most
// MaxAlarmThreshold.
func (m *Master) SetAlarmThreshold(watts uint16) error {
	return m.write(regThreshold, min(watts, MaxAlarmThreshold))
}

// Address asks the module for its address, which is worth knowing when it is
// spoken to as General.
func (m *Master) Address() (byte, error) {
	address, err := m.holding(regAddress)
	return byte(address), err
}

// SetAddress gives the module a new address, 0x01 to 0xF7, and uses it from
// then on.
func (m *Master) SetAddress(address byte) error {
	if address < MinAddress || address > MaxAddress {
		return ErrBadAddress
	}
	if err := m.write(regAddress, uint16(address)); err != nil {
		return err
	}
	if m.address != General {
		m.address = address
	}
	return nil
}

// ResetEnergy sets the energy register to 0 for good.
func (m *Master) ResetEnergy() error {
	m.request = appendCRC(append(m.request[:0], m.address, resetEnergy))
	_, err := m.exchange(resetLen)
	return err
}

// holding reads both holding registers, whichever is wanted: were they asked
// for one by one, a late reply could pass for the other.
func (m *Master) holding(register int) (uint16, error) {
	reply, err := m.ask(readHolding, regThreshold, holdingRegisters, readHoldLen)
	if err != nil {
		return 0, err
	}
	return word(reply[firstRegister:], register-regThreshold), nil
}

// ask reads count registers; the reply has length bytes.
func (m *Master) ask(function byte, register, count uint16, length int) ([]byte, error) {
	m.compose(function, register, count)
	reply, err := m.exchange(length)
	if err != nil {
		return nil, err
	}
	if int(reply[byteCountAt]) != 2*int(count) {
		return nil, ErrLength
	}
	return reply, nil
}

// write sets one register; the module echoes the request.
func (m *Master) write(register, value uint16) error {
	m.compose(writeHolding, register, value)
	reply, err := m.exchange(requestLen)
	if err != nil {
		return err
	}
	// From the register on: to a General request the module may answer with its
	// own address, which changes the CRC, too.
	for i := functionAt; i < requestLen-crcLen; i++ {
		if reply[i] != m.request[i] {
			return ErrFunction
		}
	}
	return nil
}

// compose fills in a request of the usual form.
func (m *Master) compose(function byte, register, value uint16) {
	m.request = append(m.request[:0], m.address, function)
	m.request = appendCRC(appendWord(appendWord(m.request, register), value))
}

// exchange sends the request and returns its reply of length bytes. It tries
// once more when the line is to blame.
func (m *Master) exchange(length int) ([]byte, error) {
	reply, err := m.try(length)
	if lineFault(err) {
		reply, err = m.try(length)
	}
	return reply, err
}

// lineFault reports whether asking again can help: a module's refusal stays a
// refusal, and a port that is gone stays gone.
func lineFault(err error) bool {
	switch err {
	case ErrSilent, ErrShort, ErrLength, ErrCRC, ErrAddress, ErrFunction, ErrLate, ErrNoise:
		return true
	default:
		return false
	}
}

// try is one request and its reply.
func (m *Master) try(length int) ([]byte, error) {
	if err := m.settle(); err != nil {
		return nil, err
	}
	wasInStep := m.line == inStep
	m.line = owed
	if _, err := m.port.Write(m.request); err != nil {
		return nil, err
	}
	reply, err := m.receive(length)
	if err == ErrSilent {
		return nil, err
	}
	m.line = garbled
	if err == nil && !wasInStep {
		err = m.nothingFollows()
	}
	if err == nil {
		err = m.check(reply)
	}
	if _, refused := err.(Exception); err == nil || refused {
		m.line = inStep
	}
	return reply, err
}

// settle makes sure that what is received from now on was sent from now on.
func (m *Master) settle() error {
	if m.line == garbled || m.flusher == nil {
		if err := m.awaitSilence(); err != nil {
			return err
		}
	}
	if m.flusher == nil {
		return nil
	}
	return m.flusher.ResetInputBuffer()
}

// awaitSilence reads and forgets until nothing comes any more.
func (m *Master) awaitSilence() error {
	for left := maxNoise; left > 0; {
		n, err := m.read(m.reply[:])
		if n == 0 {
			return err
		}
		left -= n
	}
	return ErrNoise
}

// nothingFollows fails with ErrLate if the reply just received was not the
// last. A late reply looks exactly like the right one, but the right one is
// still to come.
func (m *Master) nothingFollows() error {
	n, err := m.read(m.reply[longestLen:])
	if n > 0 {
		return ErrLate
	}
	return err
}

// receive collects the reply to the request: length bytes, or an exception.
func (m *Master) receive(length int) ([]byte, error) {
	for n := 0; ; {
		if n > functionAt && m.reply[functionAt] == m.request[functionAt]|exceptionFlag {
			length = exceptionLen
		}
		if n == length {
			return m.reply[:n], nil
		}
		if n > length {
			return nil, ErrLength
		}
		more, err := m.read(m.reply[n:])
		switch {
		case err != nil:
			return nil, err
		case more > 0:
			n += more
		case n == 0:
			return nil, ErrSilent
		default:
			return nil, ErrShort
		}
	}
}

// check decides whether a complete reply can be believed. It returns an
// Exception for a refusal.
func (m *Master) check(reply []byte) error {
	if !intact(reply) {
		return ErrCRC
	}
	from, function := reply[0], reply[functionAt]
	if from != m.address && m.address != General {
		return ErrAddress
	}
	if function == m.request[functionAt]|exceptionFlag {
		return Exception(reply[exceptionAt])
	}
	if function != m.request[functionAt] {
		return ErrFunction
	}
	return nil
}

// read returns 0 bytes and no error for silence.
func (m *Master) read(p []byte) (int, error) {
	n, err := m.port.Read(p)
	if n > 0 {
		return n, nil // the error comes back with the next read
	}
	if t, ok := err.(interface{ Timeout() bool }); ok && t.Timeout() {
		return 0, nil
	}
	return 0, err
}
