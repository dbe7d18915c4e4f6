package wire

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
)

// payload is one payload of the contract: how it looks in testdata, what it
// means, and the functions that lead from one to the other.
type payload struct {
	file   string
	want   any
	decode func(p []byte) (any, error)
	encode func(dst []byte, v any) []byte
}

func (p payload) bytes(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", p.file))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (p payload) isJSON() bool { return strings.HasSuffix(p.file, ".json") }

// payloadOf is for values passed as such.
func payloadOf[T any](file string, want T, decode func([]byte) (T, error), encode func([]byte, T) []byte) payload {
	return payload{
		file: file, want: want,
		decode: func(p []byte) (any, error) { return decode(p) },
		encode: func(dst []byte, v any) []byte { return encode(dst, v.(T)) },
	}
}

// payloadAt is for values passed by pointer.
func payloadAt[T any](file string, want T, decode func([]byte) (T, error), encode func([]byte, *T) []byte) payload {
	return payloadOf(file, want, decode, func(dst []byte, v T) []byte { return encode(dst, &v) })
}

func decodeSample(p []byte) (s smartmeter.Sample, err error) {
	err = DecodeMetrics(p, &s)
	return s, err
}

func decodeBacklog(p []byte) ([]smartmeter.Sample, error) { return DecodeBacklog(p, nil) }

func decodeConfig(p []byte) (c Config, err error) {
	err = DecodeConfig(p, &c)
	return c, err
}

func decodeHeartbeat(p []byte) (struct{}, error)         { return struct{}{}, DecodeHeartbeat(p) }
func appendHeartbeat(dst []byte, _ struct{}) []byte      { return AppendHeartbeat(dst) }
func metered(m smartmeter.Measurement) smartmeter.Sample { return smartmeter.Sample{Measurement: m} }

const (
	electric = smartmeter.Voltage | smartmeter.Current | smartmeter.Power
	testBoot = smartmeter.BootID(0x1a2b3c4d)
)

func payloads() []payload {
	return append(measurements(), orders()...)
}

// measurements are the payloads about what was measured.
func measurements() []payload {
	return []payload{
		payloadAt("metrics-fielded.json", metered(smartmeter.Measurement{
			Has: electric, Voltage: 2205, Current: 1200, Power: 2646,
		}), decodeSample, AppendMetrics),
		payloadAt("metrics.json", smartmeter.Sample{
			Measurement: smartmeter.Measurement{
				Has: smartmeter.AllQuantities, Voltage: 2301, Current: 456, Power: 987,
				Energy: 123456, Frequency: 500, PowerFactor: 94,
			},
			Boot: 0xc0ffee, Seq: 4294967295, First: 4294967000, T: 86400123, At: 1735689600123,
		}, decodeSample, AppendMetrics),
		payloadAt("metrics-unclocked.json", smartmeter.Sample{
			Measurement: smartmeter.Measurement{Has: smartmeter.AllQuantities, Voltage: 2301, Frequency: 499},
			Boot:        testBoot, Seq: 1, First: 1,
		}, decodeSample, AppendMetrics),
		payloadOf("backlog.json", []smartmeter.Sample{
			{
				Measurement: smartmeter.Measurement{
					Has: electric | smartmeter.Energy, Voltage: 2301, Current: 456, Power: 987, Energy: 123456,
				},
				Boot: testBoot, Seq: 7, First: 7, T: 35000,
			},
			{
				Measurement: smartmeter.Measurement{
					Has: electric | smartmeter.Energy, Voltage: 800, Current: 100_000, Power: 260_000, Energy: 123457,
				},
				Boot: testBoot, Seq: 8, First: 7, T: 40000,
			},
		}, decodeBacklog, AppendBacklog),
		payloadOf("energy-fielded.txt", smartmeter.WattHour(12340), DecodeEnergy, AppendEnergy),
		payloadOf("ack.json", Ack{testBoot, 4294967295}, DecodeAck, AppendAck),
		payloadAt("threshold-alert.json", ThresholdAlert{5123, 5000, "2025-11-23T19:12:00.123456"},
			DecodeThresholdAlert, AppendThresholdAlert),
	}
}

// orders are the payloads about nodes, relays and configuration.
func orders() []payload {
	return []payload{
		payloadOf("status-online.txt", true, DecodeStatus, AppendStatus),
		payloadOf("status-offline.txt", false, DecodeStatus, AppendStatus),
		payloadOf("heartbeat.txt", struct{}{}, decodeHeartbeat, appendHeartbeat),
		payloadOf("relay-state-on.txt", true, DecodeRelayState, AppendRelayState),
		payloadOf("relay-state-off.txt", false, DecodeRelayState, AppendRelayState),
		payloadAt("command-on-fielded.txt", Command{On: true, Text: true}, DecodeCommand, AppendCommand),
		payloadAt("command-off-fielded.txt", Command{Text: true}, DecodeCommand, AppendCommand),
		payloadAt("command-on.json", Command{
			ID: "01JDCAFE", Boot: testBoot, BeforeT: 98765, On: true, LeaseUntilT: 123456,
		}, DecodeCommand, AppendCommand),
		payloadAt("command-off.json", Command{ID: "01JDCAFF", Boot: testBoot, BeforeT: 98765}, DecodeCommand, AppendCommand),
		payloadOf("lease.json", Lease{testBoot, 123456}, DecodeLease, AppendLease),
		payloadAt("relay-ack.json", CommandAck{
			ID: "01JDCAFE", Result: ResultRejected, State: smartmeter.RelayOff, Reason: `resting until "t" 98765`,
		}, DecodeCommandAck, AppendCommandAck),
		payloadAt("reset.json", Reset{"01JDCAFE", testBoot, 98765}, DecodeReset, AppendReset),
		payloadAt("info.json", Info{
			Proto: 1, Firmware: "1.0.0", Model: "Küchenzähler", Boot: testBoot, T: 1234, ConfigRev: 7,
			Caps: []Capability{CapLease, CapLimits, CapBacklog}, Channels: 1,
		}, DecodeInfo, AppendInfo),
		payloadOf("config-fielded.json", LegacyConfig{5000, 60000}, DecodeLegacyConfig, AppendLegacyConfig),
		payloadAt("config.json", Config{
			Rev: 8, Metrics: 5000, Energy: 60000, Heartbeat: 30000,
			Relay:  RelayConfig{PowerUp: PositionOff, Fallback: PositionOn, MinOff: 300, MaxSwitchesPerMin: 6},
			Limits: Limits{Current: 16000, Hold: 500},
		}, decodeConfig, AppendConfig),
		payloadAt("config-ack.json", ConfigAck{Rev: 8, OK: true}, DecodeConfigAck, AppendConfigAck),
		payloadAt("config-ack-refused.json", ConfigAck{Rev: 8, Field: "metrics", Reason: "below 1000"},
			DecodeConfigAck, AppendConfigAck),
		payloadAt("event.json", NodeEvent{
			Kind: NodeOvercurrent, Boot: testBoot, T: 98765, Relay: smartmeter.RelayOff, Current: 17250,
		}, DecodeEvent, AppendEvent),
	}
}

func TestGoldenPayloadsInBothDirections(t *testing.T) {
	for _, p := range payloads() {
		t.Run(p.file, func(t *testing.T) {
			golden := p.bytes(t)
			got, err := p.decode(golden)
			if err != nil {
				t.Fatalf("decode: %v", err)
			}
			if diff := cmp.Diff(p.want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(string(golden), string(p.encode(nil, p.want))); diff != "" {
				t.Errorf("appended (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEveryGoldenFileIsTested(t *testing.T) {
	tested := map[string]bool{"fuzz": true}
	for _, p := range payloads() {
		tested[p.file] = true
	}
	files, err := os.ReadDir("testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !tested[f.Name()] {
			t.Errorf("testdata/%s belongs to no test", f.Name())
		}
	}
}

func TestAppendKeepsWhatIsThere(t *testing.T) {
	for _, p := range payloads() {
		want := "before" + string(p.encode(nil, p.want))
		if got := string(p.encode([]byte("before"), p.want)); got != want {
			t.Errorf("%s: appended %q, want %q", p.file, got, want)
		}
	}
}
