// Package esp declares the few registers that the firmware uses of TinyGo's
// package device/esp, which is generated from the vendor's description (SVD) of
// each chip. Here are those of both chips.
package esp

// Register32 stands for runtime/volatile's.
type Register32 struct{ value uint32 }

// Get reads the register.
func (r *Register32) Get() uint32 { return r.value }

// SetBits sets bits of it.
func (r *Register32) SetBits(bits uint32) { r.value |= bits }

// EFUSE holds the fuses: the address is in the first pair of registers on the
// ESP32 and in the second on the ESP32-C3.
var EFUSE struct {
	BLK0_RDATA1, BLK0_RDATA2           Register32
	RD_MAC_SPI_SYS_0, RD_MAC_SPI_SYS_1 Register32
}

// RNG is the source of chance.
var RNG struct{ DATA Register32 }

// RTC_CNTL resets the chip.
var RTC_CNTL struct{ OPTIONS0 Register32 }
