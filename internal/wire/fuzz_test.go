package wire

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// fuzzFiles decodes anything at all with the decoder of some golden files. It
// may be refused, but only with a Reason; what is accepted must be the same
// after it was written and read again.
func fuzzFiles(f *testing.F, files ...string) {
	var target payload
	for _, p := range payloads() {
		for _, file := range files {
			if p.file == file {
				target = p
				f.Add(p.bytes(f))
			}
		}
	}
	for _, h := range noJSON {
		if len(h) < 100 { // the fuzzer would spend its time on making it smaller
			f.Add([]byte(h))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got, err := target.decode(p)
		if err != nil {
			if _, ok := err.(Reason); !ok {
				t.Fatalf("%q: %v is no Reason", p, err)
			}
			return
		}
		written := target.encode(nil, got)
		again, err := target.decode(written)
		if diff := cmp.Diff(got, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Fatalf("%q is written %q: %v\n%s", p, written, err, diff)
		}
	})
}

func FuzzDecodeMetrics(f *testing.F) {
	fuzzFiles(f, "metrics.json", "metrics-fielded.json", "metrics-unclocked.json")
}
func FuzzDecodeBacklog(f *testing.F)    { fuzzFiles(f, "backlog.json") }
func FuzzDecodeAck(f *testing.F)        { fuzzFiles(f, "ack.json") }
func FuzzDecodeStatus(f *testing.F)     { fuzzFiles(f, "status-online.txt", "status-offline.txt") }
func FuzzDecodeHeartbeat(f *testing.F)  { fuzzFiles(f, "heartbeat.txt") }
func FuzzDecodeRelayState(f *testing.F) { fuzzFiles(f, "relay-state-on.txt", "relay-state-off.txt") }

func FuzzDecodeCommand(f *testing.F) {
	fuzzFiles(f, "command-on.json", "command-off.json", "command-on-fielded.txt", "command-off-fielded.txt")
}
func FuzzDecodeLease(f *testing.F)          { fuzzFiles(f, "lease.json") }
func FuzzDecodeCommandAck(f *testing.F)     { fuzzFiles(f, "relay-ack.json") }
func FuzzDecodeReset(f *testing.F)          { fuzzFiles(f, "reset.json") }
func FuzzDecodeInfo(f *testing.F)           { fuzzFiles(f, "info.json") }
func FuzzDecodeConfig(f *testing.F)         { fuzzFiles(f, "config.json") }
func FuzzDecodeConfigAck(f *testing.F)      { fuzzFiles(f, "config-ack.json", "config-ack-refused.json") }
func FuzzDecodeLegacyConfig(f *testing.F)   { fuzzFiles(f, "config-fielded.json") }
func FuzzDecodeEvent(f *testing.F)          { fuzzFiles(f, "event.json") }
func FuzzDecodeThresholdAlert(f *testing.F) { fuzzFiles(f, "threshold-alert.json") }

func FuzzDecodeEnergy(f *testing.F) {
	for _, p := range []string{"12.34", " 0.005\n", "1e9", "-0", "-1", "1e308", "nan", "1_0", "", "\xff"} {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		e, err := DecodeEnergy(p)
		if err != nil {
			return
		}
		again, err := DecodeEnergy(AppendEnergy(nil, e))
		if err != nil && e < 999_999_999_995 || again > e+5 || again < e-5 {
			t.Fatalf("%q is %d Wh, written and read again %d, %v", p, e, again, err)
		}
	})
}

// FuzzScanner compares the scanner with encoding/json.
func FuzzScanner(f *testing.F) {
	for _, p := range payloads() {
		f.Add(p.bytes(f))
	}
	for _, h := range noJSON {
		if len(h) < 100 { // the fuzzer would spend its time on making it smaller
			f.Add([]byte(h))
		}
	}
	f.Fuzz(func(t *testing.T, p []byte) { agree(t, p) })
}

// FuzzParse splits any topic; what is accepted must be built the same way.
func FuzzParse(f *testing.F) {
	for _, topic := range []string{"dev/n/status", "dev/n/pzem/3/metrics", "dev/+/#", "", "dev//", "dev/n/pzem/0/ack"} {
		f.Add(topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		a, err := Topics{}.Parse(topic)
		if err == nil && (Topics{}).Topic(a.Node, a.Kind, a.Channel) != topic {
			t.Fatalf("%q is read as %+v", topic, a)
		}
	})
}
