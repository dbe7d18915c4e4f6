package pzem

import (
	"io"
	"sync"

	"github.com/iot-smart-meter/smartmeter"
)

// Slave is a simulated module: its registers are set by a simulation, and it
// answers for them as the real one does. Make one with NewSlave. It may be used
// from several goroutines.
//
// A Slave is itself a port: what is written to it are requests, what is read
// from it are its replies, and reading (0, nil) is its silence. A Master can
// therefore be put on a Slave directly, or with something in between that
// spoils the line.
type Slave struct {
	mu        sync.Mutex
	address   byte
	threshold uint16
	registers smartmeter.Measurement

	window  []byte // the last bytes heard, as many as the longest request has
	reply   []byte
	pending []byte // replies not read yet
	bank    [2 * inputRegisters]byte
}

// NewSlave returns a module with the given address, 0x01 to 0xF7, that
// measures nothing yet. It fails with ErrBadAddress for any other.
func NewSlave(address byte) (*Slave, error) {
	if address < MinAddress || address > MaxAddress {
		return nil, ErrBadAddress
	}
	return &Slave{
		address:   address,
		threshold: MaxAlarmThreshold,
		window:    make([]byte, 0, requestLen),
		reply:     make([]byte, 0, longestLen),
		pending:   make([]byte, 0, longestLen),
	}, nil
}

// Update lets change set what the module measures, without a request coming in
// between: m holds what the registers hold, also after a reset of the energy.
// Has is of no importance. Registers have 16 bits, those of current, power and
// energy 32: what does not fit is cut off, as counters do when they roll over.
func (s *Slave) Update(change func(m *smartmeter.Measurement)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.registers)
	s.registers.Energy = smartmeter.WattHour(uint32(s.registers.Energy))
}

// Measurement returns what a read of the registers would say.
func (s *Slave) Measurement() smartmeter.Measurement {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.registers
	m.Has = smartmeter.AllQuantities
	return m
}

// Address returns the module's present address.
func (s *Slave) Address() byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.address
}

// AlarmThreshold returns the threshold, in watts, that was set last.
func (s *Slave) AlarmThreshold() uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.threshold
}

// Feed lets the module hear bytes, be they one request, part of one, several,
// or noise, and returns its replies, nil for none. They are valid until the
// next call.
//
// Frames of Modbus-RTU are told apart by gaps in time, and a Slave has no
// clock. So it goes by length: it has heard a request when the last bytes make
// one of its length with the right CRC, whatever came before.
func (s *Slave) Feed(heard []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = s.reply[:0]
	s.listen(heard)
	return s.reply
}

// Write is Feed, with the replies kept for Read.
func (s *Slave) Write(heard []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reply = s.reply[:0]
	s.listen(heard)
	s.pending = append(s.pending, s.reply...)
	return len(heard), nil
}

// Read returns replies to what was written; (0, nil) if there are none.
func (s *Slave) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := copy(p, s.pending)
	s.pending = s.pending[:copy(s.pending, s.pending[n:])]
	return n, nil
}

// ResetInputBuffer forgets the replies that were not read.
func (s *Slave) ResetInputBuffer() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = s.pending[:0]
	return nil
}

