package nodehost

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// gpioRelay is a relay on a line of a GPIO chip, by the kernel's character
// device, version 2: include/uapi/linux/gpio.h. There is no other way that sets
// the level in the same step that makes the line an output, and a relay that
// twitches at every start wears out, and what hangs on it, too.
//
// When the process ends the kernel takes the line back. What level it then has
// is up to the chip's driver: some keep it, some make the line an input.
type gpioRelay struct {
	chip      string // path of the device
	offset    uint32
	activeLow bool
	kernel    kernel
	line      int // the open line; -1 before the first Set
}

// kernel is what of it a relay needs.
type kernel interface {
	Open(path string) (fd int, err error)
	Ioctl(fd int, request uintptr, argument unsafe.Pointer) error
	Close(fd int) error
}

// newGPIORelay returns the relay on a line like "gpiochip0:17", or
// "/dev/gpiochip0:17". The line is taken at the first Set.
func newGPIORelay(line string, activeLow bool, k kernel) (*gpioRelay, error) {
	chip, number, found := strings.Cut(line, ":")
	offset, err := strconv.ParseUint(number, 10, 32)
	if !found || chip == "" || err != nil {
		return nil, fmt.Errorf("a GPIO line is given as chip:line, like gpiochip0:17, not %q", line)
	}
	if !filepath.IsAbs(chip) {
		chip = filepath.Join("/dev", chip)
	}
	return &gpioRelay{chip: chip, offset: uint32(offset), activeLow: activeLow, kernel: k, line: -1}, nil
}

// Set switches the relay, see node.Relay.
func (r *gpioRelay) Set(on bool) error {
	if r.line < 0 {
		return r.request(on)
	}
	values := lineValues{mask: 1}
	if on {
		values.bits = 1
	}
	if err := r.kernel.Ioctl(r.line, setLineValues, unsafe.Pointer(&values)); err != nil {
		return fmt.Errorf("cannot set line %d of %s: %w", r.offset, r.chip, err)
	}
	return nil
}

// request takes the line and makes it an output, at the right level.
func (r *gpioRelay) request(on bool) error {
	chip, err := r.kernel.Open(r.chip)
	if err != nil {
		return r.explain(err)
	}
	defer r.kernel.Close(chip) // the line is open on its own
	wanted := lineRequest{numLines: 1, config: lineConfig{flags: lineIsOutput, numAttrs: 1}}
	wanted.offsets[0] = r.offset
	copy(wanted.consumer[:], "smartmeter relay")
	if r.activeLow {
		wanted.config.flags |= lineIsActiveLow
	}
	wanted.config.attrs[0] = lineAttribute{id: attributeOutputValues, mask: 1}
	if on {
		wanted.config.attrs[0].value = 1
	}
	if err := r.kernel.Ioctl(chip, getLine, unsafe.Pointer(&wanted)); err != nil {
		return r.explain(err)
	}
	r.line = int(wanted.fd)
	return nil
}

// explain says what a person can do about a line that cannot be taken.
func (r *gpioRelay) explain(err error) error {
	advice := "see gpioinfo for the chips and lines of this machine"
	switch {
	case errors.Is(err, unix.ENOENT):
		advice = "this machine has no such chip; " + advice
	case errors.Is(err, unix.EACCES):
		advice = "the user needs to be in the group gpio"
	case errors.Is(err, unix.EBUSY):
		advice = "another program has it"
	case errors.Is(err, unix.EINVAL):
		advice = "the chip has no such line, or is too old a kernel's (5.10 is needed); " + advice
	case errors.Is(err, unix.ENOTTY):
		advice = "this is no GPIO chip; " + advice
	}
	return fmt.Errorf("cannot take line %d of %s: %s: %w", r.offset, r.chip, advice, err)
}

// Close gives the line back.
func (r *gpioRelay) Close() error {
	if r.line < 0 {
		return nil
	}
	line := r.line
	r.line = -1
	return r.kernel.Close(line)
}

// From include/uapi/linux/gpio.h. The structures have the same layout on 32 and
// 64 bits.
const (
	getLine               = 0xC250B407 // GPIO_V2_GET_LINE_IOCTL
	setLineValues         = 0xC010B40F // GPIO_V2_LINE_SET_VALUES_IOCTL
	lineIsActiveLow       = 1 << 1     // GPIO_V2_LINE_FLAG_ACTIVE_LOW
	lineIsOutput          = 1 << 3     // GPIO_V2_LINE_FLAG_OUTPUT
	attributeOutputValues = 2          // GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES
)

// lineRequest is struct gpio_v2_line_request.
type lineRequest struct {
	offsets  [64]uint32
	consumer [32]byte
	config   lineConfig
	numLines uint32
	_        uint32 // event_buffer_size
	_        [5]uint32
	fd       int32
}

// lineConfig is struct gpio_v2_line_config.
type lineConfig struct {
	flags    uint64
	numAttrs uint32
	_        [5]uint32
	attrs    [10]lineAttribute
}

// lineAttribute is struct gpio_v2_line_config_attribute; values and mask have a
// bit for each line of the request.
type lineAttribute struct {
	id    uint32
	_     uint32
	value uint64
	mask  uint64
}

// lineValues is struct gpio_v2_line_values.
type lineValues struct{ bits, mask uint64 }

// linux is the running kernel.
type linux struct{}

func (linux) Open(path string) (int, error) {
	return unix.Open(path, os.O_RDWR|unix.O_CLOEXEC, 0)
}

func (linux) Ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument))
	if errno != 0 {
		return errno
	}
	return nil
}

func (linux) Close(fd int) error { return unix.Close(fd) }
