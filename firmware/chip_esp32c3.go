//go:build esp32c3

package main

import (
	"device/esp"
	"machine"

	"github.com/iot-smart-meter/smartmeter/internal/board"
	"github.com/iot-smart-meter/smartmeter/internal/node"
)

// The wiring that we propose for an ESP32-C3. It leaves out the pins that decide
// how the chip starts: 2, 8 and 9, which is the BOOT button.
const (
	model    = "esp32c3"
	meterRX  = machine.GPIO20
	meterTX  = machine.GPIO21
	relayPin = machine.GPIO10
	sda, scl = machine.GPIO5, machine.GPIO6
	bootPin  = machine.GPIO9
)

const minutesKept = node.WeekOfMinutes

// openFlash returns the flash behind the program.
func openFlash() board.Flash { return machine.Flash }

// mac is the chip's network address (ESP32-C3 Technical Reference Manual, "eFuse
// Controller": RD_MAC_SPI_SYS_0 and 1).
func mac() [6]byte {
	return board.MACOf(esp.EFUSE.RD_MAC_SPI_SYS_0.Get(), esp.EFUSE.RD_MAC_SPI_SYS_1.Get())
}
