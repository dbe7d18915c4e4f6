package pzem_test

import (
	"encoding/hex"
	"errors"
	"io"
	"net"
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
)

// withCRC closes a frame given in hex.
func withCRC(t testing.TB, frame string) []byte {
	t.Helper()
	b := unhex(t, frame)
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			if crc&1 == 1 {
				crc = crc>>1 ^ 0xA001
			} else {
				crc >>= 1
			}
		}
	}
	return append(b, byte(crc), byte(crc>>8))
}

func TestSlaveAnswers(t *testing.T) {
	tests := []struct {
		name    string
		request string // without CRC
		want    string // without CRC; "" for silence
	}{
		{"all inputs", "01 04 0000 000A", "01 04 14 0901 11EB 0001 75D2 0002 9676 0098 01F3 0061 0000"},
		{"one input", "01 04 0007 0001", "01 04 02 01F3"},
		{"the last input", "01 04 0009 0001", "01 04 02 0000"},
		{"beyond the last input", "01 04 0009 0002", "01 84 02"},
		{"no such input", "01 04 000A 0001", "01 84 02"},
		{"an input near the end of the numbers", "01 04 FFFF 0001", "01 84 02"},
		{"no register at all", "01 04 0000 0000", "01 84 03"},
		{"too many registers", "01 04 0000 00FF", "01 84 03"},
		{"threshold", "01 03 0001 0001", "01 03 02 61A8"},
		{"threshold and address", "01 03 0001 0002", "01 03 04 61A8 0001"},
		{"no holding register 0", "01 03 0000 0001", "01 83 02"},
		{"no holding register 3", "01 03 0002 0002", "01 83 02"},
		{"set threshold", "01 06 0001 0064", "01 06 0001 0064"},
		{"threshold too high", "01 06 0001 61A9", "01 86 03"},
		{"set address 0", "01 06 0002 0000", "01 86 03"},
		{"set address 248", "01 06 0002 00F8", "01 86 03"},
		{"set address, answered from the old one", "01 06 0002 0005", "01 06 0002 0005"},
		{"write an unknown register", "01 06 0003 0001", "01 86 02"},
		{"reset", "01 42", "01 42"},
		{"calibrate", "01 41 3721", "01 C1 01"},
		{"coils", "01 01 0000 0001", "01 81 01"},
		{"general", "F8 04 0007 0001", "01 04 02 01F3"},
		{"another module", "02 04 0007 0001", ""},
		{"read from all", "00 04 0007 0001", ""},
		{"reset all", "00 42", ""},
		{"a function nobody knows", "01 77 0007 0001", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := ""
			if tt.want != "" {
				want = hex.EncodeToString(withCRC(t, tt.want))
			}
			if got := hex.EncodeToString(newLine(t).slave.Feed(withCRC(t, tt.request))); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestSlaveObeysBroadcastsSilently(t *testing.T) {
	slave := newLine(t).slave
	slave.Feed(withCRC(t, "00 42"))
	slave.Feed(withCRC(t, "00 06 0001 0064"))
	if got := slave.Measurement().Energy; got != 0 {
		t.Errorf("energy %d after a broadcast reset", got)
	}
	if got := slave.AlarmThreshold(); got != 100 {
		t.Errorf("threshold %d, want 100", got)
	}
}

func TestSlaveRaisesTheAlarm(t *testing.T) {
	slave := newLine(t).slave
	slave.Feed(withCRC(t, "01 06 0001 0064"))
	for _, tt := range []struct {
		power smartmeter.Deciwatt
		want  string
	}{{1000, "01 04 02 0000"}, {1001, "01 04 02 FFFF"}} {
		slave.Update(func(m *smartmeter.Measurement) { m.Power = tt.power })
		got := slave.Feed(withCRC(t, "01 04 0009 0001"))
		if string(got) != string(withCRC(t, tt.want)) {
			t.Errorf("at %d: % x", tt.power, got)
		}
	}
}

func TestSlaveCountsOnAfterAReset(t *testing.T) {
	slave := newLine(t).slave
	add := func(m *smartmeter.Measurement) { m.Energy += 5 }
	slave.Feed(withCRC(t, "01 42"))
	slave.Update(add)
	if got := slave.Measurement().Energy; got != 5 {
		t.Errorf("energy %d, want 5", got)
	}
	slave.Update(func(m *smartmeter.Measurement) { m.Energy = 0xFFFFFFFF })
	slave.Update(add)
	if got := slave.Measurement().Energy; got != 4 {
		t.Errorf("energy %d after the register rolled over, want 4", got)
	}
}

// TestSlaveHearsARequestThroughAnything: noise of any kind before a request,
// in pieces of any size, never keeps the module from answering it at once.
func TestSlaveHearsARequestThroughAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		slave := newLine(rt).slave
		stream := rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{0, 1, 3, 4, 6, 0x41, 0x42, 0xF8})), 0, 30).Draw(rt, "noise")
		request := withCRC(t, rapid.SampledFrom([]string{"01 04 0000 000A", "01 03 0001 0002", "01 42"}).Draw(rt, "request"))
		stream = append(stream, request...)
		var reply []byte
		for len(stream) > 0 {
			n := rapid.IntRange(1, len(stream)).Draw(rt, "piece")
			reply = append([]byte(nil), slave.Feed(stream[:n])...)
			stream = stream[n:]
		}
		if len(reply) == 0 {
			rt.Fatal("no reply")
		}
	})
}

func TestSlaveIsAPort(t *testing.T) {
	slave := newLine(t).slave
	request := withCRC(t, "01 04 0007 0001")
	want := withCRC(t, "01 04 02 01F3")
	if _, err := slave.Write(append(request, request...)); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 3)
	for i, piece := range [][]byte{want[:3], want[3:6], {want[6], want[0], want[1]}} {
		if n, err := slave.Read(got); n != len(piece) || err != nil || string(got[:n]) != string(piece) {
			t.Errorf("piece %d: % x, %v; want % x", i, got[:n], err, piece)
		}
	}
	if err := slave.ResetInputBuffer(); err != nil {
		t.Fatal(err)
	}
	if n, err := slave.Read(got); n != 0 || err != nil {
		t.Errorf("after a reset: %d bytes, %v; want silence", n, err)
	}
}

func TestSlaveServes(t *testing.T) {
	slave := newLine(t).slave
	near, far := net.Pipe()
	done := make(chan error)
	go func() { done <- slave.Serve(far) }()
	if _, err := near.Write(withCRC(t, "01 04 0007 0001")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 7)
	if _, err := io.ReadFull(near, got); err != nil || string(got) != string(withCRC(t, "01 04 02 01F3")) {
		t.Errorf("% x, %v", got, err)
	}
	near.Close()
	if err := <-done; !errors.Is(err, io.EOF) {
		t.Errorf("Serve: %v, want EOF", err)
	}
}
