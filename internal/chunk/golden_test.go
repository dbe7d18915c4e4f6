package chunk

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
)

// The golden chunks were written once by each codec and are kept for ever, with
// their readings as text beside them. There is no flag that writes them anew,
// and there must not be one: a test that fails here has found chunks on people's
// disks that cannot be read any more.

func TestGoldenChunksStayReadable(t *testing.T) {
	chunks, err := filepath.Glob("testdata/golden/*.smch")
	if err != nil || len(chunks) < 2 {
		t.Fatalf("found %d golden chunks, want at least 2 (%v)", len(chunks), err)
	}
	for _, name := range chunks {
		t.Run(filepath.Base(name), func(t *testing.T) {
			p, want := readGolden(t, name)
			var d Decoder
			h, got, err := d.Decode(p, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if h.Hash != Hash(want) {
				t.Error("the hash of equal readings has changed")
			}
			wantHeader := Header{
				Site: ID([]byte("a golden site id")), Channel: ID([]byte("channel id of it")), Day: testDay, Version: 7,
			}
			wantHeader.describe(want)
			wantHeader.Codec, wantHeader.Revision, wantHeader.Schema = h.Codec, h.Revision, h.Schema
			if diff := cmp.Diff(wantHeader, h); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestEqualReadingsGiveEqualBytes packs golden readings of the present codec
// once more: on this machine, by this compiler, with this version of the
// library the bytes must be the same.
func TestEqualReadingsGiveEqualBytes(t *testing.T) {
	for _, name := range []string{"codec1.1-mixed", "codec1.1-odd"} {
		t.Run(name, func(t *testing.T) {
			want, readings := readGolden(t, "testdata/golden/"+name+".smch")
			h, err := ReadHeader(want)
			if err != nil {
				t.Fatal(err)
			}
			var e Encoder
			got, err := e.Encode(nil, h, readings)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(want, got) {
				t.Errorf("other bytes than in the golden chunk (%d, were %d)", len(got), len(want))
			}
		})
	}
}

// readGolden returns a chunk, and the readings written beside it.
func readGolden(t *testing.T, name string) ([]byte, []smartmeter.Reading) {
	t.Helper()
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(strings.TrimSuffix(name, ".smch") + ".csv")
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var readings []smartmeter.Reading
	for _, row := range rows[1:] {
		var f [11]int64
		for i := range f {
			if f[i], err = strconv.ParseInt(row[i], 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		readings = append(readings, smartmeter.Reading{
			At: smartmeter.Instant(f[0]), Timing: smartmeter.Timing(f[1]), Boot: smartmeter.BootID(f[2]), Seq: uint32(f[3]),
			Measurement: smartmeter.Measurement{
				Has:     smartmeter.Quantities(f[4]),
				Voltage: smartmeter.Decivolt(f[5]), Current: smartmeter.Milliamp(f[6]), Power: smartmeter.Deciwatt(f[7]),
				Energy: smartmeter.WattHour(f[8]), Frequency: smartmeter.Decihertz(f[9]), PowerFactor: smartmeter.Hundredth(f[10]),
			},
		})
	}
	return p, readings
}
