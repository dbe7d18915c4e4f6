package smartmeter_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
)

func TestParseNodeID(t *testing.T) {
	for _, tt := range []struct {
		id string
		ok bool
	}{
		{"ESP32-a0b1c2d3", true},
		{"a", true},
		{"A.b_c-9", true},
		{strings.Repeat("x", 64), true},
		{strings.Repeat("x", 65), false},
		{".", false},
		{"..", false},
		{"...", true},
		{"", false},
		{"a b", false},
		{"a/b", false},
		{"+", false},
		{"#", false},
		{"*", false},
		{"é", false},
		{"a\x00", false},
	} {
		id, err := smartmeter.ParseNodeID(tt.id)
		if (err == nil) != tt.ok || tt.ok && string(id) != tt.id {
			t.Errorf("ParseNodeID(%q) = %q, %v; want ok=%v", tt.id, id, err, tt.ok)
		}
	}
}

func TestDefaultDeviceID(t *testing.T) {
	if got := smartmeter.DefaultDeviceID("n1", 0); got != "n1" {
		t.Errorf("channel 0: %q", got)
	}
	if got := smartmeter.DefaultDeviceID("n1", 2); got != "n1:2" {
		t.Errorf("channel 2: %q", got)
	}
}

func TestInstant(t *testing.T) {
	at := time.Date(2026, 11, 23, 8, 0, 0, 123e6, time.FixedZone("", 3600))
	if got := smartmeter.InstantOf(at).Time(); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("round trip: %v, want %v in UTC", got, at)
	}
	if !smartmeter.Instant(0).Time().IsZero() {
		t.Error("the unknown instant is not the zero time")
	}
}

func TestImplausible(t *testing.T) {
	m := smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: 2305, Current: 1200, Power: 2646, Energy: 5, Frequency: 500, PowerFactor: 96}
	if bad := m.Implausible(); bad != 0 {
		t.Errorf("a plain measurement: %b", bad)
	}
	m.Voltage, m.PowerFactor = 799, 101
	if bad := m.Implausible(); bad != smartmeter.Voltage|smartmeter.PowerFactor {
		t.Errorf("voltage and power factor out of range: %b", bad)
	}
	m.Has = smartmeter.Power
	if bad := m.Implausible(); bad != 0 {
		t.Errorf("absent quantities were judged: %b", bad)
	}
}

func TestReadingAfter(t *testing.T) {
	reading := func(at smartmeter.Instant, has smartmeter.Quantities, power smartmeter.Deciwatt, energy smartmeter.WattHour) smartmeter.Reading {
		return smartmeter.Reading{At: at, Measurement: smartmeter.Measurement{Has: has, Power: power, Energy: energy}}
	}
	const both = smartmeter.Power | smartmeter.Energy
	before := reading(1, both, 10, 7)
	for name, tt := range map[string]struct {
		before  *smartmeter.Reading
		r, want smartmeter.Reading
	}{
		"the first":                 {nil, reading(2, smartmeter.Power, 20, 0), reading(2, smartmeter.Power, 20, 0)},
		"the register stands":       {&before, reading(2, smartmeter.Power, 20, 0), reading(2, both, 20, 7)},
		"a register sent apart":     {&before, reading(2, smartmeter.Energy, 0, 8), reading(1, both, 10, 8)},
		"power is not carried over": {&before, reading(2, smartmeter.Voltage, 0, 0), reading(2, smartmeter.Voltage|smartmeter.Energy, 0, 7)},
	} {
		if d := cmp.Diff(tt.want, tt.r.After(tt.before)); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
	}
}

func TestCodeOf(t *testing.T) {
	wrapped := fmt.Errorf("switch: %w", smartmeter.NewError(smartmeter.NotFound, "device", "there is no such device"))
	for _, tt := range []struct {
		err  error
		want smartmeter.Code
	}{
		{nil, ""},
		{errors.New("x"), smartmeter.Internal},
		{wrapped, smartmeter.NotFound},
	} {
		if got := smartmeter.CodeOf(tt.err); got != tt.want {
			t.Errorf("CodeOf(%v) = %q, want %q", tt.err, got, tt.want)
		}
	}
	if got, want := wrapped.Error(), "switch: device: there is no such device"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
}