// Serve answers what comes in on line until reading or writing fails, and
// returns that error. Close line to end it.
func (s *Slave) Serve(line io.ReadWriter) error {
	var heard [64]byte
	for {
		n, err := line.Read(heard[:])
		if reply := s.Feed(heard[:n]); len(reply) > 0 {
			if _, err := line.Write(reply); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
}

// listen takes in bytes and appends the replies to s.reply.
func (s *Slave) listen(heard []byte) {
	for _, b := range heard {
		if len(s.window) == cap(s.window) {
			s.window = s.window[:copy(s.window, s.window[1:])]
		}
		s.window = append(s.window, b)
		if request := s.heardRequest(); request != nil {
			s.answer(request)
			s.window = s.window[:0]
		}
	}
}

// heardRequest returns the request that the window ends in, nil if there is
// none.
func (s *Slave) heardRequest() []byte {
	for start := 0; len(s.window)-start >= resetLen; start++ {
		frame := s.window[start:]
		if len(frame) == lengthOf(frame[functionAt]) && intact(frame) {
			return frame
		}
	}
	return nil
}

// lengthOf returns how long a request is; 0 for a function that nobody
// defined.
func lengthOf(function byte) int {
	switch {
	case function >= 0x01 && function <= writeHolding: // all of Modbus have one form
		return requestLen
	case function == calibrate:
		return calibrateLen
	case function == resetEnergy:
		return resetLen
	default:
		return 0
	}
}

// answer carries out an intact request, if it is for this module, and appends
// the reply unless it went to all.
func (s *Slave) answer(request []byte) {
	to, from := request[0], s.address
	if to != s.address && to != General && to != Broadcast {
		return
	}
	begin := len(s.reply)
	s.reply = append(s.reply, from, request[functionAt])
	if refusal := s.obey(request); refusal != 0 {
		s.reply = append(s.reply[:begin], from, request[functionAt]|exceptionFlag, byte(refusal))
	}
	if to == Broadcast {
		s.reply = s.reply[:begin]
		return
	}
	crc := crc16(s.reply[begin:])
	s.reply = append(s.reply, byte(crc), byte(crc>>8))
}

// obey carries out a request and appends what follows the function in the
// reply. It returns 0, or why it refused.
func (s *Slave) obey(request []byte) Exception {
	if request[functionAt] == resetEnergy {
		s.registers.Energy = 0
		return 0
	}
	if request[functionAt] == calibrate {
		return IllegalFunction
	}
	register, value := word(request[2:], 0), word(request[2:], 1)
	switch request[functionAt] {
	case readInput:
		return s.readRegisters(register, value, regVoltage, s.inputs())
	case readHolding:
		return s.readRegisters(register, value, regThreshold, s.holdings())
	case writeHolding:
		s.reply = append(s.reply, request[2:requestLen-crcLen]...)
		return s.set(register, value)
	default:
		return IllegalFunction
	}
}

// readRegisters appends count registers from the bank that begins at first.
func (s *Slave) readRegisters(register, count, first uint16, bank []byte) Exception {
	if count == 0 || count > 125 { // what Modbus allows at all
		return IllegalValue
	}
	end := int(register) + int(count) - int(first)
	if register < first || 2*end > len(bank) {
		return IllegalAddress
	}
	s.reply = append(s.reply, byte(2*count))
	s.reply = append(s.reply, bank[2*(register-first):2*end]...)
	return 0
}

// set writes a holding register.
func (s *Slave) set(register, value uint16) Exception {
	switch {
	case register != regThreshold && register != regAddress:
		return IllegalAddress
	case register == regThreshold && value > MaxAlarmThreshold:
		return IllegalValue
	case register == regThreshold:
		s.threshold = value
	case value < uint16(MinAddress) || value > uint16(MaxAddress):
		return IllegalValue
	default:
		s.address = byte(value)
	}
	return 0
}

// inputs returns the input registers as they stand on the line.
func (s *Slave) inputs() []byte {
	m := &s.registers
	b := appendWord(s.bank[:0], uint16(m.Voltage))
	b = appendPair(b, uint32(m.Current))
	b = appendPair(b, uint32(m.Power))
	b = appendPair(b, uint32(m.Energy))
	b = appendWord(b, uint16(m.Frequency))
	b = appendWord(b, uint16(m.PowerFactor))
	alarm := uint16(0)
	if m.Power > smartmeter.Deciwatt(s.threshold)*10 {
		alarm = alarmRaised
	}
	return appendWord(b, alarm)
}

// holdings returns the holding registers as they stand on the line.
func (s *Slave) holdings() []byte {
	return appendWord(appendWord(s.bank[:0], s.threshold), uint16(s.address))
}
