package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
)

func TestMetricsVerdicts(t *testing.T) {
	const numbered = `"boot":"1a2b3c4d","seq":7,"t":5`
	for _, c := range []struct {
		name, payload string
		want          error
		numbered      bool // the sample can be acknowledged
	}{
		{"nothing measured", `{}`, MissingField, false},
		{"only unknown fields", `{"volts":230}`, MissingField, false},
		{"only null", `{"voltage":null}`, MissingField, false},
		{"one quantity", `{"power":5}`, nil, false},
		{"numbered, nothing measured", `{` + numbered + `}`, nil, true},
		{"voltage at the lower edge", `{"voltage":80}`, nil, false},
		{"voltage rounded up to the lower edge", `{"voltage":79.95}`, nil, false},
		{"voltage below", `{"voltage":79.94}`, OutOfRange, false},
		{"voltage above", `{"voltage":260.05}`, OutOfRange, false},
		{"current negative", `{"current":-1}`, OutOfRange, false},
		{"current negative but rounded to zero", `{"current":-0.0004}`, nil, false},
		{"power above", `{"power":26000.05}`, OutOfRange, false},
		{"frequency zero", `{"frequency":0}`, OutOfRange, false},
		{"power factor above", `{"pf":1.005}`, OutOfRange, false},
		{"power beyond any integer", `{"power":1e308}`, OutOfRange, false},
		{"energy beyond any integer", `{"energy_wh":-1e308}`, OutOfRange, false},
		{"numbered and implausible", `{"voltage":9999,` + numbered + `}`, OutOfRange, true},
		{"implausible and no JSON", `{"voltage":9999,` + numbered, NotJSON, false},
		{"energy with a fraction", `{"energy_wh":12.5}`, nil, false},
		{"seq without boot", `{"power":5,"seq":7,"t":5}`, MissingField, false},
		{"seq without t", `{"power":5,"seq":7,"boot":"1a2b3c4d"}`, MissingField, false},
		{"seq null", `{"power":5,"seq":null,"boot":"1a2b3c4d","t":5}`, nil, false},
		{"boot without seq", `{"power":5,"boot":"1a2b3c4d","t":5,"first":3}`, nil, false},
		{"seq zero", `{"power":5,"boot":"1a2b3c4d","seq":0,"t":5}`, OutOfRange, false},
		{"seq negative", `{"power":5,"boot":"1a2b3c4d","seq":-1,"t":5}`, OutOfRange, false},
		{"seq too large", `{"power":5,"boot":"1a2b3c4d","seq":4294967296,"t":5}`, OutOfRange, false},
		{"seq with a fraction", `{"power":5,"boot":"1a2b3c4d","seq":1.5,"t":5}`, BadNumber, false},
		{"seq as a power of ten", `{"power":5,"boot":"1a2b3c4d","seq":1.20e1,"t":5}`, nil, true},
		{"first after seq", `{"power":5,"first":8,` + numbered + `}`, OutOfRange, false},
		{"first is seq", `{"power":5,"first":7,` + numbered + `}`, nil, true},
		{"t negative", `{"power":5,"boot":"1a2b3c4d","seq":7,"t":-1}`, OutOfRange, false},
		{"t too large", `{"power":5,"boot":"1a2b3c4d","seq":7,"t":9007199254740992}`, OutOfRange, false},
		{"at negative", `{"power":5,"at":-1,` + numbered + `}`, OutOfRange, true},
		{"boot too short", `{"power":5,"boot":"1a2b3c4","seq":7,"t":5}`, UnknownValue, false},
		{"boot not hex", `{"power":5,"boot":"1a2b3c4g","seq":7,"t":5}`, UnknownValue, false},
		{"boot in capitals and escapes", `{"power":5,"boot":"\u0031A2B3C4D","seq":7,"t":5}`, nil, true},
		{"boot with endless escapes", `{"power":5,"boot":"` + strings.Repeat(`\u0031`, 500) + `","seq":7,"t":5}`, UnknownValue, false},
		{"name in escapes", `{"\u0070\u006fwer":5}`, nil, false},
		{"endless name in escapes", `{"power":5,"` + strings.Repeat(`\u0070`, 500) + `":5}`, nil, false},
		{"a sensor that failed", `{"voltage":nan,"current":nan,"power":nan}`, BadNumber, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := decodeSample([]byte(c.payload))
			if err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if got := s.Seq != 0; got != c.numbered {
				t.Errorf("numbered = %t, want %t", got, c.numbered)
			}
			if !c.numbered && (s.Boot != 0 || s.First != 0 || s.T != 0) {
				t.Errorf("an unnumbered sample has an identity: %+v", s)
			}
		})
	}
}

