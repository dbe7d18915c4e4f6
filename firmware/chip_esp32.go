//go:build esp32

package main

import (
	"device/esp"
	"machine"

	"github.com/iot-smart-meter/smartmeter/internal/board"
)

// The boards in the field: an ESP32 (WROOM-32) with everything where their first
// program had it.
const (
	model    = "esp32"
	meterRX  = machine.GPIO16
	meterTX  = machine.GPIO17
	relayPin = machine.GPIO4
	sda, scl = machine.GPIO22, machine.GPIO23
	bootPin  = machine.GPIO0
)

// minutesKept is a day of them: beside the radio's 64 kB and its stack there is
// no room for the 80 kB of a week.
const minutesKept = 24 * 60

// openFlash returns nil: TinyGo 0.42 has no machine.Flash on this chip. Where one
// has it, this is `return machine.Flash`, and the board keeps what it is told.
func openFlash() board.Flash { return nil }

// mac is the chip's network address (ESP32 Technical Reference Manual, "eFuse
// Controller": BLK0, words 1 and 2).
func mac() [6]byte {
	return board.MACOf(esp.EFUSE.BLK0_RDATA1.Get(), esp.EFUSE.BLK0_RDATA2.Get())
}
