package main

import (
	"device/esp"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

// drawBoot returns a boot id that this node did not have before, as far as chance
// can tell. While the radio is off the chip's source of chance is a weak one, so
// many words of it are stirred together.
func drawBoot() smartmeter.BootID {
	var id uint32
	for id == 0 {
		for range 64 {
			id = id*1664525 + 1013904223 ^ esp.RNG.DATA.Get()
			time.Sleep(10 * time.Microsecond)
		}
	}
	return smartmeter.BootID(id)
}

// restart begins anew (ESP32 and ESP32-C3 Technical Reference Manual,
// RTC_CNTL_OPTIONS0_REG, SW_SYS_RST). The relay opens for that moment.
func restart() {
	const swSysRst = 1 << 31
	esp.RTC_CNTL.OPTIONS0.SetBits(swSysRst)
	select {}
}
