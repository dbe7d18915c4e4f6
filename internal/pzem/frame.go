package pzem

import "errors"

// Addresses of modules on a line.
const (
	// Broadcast reaches every module, and none of them replies.
	Broadcast byte = 0x00
	// MinAddress and MaxAddress bound what a module can be set to.
	MinAddress byte = 0x01
	MaxAddress byte = 0xF7
	// General reaches the module whatever its address is. It works with a
	// single module on the line only: several would answer at once.
	General byte = 0xF8
)

// MaxAlarmThreshold is the highest power alarm, in watts, that a module takes.
const MaxAlarmThreshold uint16 = 25_000

// The functions of the module.
const (
	readHolding   byte = 0x03
	readInput     byte = 0x04
	writeHolding  byte = 0x06
	calibrate     byte = 0x41 // never sent, always refused
	resetEnergy   byte = 0x42
	exceptionFlag byte = 0x80
)

// The input registers, read with function 0x04. Where a value takes two, the
// low word comes first.
const (
	regVoltage     = 0 // 0.1 V
	regCurrent     = 1 // 1 mA, 32 bits
	regPower       = 3 // 0.1 W, 32 bits
	regEnergy      = 5 // 1 Wh, 32 bits
	regFrequency   = 7 // 0.1 Hz
	regPowerFactor = 8 // 0.01
	regAlarm       = 9 // 0xFFFF while power is above the threshold, else 0

	inputRegisters = 10
)

// The holding registers, read with function 0x03 and written with 0x06.
const (
	regThreshold = 1 // W
	regAddress   = 2

	holdingRegisters = 2 // beginning at regThreshold
)

// Lengths of frames in bytes, CRC included.
const (
	requestLen    = 8 // address, function, register, count or value, CRC
	resetLen      = 4
	exceptionLen  = 5
	readInputLen  = 5 + 2*inputRegisters
	readHoldLen   = 5 + 2*holdingRegisters
	longestLen    = readInputLen
	crcLen        = 2
	alarmRaised   = 0xFFFF
	calibrateLen  = 6
	functionAt    = 1
	exceptionAt   = 2
	byteCountAt   = 2
	firstRegister = 3
)

// ErrBadAddress is returned for an address that no module can have.
var ErrBadAddress = errors.New("a meter's address is 0x01 to 0xF7, or 0xF8 for the only one on the line")

// What can be wrong with a reply. A Master has asked twice when it returns one
// of these.
var (
	// ErrSilent: not a single byte. The module is fed by the mains that it
	// measures, so most likely there is no mains. It never means 0 W.
	ErrSilent = errors.New("the meter does not answer: check its mains supply, then the wiring and the address")
	// ErrShort: the reply broke off.
	ErrShort = errors.New("the meter's reply broke off")
	// ErrLength: the reply has more bytes than it should, or another count.
	ErrLength = errors.New("the meter's reply has the wrong length")
	// ErrCRC: the reply was garbled on the line.
	ErrCRC = errors.New("the meter's reply is garbled (CRC)")
	// ErrAddress: another module answered.
	ErrAddress = errors.New("another meter answered: are two modules set to this address?")
	// ErrFunction: the reply is the answer to another question.
	ErrFunction = errors.New("the meter answered another question")
	// ErrLate: two replies came for one request, so the first was a late one.
	ErrLate = errors.New("a late reply of the meter came in between")
	// ErrNoise: the line never falls silent.
	ErrNoise = errors.New("the line to the meter is never silent: check the wiring")
)

// Exception is the module's own refusal of a request: Modbus Application
// Protocol V1.1b3, section 7. It was received intact and is not retried.
type Exception byte

// The exceptions.
const (
	IllegalFunction Exception = 0x01
	IllegalAddress  Exception = 0x02
	IllegalValue    Exception = 0x03
	DeviceFailure   Exception = 0x04
)

// Error says what the module refused.
func (e Exception) Error() string {
	switch e {
	case IllegalFunction:
		return "the meter refused: it has no such function"
	case IllegalAddress:
		return "the meter refused: it has no such register"
	case IllegalValue:
		return "the meter refused: the value is out of range"
	case DeviceFailure:
		return "the meter refused: it failed internally"
	default:
		return "the meter refused with an unknown exception"
	}
}

// crc16 is the checksum of Modbus over Serial Line V1.02, section 6.2.2:
// polynomial 0xA001, started at 0xFFFF, sent low byte first.
func crc16(frame []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, b := range frame {
		crc ^= uint16(b)
		for range 8 {
			carry := crc & 1
			crc >>= 1
			if carry != 0 {
				crc ^= 0xA001
			}
		}
	}
	return crc
}

// appendCRC closes a frame.
func appendCRC(frame []byte) []byte {
	crc := crc16(frame)
	return append(frame, byte(crc), byte(crc>>8))
}

// intact reports whether the frame ends in its own CRC.
func intact(frame []byte) bool {
	n := len(frame) - crcLen
	if n < 0 {
		return false
	}
	crc := crc16(frame[:n])
	return frame[n] == byte(crc) && frame[n+1] == byte(crc>>8)
}

// appendWord appends one register.
func appendWord(b []byte, word uint16) []byte {
	return append(b, byte(word>>8), byte(word))
}

// appendPair appends two registers, low word first.
func appendPair(b []byte, value uint32) []byte {
	return appendWord(appendWord(b, uint16(value)), uint16(value>>16))
}

// word returns register i of the registers in b.
func word(b []byte, i int) uint16 {
	return uint16(b[2*i])<<8 | uint16(b[2*i+1])
}

// pair returns registers i and i+1, low word first.
func pair(b []byte, i int) uint32 {
	return uint32(word(b, i)) | uint32(word(b, i+1))<<16
}
