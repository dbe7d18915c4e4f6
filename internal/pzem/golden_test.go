package pzem_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/pzem"
)

type goldenFrame struct {
	reply []byte
	want  smartmeter.Measurement
}

// goldenFrames returns what real modules answered, and what it means.
func goldenFrames(t testing.TB) []goldenFrame {
	t.Helper()
	f, err := os.Open("testdata/pzem-frames.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []goldenFrame
	for lines := bufio.NewScanner(f); lines.Scan(); {
		frame, values, ok := strings.Cut(lines.Text(), "=")
		if strings.HasPrefix(frame, "#") || !ok {
			continue
		}
		all = append(all, goldenFrame{unhex(t, frame), measurementOf(t, strings.Fields(values))})
	}
	if len(all) == 0 {
		t.Fatal("no golden frames")
	}
	return all
}

// measurementOf reads the values of a golden frame.
func measurementOf(t testing.TB, fields []string) smartmeter.Measurement {
	t.Helper()
	var v [6]int64
	for i := range v {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		v[i] = n
	}
	return smartmeter.Measurement{
		Has:     smartmeter.AllQuantities,
		Voltage: smartmeter.Decivolt(v[0]), Current: smartmeter.Milliamp(v[1]),
		Power: smartmeter.Deciwatt(v[2]), Energy: smartmeter.WattHour(v[3]),
		Frequency: smartmeter.Decihertz(v[4]), PowerFactor: smartmeter.Hundredth(v[5]),
	}
}

func TestMasterUnderstandsRealModules(t *testing.T) {
	for _, golden := range goldenFrames(t) {
		l := newLine(t, fault{say: golden.reply})
		var got smartmeter.Measurement
		if err := newMaster(t, l, 0x01).Read(&got); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(golden.want, got); diff != "" {
			t.Errorf("% x (-want +got):\n%s", golden.reply, diff)
		}
	}
}

func TestSlaveAnswersAsRealModulesDo(t *testing.T) {
	for _, golden := range goldenFrames(t) {
		slave, err := pzem.NewSlave(0x01)
		if err != nil {
			t.Fatal(err)
		}
		slave.Update(func(m *smartmeter.Measurement) { *m = golden.want })
		got := slave.Feed(withCRC(t, "01 04 0000 000A"))
		if diff := cmp.Diff(golden.reply, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", golden.want, diff)
		}
	}
}
