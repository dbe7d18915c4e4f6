package nodehost

import (
	"errors"
	"strings"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/iot-smart-meter/smartmeter/internal/disk/faultdisk"
	"github.com/iot-smart-meter/smartmeter/internal/node"
	"github.com/iot-smart-meter/smartmeter/internal/wire"
)

// pinKernel is a kernel with one chip of 32 lines, and keeps a trace of what a
// probe at the pin would see.
type pinKernel struct {
	err   error  // what Open or getLine fails with
	flags uint64 // of the line, 0 while nobody has it
	trace []string
	open  map[int]bool
}

const (
	chipFD = 7
	lineFD = 8
)

func (k *pinKernel) Open(path string) (int, error) {
	if path != "/dev/gpiochip0" {
		return 0, unix.ENOENT
	}
	if errors.Is(k.err, unix.EACCES) {
		return 0, k.err
	}
	k.open[chipFD] = true
	return chipFD, nil
}

func (k *pinKernel) Close(fd int) error {
	delete(k.open, fd)
	return nil
}

func (k *pinKernel) Ioctl(fd int, request uintptr, argument unsafe.Pointer) error {
	switch {
	case fd == chipFD && request == getLine:
		r := (*lineRequest)(argument)
		if k.err != nil {
			return k.err
		}
		if r.numLines != 1 || r.offsets[0] > 31 || r.config.numAttrs != 1 || r.config.attrs[0].id != attributeOutputValues || r.config.attrs[0].mask != 1 {
			return unix.EINVAL
		}
		k.flags = r.config.flags
		k.drive(r.config.attrs[0].value)
		r.fd = lineFD
		k.open[lineFD] = true
		return nil
	case fd == lineFD && request == setLineValues:
		v := (*lineValues)(argument)
		if v.mask != 1 {
			return unix.EINVAL
		}
		k.drive(v.bits)
		return nil
	default:
		return unix.ENOTTY
	}
}

// drive sets the pin of the line to a value, as the flags say.
func (k *pinKernel) drive(value uint64) {
	if k.flags&lineIsOutput == 0 {
		k.trace = append(k.trace, "input")
		return
	}
	high := value&1 == 1
	if k.flags&lineIsActiveLow != 0 {
		high = !high
	}
	k.trace = append(k.trace, map[bool]string{true: "high", false: "low"}[high])
}

func TestGPIORelay(t *testing.T) {
	for name, tt := range map[string]struct {
		activeLow bool
		set       []bool
		want      []string // what the pin does, from the moment that it is an output
	}{
		"off from the beginning":             {false, []bool{false}, []string{"low"}},
		"on from the beginning":              {false, []bool{true}, []string{"high"}},
		"active low, off from the beginning": {true, []bool{false}, []string{"high"}},
		"active low, on from the beginning":  {true, []bool{true}, []string{"low"}},
		"on and off":                         {false, []bool{false, true, false}, []string{"low", "high", "low"}},
		"active low, on and off":             {true, []bool{false, true, false}, []string{"high", "low", "high"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := &pinKernel{open: map[int]bool{}}
			r, err := newGPIORelay("gpiochip0:17", tt.activeLow, k)
			if err != nil || len(k.trace) != 0 {
				t.Fatal(err, k.trace)
			}
			for _, on := range tt.set {
				if err := r.Set(on); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(tt.want, k.trace); diff != "" {
				t.Errorf("pin (-want +got):\n%s", diff)
			}
			if err := errors.Join(r.Close(), r.Close()); err != nil || len(k.open) != 0 {
				t.Errorf("left open %v, %v", k.open, err)
			}
		})
	}
}

func TestGPIORelaySaysWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		line string
		err  error
		want string
	}{
		{"gpiochip1:17", nil, "no such chip"},
		{"gpiochip0:32", nil, "no such line"},
		{"gpiochip0:17", unix.EBUSY, "another program has it"},
		{"gpiochip0:17", unix.EACCES, "group gpio"},
		{"gpiochip0:17", unix.ENOTTY, "no GPIO chip"},
	} {
		k := &pinKernel{err: tt.err, open: map[int]bool{}}
		r, err := newGPIORelay(tt.line, false, k)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Set(true); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want something with %q", tt.line, err, tt.want)
		}
		if len(k.open) != 0 || len(k.trace) != 0 {
			t.Errorf("%s: left open %v, pin %v", tt.line, k.open, k.trace)
		}
	}
	for _, line := range []string{"", "17", ":17", "gpiochip0:", "gpiochip0:-1", "gpiochip0:x"} {
		if _, err := newGPIORelay(line, false, linux{}); err == nil {
			t.Errorf("%q is taken for a line", line)
		}
	}
}

// The kernel's header fixes these, on every processor.
func TestGPIOStructuresAreTheKernels(t *testing.T) {
	var r lineRequest
	for name, is := range map[string][2]uintptr{
		"size of a request":    {unsafe.Sizeof(r), 592},
		"size of values":       {unsafe.Sizeof(lineValues{}), 16},
		"config":               {unsafe.Offsetof(r.config), 288},
		"config.attrs":         {unsafe.Offsetof(r.config) + unsafe.Offsetof(r.config.attrs), 320},
		"size of an attribute": {unsafe.Sizeof(r.config.attrs[0]), 24},
		"num_lines":            {unsafe.Offsetof(r.numLines), 560},
		"fd":                   {unsafe.Offsetof(r.fd), 588},
		"getLine's size":       {getLine >> 16 & 0x3FFF, unsafe.Sizeof(r)},
		"setLineValues' size":  {setLineValues >> 16 & 0x3FFF, unsafe.Sizeof(lineValues{})},
	} {
		if is[0] != is[1] {
			t.Errorf("%s: %d, want %d", name, is[0], is[1])
		}
	}
}

// On the real kernel a file that is no chip is told apart.
func TestNoGPIOChip(t *testing.T) {
	r, err := newGPIORelay("/dev/null:1", false, linux{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Set(true); err == nil || !strings.Contains(err.Error(), "no GPIO chip") {
		t.Errorf("error %v", err)
	}
}

// A node that is switched on drives its relay's pin once, to where it belongs.
func TestPowerUpMovesThePinOnce(t *testing.T) {
	for _, activeLow := range []bool{false, true} {
		for policy, on := range map[wire.Position]bool{wire.PositionOff: false, wire.PositionOn: true, wire.PositionLast: true} {
			c := node.DefaultConfig()
			c.Relay.PowerUp = policy
			saved := settings{worstDisk{faultdisk.New(1)}}
			if err := errors.Join(saved.Save(node.SavedConfig, wire.AppendConfig(nil, &c)), saved.Save(node.SavedRelay, []byte("1"))); err != nil {
				t.Fatal(err)
			}
			k := &pinKernel{open: map[int]bool{}}
			r, err := newGPIORelay("gpiochip0:17", activeLow, k)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := node.New(node.Config{ID: "n1", Boot: 1, Meter: &cutter{}, Link: &cutter{}, Relay: r, Settings: saved}); err != nil {
				t.Fatal(err)
			}
			want := []string{map[bool]string{true: "high", false: "low"}[on != activeLow]}
			if diff := cmp.Diff(want, k.trace); diff != "" {
				t.Errorf("%s, active low %v: pin (-want +got):\n%s", policy, activeLow, diff)
			}
		}
	}
}
