package main

import (
	"machine"
	"time"

	"tinygo.org/x/drivers/sh1106"

	"github.com/iot-smart-meter/smartmeter/internal/board"
	"github.com/iot-smart-meter/smartmeter/internal/display"
)

// relay is on while its pin is low.
type relay struct {
	pin    machine.Pin
	output bool
}

// Set sets the level, and makes the pin an output only then: otherwise it would
// be low, and the load on, for a moment at every start.
func (r *relay) Set(on bool) error {
	r.pin.Set(!on)
	if !r.output {
		r.pin.Configure(machine.PinConfig{Mode: machine.PinOutput})
		r.pin.Set(!on)
		r.output = true
	}
	return nil
}

// silence is how long a meter may take to begin, or go on with, an answer.
const silence = 200 * time.Millisecond

// line is the serial line to the meter, see pzem.NewMaster.
type line struct{ *machine.UART }

func openLine() line {
	machine.UART1.Configure(machine.UARTConfig{BaudRate: 9600, TX: meterTX, RX: meterRX})
	return line{machine.UART1}
}

// Read returns what has come, or nothing after silence. Others run meanwhile.
func (l line) Read(p []byte) (n int, err error) {
	for begin := time.Now(); l.Buffered() == 0 && time.Since(begin) < silence; {
		time.Sleep(time.Millisecond)
	}
	for n < len(p) && l.Buffered() > 0 {
		if p[n], err = l.ReadByte(); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// ResetInputBuffer forgets what has come.
func (l line) ResetInputBuffer() error {
	for l.Buffered() > 0 {
		if _, err := l.ReadByte(); err != nil {
			return err
		}
	}
	return nil
}

// screen is the SH1106, if one is connected: the driver does not say.
type screen struct {
	device sh1106.Device
	board.Screen
}

func openScreen() *screen {
	_ = machine.I2C0.Configure(machine.I2CConfig{Frequency: 400_000, SDA: sda, SCL: scl})
	s := &screen{device: sh1106.NewI2C(machine.I2C0)}
	s.device.Configure(sh1106.Config{Width: display.Width, Height: display.Height, Address: sh1106.Address})
	return s
}

// send shows a picture, nil for none.
func (s *screen) send(picture []byte) {
	if picture == nil || s.device.SetBuffer(picture) != nil {
		return
	}
	_ = s.device.Display() // on the next change again
}

// openButton makes the BOOT button readable.
func openButton() {
	bootPin.Configure(machine.PinConfig{Mode: machine.PinInputPullup})
}

// buttonIsDown reports whether it is pressed: it pulls its pin low.
func buttonIsDown() bool { return !bootPin.Get() }
