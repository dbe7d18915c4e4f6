package pzem_test

import (
	"encoding/hex"
	"errors"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

// newLine returns a line to a module at address 0x01 that measures something.
func newLine(t interface {
	Helper()
	Fatal(...any)
}, faults ...fault,
) *line {
	t.Helper()
	slave, err := pzem.NewSlave(0x01)
	if err != nil {
		t.Fatal(err)
	}
	slave.Update(func(m *smartmeter.Measurement) { *m = measuring() })
	return &line{slave: slave, faults: faults}
}

func newMaster(t interface {
	Helper()
	Fatal(...any)
}, port io.ReadWriter, address byte,
) *pzem.Master {
	t.Helper()
	m, err := pzem.NewMaster(port, address)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMasterAsksAsTheManualSays(t *testing.T) {
	tests := []struct {
		name string
		ask  func(*pzem.Master) error
		want string
	}{
		{"read", func(m *pzem.Master) error { return m.Read(new(smartmeter.Measurement)) }, "010400000 00a700d"},
		{"read threshold", func(m *pzem.Master) error { _, err := m.AlarmThreshold(); return err }, "010300010002 95cb"},
		{"read address", func(m *pzem.Master) error { _, err := m.Address(); return err }, "010300010002 95cb"},
		{"set threshold", func(m *pzem.Master) error { return m.SetAlarmThreshold(2300) }, "0106000108fc df8b"},
		{"set threshold too high", func(m *pzem.Master) error { return m.SetAlarmThreshold(65_000) }, "0106000161a8 f024"},
		{"set address", func(m *pzem.Master) error { return m.SetAddress(0x05) }, "010600020005 e809"},
		{"reset energy", func(m *pzem.Master) error { return m.ResetEnergy() }, "0142 8011"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine(t)
			if err := tt.ask(newMaster(t, l, 0x01)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{spaceless(tt.want)}, hexes(l.requests)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMasterOnAHostileLine(t *testing.T) {
	stranger, err := pzem.NewSlave(0x02)
	if err != nil {
		t.Fatal(err)
	}
	read := unhex(t, "01040000000a700d")
	fromStranger := append([]byte(nil), stranger.Feed(withCRC(t, "02 04 0000 000A"))...)
	stranger.Feed(withCRC(t, "02 06 0002 0001"))
	staleValues := append([]byte(nil), stranger.Feed(read)...)
	otherQuestion := withCRC(t, "01 03 14 0901 11EB 0001 75D2 0002 9676 0098 01F3 0061 0000")
	noise := []byte{0x00, 0xFF, 0x55}

	tests := []struct {
		name     string
		faults   []fault
		want     error
		requests int
	}{
		{"nothing wrong", nil, nil, 1},
		{"byte by byte", []fault{{single: true}}, nil, 1},
		{"one reply lost", []fault{{silent: true}}, nil, 2},
		{"silence", []fault{{silent: true}, {silent: true}}, pzem.ErrSilent, 2},
		{"one wrong CRC", []fault{{flip: 80}}, nil, 2},
		{"wrong CRC", []fault{{flip: 80}, {flip: 1}}, pzem.ErrCRC, 2},
		{"one half frame", []fault{{cut: 12}}, nil, 2},
		{"half frames", []fault{{cut: 12}, {cut: 24}}, pzem.ErrShort, 2},
		{"noise before", []fault{{before: noise}, {before: noise}}, pzem.ErrLength, 2},
		{"noise before, trickling", []fault{{before: noise, single: true}}, nil, 2},
		{"noise after", []fault{{after: noise}, {after: noise}}, pzem.ErrLength, 2},
		{"noise after, late enough to be missed", []fault{{}, {after: noise, single: true}}, nil, 1},
		{"noise instead", []fault{{say: noise}, {say: noise}}, pzem.ErrShort, 2},
		{"another module", []fault{{say: fromStranger}, {say: fromStranger}}, pzem.ErrAddress, 2},
		{"another function", []fault{{say: otherQuestion}, {say: otherQuestion}}, pzem.ErrFunction, 2},
		{"a refusal", []fault{{say: unhex(t, "018402c2c1")}}, pzem.IllegalAddress, 1},
		{"a garbled refusal", []fault{{say: unhex(t, "018402c2c2")}}, nil, 2},
		{"late once", []fault{{delay: 250}}, pzem.ErrLate, 2},
		{"late until it is found out", []fault{{delay: 250}, {silent: true}}, nil, 2},
		{"power-up garbage, then silence", []fault{{say: []byte{0, 0, 0, 0}}, {silent: true}}, pzem.ErrSilent, 2},
		{"an old reply and the new one at once", []fault{{before: staleValues}, {before: staleValues}}, pzem.ErrLength, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLine(t)
			m := newMaster(t, flushingLine{l}, 0x01)
			got := measuring()
			if err := m.Read(&got); err != nil { // now the line is in step
				t.Fatal(err)
			}
			l.faults, l.requests = tt.faults, nil
			if err := m.Read(&got); err != tt.want {
				t.Fatalf("Read: %v, want %v", err, tt.want)
			}
			want := measuring()
			if tt.want != nil {
				want = smartmeter.Measurement{}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("measurement (-want +got):\n%s", diff)
			}
			if len(l.requests) != tt.requests {
				t.Errorf("%d requests, want %d", len(l.requests), tt.requests)
			}
			l.faults, l.now = nil, l.now+1000
			if err := m.Read(&got); err != nil || got != measuring() {
				t.Errorf("the next read of a good line: %v, %v", got, err)
			}
		})
	}
}

// TestMasterBelievesNoReplyToAnEarlierRead lets anything happen to replies, as
// long as none is late by more than the second between two reads.
func TestMasterBelievesNoReplyToAnEarlierRead(t *testing.T) {
	faults := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) fault {
		noise := rapid.SliceOfN(rapid.Byte(), 0, 40)
		return fault{
			silent: rapid.IntRange(0, 4).Draw(t, "silent") == 0,
			delay:  rapid.SampledFrom([]int{0, 0, 100, 170, 200, 300, 500, 800}).Draw(t, "delay"),
			before: noise.Draw(t, "before"),
			after:  noise.Draw(t, "after"),
			flip:   max(0, rapid.IntRange(-600, 200).Draw(t, "flip")),
			cut:    max(0, rapid.IntRange(-60, 25).Draw(t, "cut")),
			single: rapid.Bool().Draw(t, "single"),
		}
	}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		l := newLine(t, faults.Draw(t, "faults")...)
		l.polite = rapid.Bool().Draw(t, "polite")
		var port io.ReadWriter = l
		if rapid.Bool().Draw(t, "flushing") {
			port = flushingLine{l}
		}
		m := newMaster(t, port, 0x01)
		for i := range 8 {
			l.slave.Update(func(m *smartmeter.Measurement) { m.Energy = smartmeter.WattHour(i) })
			var got smartmeter.Measurement
			err := m.Read(&got)
			if err == nil && (got.Energy != smartmeter.WattHour(i) || got.Has != smartmeter.AllQuantities) {
				t.Fatalf("read %d returned the values of read %d", i, got.Energy)
			}
			if err != nil && got.Has != 0 {
				t.Fatalf("read %d failed (%v) and left %v", i, err, got)
			}
			if len(l.faults) == 0 && i == 7 && err != nil {
				t.Fatalf("the line is good again, but: %v", err)
			}
			l.now += 1000
		}
	})
}

func TestMasterOnANoisyLineGivesUp(t *testing.T) {
	l := newLine(t, fault{flip: 9})
	m := newMaster(t, l, 0x01)
	for at := range 2000 {
		l.arrive(at, []byte{0xA5}, false)
	}
	if err := m.Read(new(smartmeter.Measurement)); err != pzem.ErrNoise {
		t.Errorf("Read: %v, want ErrNoise", err)
	}
}

func TestMasterReturnsWhatThePortFailsWith(t *testing.T) {
	for _, gone := range []error{io.EOF, errors.New("unplugged")} {
		l := newLine(t)
		m := newMaster(t, flushingLine{l}, 0x01)
		l.gone = gone
		if err := m.Read(new(smartmeter.Measurement)); err != gone {
			t.Errorf("Read: %v, want %v", err, gone)
		}
	}
}

func TestMasterFlushesBeforeEveryRequest(t *testing.T) {
	l := newLine(t, fault{silent: true})
	m := newMaster(t, flushingLine{l}, 0x01)
	if err := m.Read(new(smartmeter.Measurement)); err != nil {
		t.Fatal(err)
	}
	if l.resets != 2 {
		t.Errorf("flushed %d times before 2 requests", l.resets)
	}
}

func TestMasterSettings(t *testing.T) {
	l := newLine(t)
	m := newMaster(t, l, 0x01)
	if err := m.SetAlarmThreshold(30_000); err != nil {
		t.Fatal(err)
	}
	if got, err := m.AlarmThreshold(); got != pzem.MaxAlarmThreshold || err != nil {
		t.Errorf("threshold %d, %v; want %d", got, err, pzem.MaxAlarmThreshold)
	}
	if err := m.SetAddress(0x42); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Address(); got != 0x42 || err != nil {
		t.Errorf("address %#x, %v; want 0x42", got, err)
	}
	if err := m.ResetEnergy(); err != nil {
		t.Fatal(err)
	}
	if got := l.slave.Measurement().Energy; got != 0 {
		t.Errorf("energy %d after a reset", got)
	}
	for _, bad := range []byte{0x00, 0xF8, 0xFF} {
		if err := m.SetAddress(bad); err != pzem.ErrBadAddress {
			t.Errorf("SetAddress(%#x): %v", bad, err)
		}
	}
}

func TestMasterReachesTheOnlyModuleWhateverItsAddress(t *testing.T) {
	slave, err := pzem.NewSlave(0xF7)
	if err != nil {
		t.Fatal(err)
	}
	m := newMaster(t, slave, pzem.General)
	if got, err := m.Address(); got != 0xF7 || err != nil {
		t.Errorf("address %#x, %v; want 0xF7", got, err)
	}
	if err := m.SetAddress(0x07); err != nil || slave.Address() != 0x07 {
		t.Errorf("SetAddress: %v, address %#x", err, slave.Address())
	}
	if err := m.Read(new(smartmeter.Measurement)); err != nil {
		t.Errorf("Read: %v", err)
	}
}

func TestNoModuleHasSuchAnAddress(t *testing.T) {
	for _, address := range []byte{0x00, 0xF9, 0xFF} {
		if _, err := pzem.NewMaster(new(line), address); err != pzem.ErrBadAddress {
			t.Errorf("NewMaster(%#x): %v", address, err)
		}
	}
	for _, address := range []byte{0x00, 0xF8} {
		if _, err := pzem.NewSlave(address); err != pzem.ErrBadAddress {
			t.Errorf("NewSlave(%#x): %v", address, err)
		}
	}
}

func TestReadDoesNotAllocate(t *testing.T) {
	m := newMaster(t, newLine(t).slave, 0x01)
	var got smartmeter.Measurement
	allocs := testing.AllocsPerRun(100, func() {
		if err := m.Read(&got); err != nil {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per read", allocs)
	}
}

func TestFailingDoesNotAllocate(t *testing.T) {
	slave := newLine(t).slave
	m := newMaster(t, slave, 0x02) // nobody there
	var got smartmeter.Measurement
	allocs := testing.AllocsPerRun(100, func() {
		if err := m.Read(&got); err != pzem.ErrSilent {
			t.Fatal(err)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per failed read", allocs)
	}
}

func BenchmarkRead(b *testing.B) {
	m := newMaster(b, newLine(b).slave, 0x01)
	var got smartmeter.Measurement
	b.ReportAllocs()
	for b.Loop() {
		if err := m.Read(&got); err != nil {
			b.Fatal(err)
		}
	}
}

// unhex reads bytes in hex, with or without spaces.
func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(spaceless(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func spaceless(s string) string {
	var b []byte
	for i := range len(s) {
		if s[i] != ' ' {
			b = append(b, s[i])
		}
	}
	return string(b)
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

func hexes(frames [][]byte) []string {
	var all []string
	for _, f := range frames {
		all = append(all, hex.EncodeToString(f))
	}
	return all
}
