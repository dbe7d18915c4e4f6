// Package machine declares what of TinyGo's package machine the firmware and its
// drivers use, so that stock Go can check their types. Nothing here does anything.
package machine

import "io"

// Pin is a pin of the chip.
type Pin uint8

// PinMode is what a pin is for.
type PinMode uint8

// PinConfig configures a pin.
type PinConfig struct{ Mode PinMode }

// The modes of a pin.
const (
	PinOutput PinMode = iota
	PinInput
	PinInputPullup
	PinInputPulldown
)

// The pins that the firmware names.
const (
	GPIO0 Pin = iota
	GPIO1
	GPIO2
	GPIO3
	GPIO4
	GPIO5
	GPIO6
	GPIO7
	GPIO8
	GPIO9
	GPIO10
	_
	_
	_
	_
	_
	GPIO16
	GPIO17
	_
	_
	GPIO20
	GPIO21
	GPIO22
	GPIO23
)

func (Pin) Configure(PinConfig) {}
func (Pin) Set(bool)            {}
func (Pin) High()               {}
func (Pin) Low()                {}
func (Pin) Get() bool           { return false }

// UARTConfig configures a serial port.
type UARTConfig struct {
	BaudRate uint32
	TX, RX   Pin
}

// UART is a serial port.
type UART struct{}

// UART1 is the second port; the first one is the console.
var UART1 = &UART{}

func (*UART) Configure(UARTConfig)        {}
func (*UART) Buffered() int               { return 0 }
func (*UART) ReadByte() (byte, error)     { return 0, io.EOF }
func (*UART) Write(p []byte) (int, error) { return len(p), nil }

// I2CConfig configures a bus.
type I2CConfig struct {
	Frequency uint32
	SCL, SDA  Pin
}

// I2C is a bus.
type I2C struct{}

// I2C0 is the first bus.
var I2C0 = &I2C{}

func (*I2C) Configure(I2CConfig) error      { return nil }
func (*I2C) Tx(_ uint16, _, _ []byte) error { return nil }

// BlockDevice is raw flash. Flash is the part of it behind the program; TinyGo has
// it on the ESP32-C3, and not on the classic ESP32.
type BlockDevice interface {
	io.ReaderAt
	io.WriterAt
	Size() int64
	WriteBlockSize() int64
	EraseBlockSize() int64
	EraseBlocks(start, count int64) error
}

type flash struct{}

// Flash is what is left of the flash.
var Flash flash

var _ BlockDevice = Flash

func (flash) ReadAt(p []byte, _ int64) (int, error)  { return len(p), nil }
func (flash) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }
func (flash) Size() int64                            { return 0 }
func (flash) WriteBlockSize() int64                  { return 4 }
func (flash) EraseBlockSize() int64                  { return 4096 }
func (flash) EraseBlocks(_, _ int64) error           { return nil }
