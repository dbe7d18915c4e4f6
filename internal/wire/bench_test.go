package wire

import (
	"strings"
	"testing"

	"github.com/iot-smart-meter/smartmeter"
)

// hot are the operations that every sample, or every message, goes through.
func hot(t testing.TB) map[string]func() {
	file := func(name string) []byte { return payload{file: name}.bytes(t) }
	var s smartmeter.Sample
	metrics, fielded, broken := file("metrics.json"), file("metrics-fielded.json"), []byte(`{"voltage":nan}`)
	backlog, ack, lease, energy := file("backlog.json"), file("ack.json"), file("lease.json"), file("energy-fielded.txt")
	if err := DecodeMetrics(metrics, &s); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 0, 1024)
	room := make([]smartmeter.Sample, 0, MaxBacklog)
	topics := Topics{}
	return map[string]func(){
		"DecodeMetrics":         func() { must(t, DecodeMetrics(metrics, &s)) },
		"DecodeMetrics/fielded": func() { must(t, DecodeMetrics(fielded, new(smartmeter.Sample))) },
		"DecodeMetrics/broken": func() {
			if DecodeMetrics(broken, &smartmeter.Sample{}) != BadNumber {
				t.Fatal("not refused")
			}
		},
		"DecodeBacklog/2": func() { _, err := DecodeBacklog(backlog, room); must(t, err) },
		"DecodeAck":       func() { _, err := DecodeAck(ack); must(t, err) },
		"DecodeLease":     func() { _, err := DecodeLease(lease); must(t, err) },
		"DecodeEnergy":    func() { _, err := DecodeEnergy(energy); must(t, err) },
		"DecodeState": func() {
			_, err := DecodeRelayState([]byte("1"))
			must(t, err)
			_, err = DecodeStatus([]byte(Online))
			must(t, err)
			must(t, DecodeHeartbeat([]byte(Alive)))
		},
		"DecodeCommand/text": func() { _, err := DecodeCommand([]byte("relay_on")); must(t, err) },
		"AppendMetrics":      func() { buf = AppendMetrics(buf[:0], &s) },
		"AppendAck":          func() { buf = AppendAck(buf[:0], Ack{Boot: 1, Seq: 2}) },
		"AppendTopic":        func() { buf = topics.AppendTopic(buf[:0], "ESP32-9F8E", KindMetrics, 12) },
		"Parse":              func() { _, err := topics.Parse("dev/ESP32-9F8E/pzem/metrics"); must(t, err) },
		"Parse/channel":      func() { _, err := topics.Parse("dev/ESP32-9F8E/pzem/12/metrics"); must(t, err) },
		"Parse/unknown": func() {
			if _, err := topics.Parse("dev/ESP32-9F8E/unheard/of"); err != UnknownTopic {
				t.Fatal("not refused")
			}
		},
	}
}

func must(t testing.TB, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

func TestHotPathsDoNotAllocate(t *testing.T) {
	for name, f := range hot(t) {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func Benchmark(b *testing.B) {
	for name, f := range hot(b) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

// BenchmarkHostile is the most that one payload can cost.
func BenchmarkHostile(b *testing.B) {
	for name, p := range map[string]string{
		"nines":  `{"power":` + strings.Repeat("9", MaxPayload-10) + `}`,
		"arrays": `{"x":[` + strings.Repeat("[],", (MaxPayload-8)/3-1) + `[]]}`,
		"names":  `{` + strings.Repeat(`"":0,`, MaxPayload/5-1) + `"":0}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				_ = DecodeMetrics([]byte(p), &smartmeter.Sample{})
			}
		})
	}
}