func TestImplausibleSampleIsDeliveredForTheQuarantine(t *testing.T) {
	s, err := decodeSample([]byte(`{"voltage":1e308,"current":-1,"power":5,"boot":"1a2b3c4d","seq":7,"first":3,"t":5}`))
	if err != OutOfRange {
		t.Fatalf("got %v, want out_of_range", err)
	}
	if got := s.Implausible(); got != smartmeter.Voltage|smartmeter.Current {
		t.Errorf("implausible: %b", got)
	}
	if s.Boot != testBoot || s.Seq != 7 || s.First != 3 || s.T != 5 || s.Power != 50 {
		t.Errorf("the rest of the sample is gone: %+v", s)
	}
}

func TestDecodeMetricsForgetsTheSampleBefore(t *testing.T) {
	var s smartmeter.Sample
	for _, p := range []string{`{"voltage":230,"at":5,"boot":"1a2b3c4d","seq":7,"t":5}`, `{"power":5}`} {
		if err := DecodeMetrics([]byte(p), &s); err != nil {
			t.Fatal(err)
		}
	}
	want := metered(smartmeter.Measurement{Has: smartmeter.Power, Power: 50})
	if diff := cmp.Diff(want, s); diff != "" {
		t.Error(diff)
	}
	if err := DecodeMetrics([]byte(`{"power":5`), &s); err == nil || s != (smartmeter.Sample{}) {
		t.Errorf("after an error the sample is %+v", s)
	}
}

func TestBacklogVerdicts(t *testing.T) {
	const good = `{"power":5,"boot":"1a2b3c4d","seq":7,"t":5}`
	list := func(n int, sample string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(sample+",", n), ",") + "]"
	}
	for _, c := range []struct {
		name, payload string
		want          error
		samples       int
	}{
		{"empty", `[]`, nil, 0},
		{"as many as allowed", list(MaxBacklog, good), nil, MaxBacklog},
		{"one too many", list(MaxBacklog+1, good), TooMany, 0},
		{"one without a number", `[` + good + `,{"power":5}]`, MissingField, 0},
		{"one implausible", `[` + good + `,{"voltage":1,"boot":"1a2b3c4d","seq":8,"t":5}]`, OutOfRange, 2},
		{"one with an impossible number", `[` + good + `,{"power":5,"boot":"1a2b3c4d","seq":0,"t":5}]`, OutOfRange, 2},
		{"not samples", `[1]`, WrongType, 0},
		{"null in it", `[null]`, WrongType, 0},
		{"no list", good, WrongType, 0},
		{"not closed", `[` + good, NotJSON, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			kept := smartmeter.Sample{Seq: 99}
			got, err := DecodeBacklog([]byte(c.payload), []smartmeter.Sample{kept})
			if err != c.want {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if len(got) != 1+c.samples || got[0] != kept {
				t.Errorf("got %d samples, want the one before and %d more", len(got), c.samples)
			}
		})
	}
}

func TestEnergyVerdicts(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    smartmeter.WattHour
		err     error
	}{
		{"12.34", 12340, nil},
		{" 12.3456\r\n", 12346, nil},
		{"0", 0, nil},
		{"0.00", 0, nil},
		{"9999.99", 9999990, nil},
		{"1000000000", smartmeter.MaxEnergy, nil},
		{"1000000000.0006", smartmeter.MaxEnergy + 1, OutOfRange},
		{"-0.001", -1, OutOfRange},
		{"nan", 0, BadNumber},
		{`"12.34"`, 0, WrongType},
		{"null", 0, WrongType},
		{"12,34", 0, NotJSON},
		{"", 0, NotJSON},
		{"\xff", 0, NotUTF8},
	} {
		if got, err := DecodeEnergy([]byte(c.payload)); got != c.want || err != c.err {
			t.Errorf("%q: %d, %v; want %d, %v", c.payload, got, err, c.want, c.err)
		}
	}
}

func TestEnergyIsWrittenInTheSketchsSteps(t *testing.T) {
	for e, want := range map[smartmeter.WattHour]string{
		0: "0.00", 4: "0.00", 5: "0.01", 994: "0.99", 995: "1.00", 12345: "12.35", 9999990: "9999.99",
	} {
		if got := string(AppendEnergy(nil, e)); got != want {
			t.Errorf("%d Wh: %s, want %s", e, got, want)
		}
	}
}
