package pzem_test

import (
	"bytes"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// FuzzMaster says anything to a Master. What it believes must be, byte for
// byte, an intact reply, and nothing else may have been said with it.
func FuzzMaster(f *testing.F) {
	for _, golden := range goldenFrames(f) {
		f.Add(golden.reply, []byte{}, byte(0x01))
		f.Add(golden.reply[:20], golden.reply, byte(0x01))
		f.Add(append([]byte{0}, golden.reply...), golden.reply, pzem.General)
	}
	f.Add([]byte{0x01, 0x84, 0x02, 0xC2, 0xC1}, []byte{}, byte(0x01))
	f.Fuzz(func(t *testing.T, first, second []byte, address byte) {
		l := newLine(t, fault{say: first}, fault{say: second})
		l.faults[0].silent, l.faults[1].silent = len(first) == 0, len(second) == 0
		m, err := pzem.NewMaster(flushingLine{l}, address)
		if err != nil {
			return
		}
		var got smartmeter.Measurement
		if err := m.Read(&got); err != nil {
			if got.Has != 0 {
				t.Fatalf("%v, and yet %v", err, got)
			}
			return
		}
		if !tells(t, first, &got, address) && !tells(t, second, &got, address) {
			t.Fatalf("% x and % x gave %v", first, second, got)
		}
	})
}

// tells reports whether said is the reply of a module at address that
// measures m, whatever it says of its alarm.
func tells(t *testing.T, said []byte, m *smartmeter.Measurement, address byte) bool {
	if len(said) != 25 || said[0] != address && address != pzem.General {
		return false
	}
	registers := [10]uint16{
		uint16(m.Voltage),
		uint16(m.Current), uint16(m.Current >> 16),
		uint16(m.Power), uint16(m.Power >> 16),
		uint16(m.Energy), uint16(m.Energy >> 16),
		uint16(m.Frequency), uint16(m.PowerFactor),
		uint16(said[21])<<8 | uint16(said[22]),
	}
	frame := []byte{said[0], 0x04, 20}
	for _, r := range registers {
		frame = append(frame, byte(r>>8), byte(r))
	}
	return bytes.Equal(said, withCRC(t, hexOf(frame)))
}

// FuzzSlave says anything to a Slave. It must not be harmed, and whatever it
// says must be replies of its own address.
func FuzzSlave(f *testing.F) {
	f.Add([]byte{0x01, 0x04, 0x00, 0x00, 0x00, 0x0A, 0x70, 0x0D})
	f.Add([]byte{0x01, 0x42, 0x80, 0x11, 0x01, 0x42, 0x80, 0x11})
	f.Add([]byte{0xF8, 0x41, 0x37, 0x21, 0xB7, 0x78})
	f.Fuzz(func(t *testing.T, said []byte) {
		l := newLine(t)
		for _, b := range said {
			from := l.slave.Address()
			reply := l.slave.Feed([]byte{b})
			if len(reply) == 0 {
				continue
			}
			if reply[0] != from || !bytes.Equal(reply, withCRC(t, hexOf(reply[:len(reply)-2]))) {
				t.Fatalf("% x gave % x", said, reply)
			}
		}
		if a := l.slave.Address(); a < pzem.MinAddress || a > pzem.MaxAddress {
			t.Fatalf("the address is %#x", a)
		}
		if l.slave.AlarmThreshold() > pzem.MaxAlarmThreshold {
			t.Fatalf("the threshold is %d", l.slave.AlarmThreshold())
		}
	})
}
