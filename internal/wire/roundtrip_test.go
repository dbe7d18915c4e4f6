package wire

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
)

var (
	boots     = rapid.Custom(func(t *rapid.T) smartmeter.BootID { return smartmeter.BootID(rapid.Uint32().Draw(t, "boot")) })
	times     = rapid.Custom(func(t *rapid.T) smartmeter.Millis { return between(t, "t", 1, MaxMillis) })
	ids       = rapid.StringN(1, 16, MaxIDLen)
	texts     = rapid.StringN(0, 16, maxNameLen)
	sentences = rapid.StringN(0, 100, MaxReasonLen)
	states    = rapid.SampledFrom([]smartmeter.RelayState{smartmeter.RelayUnknown, smartmeter.RelayOff, smartmeter.RelayOn})
)

func between[T ~int32 | ~int64](t *rapid.T, label string, low, high T) T {
	return T(rapid.Int64Range(int64(low), int64(high)).Draw(t, label))
}

func any32[T ~int32 | ~int64](t *rapid.T, label string) T {
	return between[T](t, label, -1<<31, 1<<31-1)
}

// samples are numbered and plausible, with any set of quantities.
var samples = rapid.Custom(func(t *rapid.T) smartmeter.Sample {
	s := smartmeter.Sample{
		Boot: boots.Draw(t, "boot"),
		Seq:  rapid.Uint32Min(1).Draw(t, "seq"),
		T:    between(t, "t", 0, MaxMillis),
		At:   between(t, "at", 0, smartmeter.Instant(MaxMillis)),
	}
	s.First = rapid.Uint32Max(s.Seq).Draw(t, "first")
	s.Has = smartmeter.Quantities(rapid.Uint8Max(uint8(smartmeter.AllQuantities)).Draw(t, "has"))
	draw := func(q smartmeter.Quantities, set func()) {
		if s.Has.Has(q) {
			set()
		}
	}
	draw(smartmeter.Voltage, func() { s.Voltage = between(t, "voltage", smartmeter.MinVoltage, smartmeter.MaxVoltage) })
	draw(smartmeter.Current, func() { s.Current = between(t, "current", 0, smartmeter.MaxCurrent) })
	draw(smartmeter.Power, func() { s.Power = between(t, "power", 0, smartmeter.MaxPower) })
	draw(smartmeter.Energy, func() { s.Energy = between(t, "energy", 0, smartmeter.MaxEnergy) })
	draw(smartmeter.Frequency, func() { s.Frequency = between(t, "frequency", smartmeter.MinFrequency, smartmeter.MaxFrequency) })
	draw(smartmeter.PowerFactor, func() { s.PowerFactor = between(t, "pf", 0, smartmeter.MaxPowerFactor) })
	return s
})

// comesBack checks that what values yields survives encoding and decoding, and
// that encoding/json takes the payload for JSON, too.
func comesBack[T any](t *testing.T, values *rapid.Generator[T], decode func([]byte) (T, error), encode func([]byte, *T) []byte) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		want := values.Draw(t, "value")
		p := encode(nil, &want)
		if !json.Valid(p) {
			t.Fatalf("%s is not JSON", p)
		}
		got, err := decode(p)
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("%s:\n%s", p, diff)
		}
	})
}

func at[T any](encode func([]byte, T) []byte) func([]byte, *T) []byte {
	return func(dst []byte, v *T) []byte { return encode(dst, *v) }
}

func TestSamplesComeBack(t *testing.T) {
	comesBack(t, samples, decodeSample, AppendMetrics)
	comesBack(t, rapid.SliceOfN(samples, 0, MaxBacklog), decodeBacklog, at(AppendBacklog))
}

func TestFullBacklogFitsInAPayload(t *testing.T) {
	largest := smartmeter.Sample{
		Measurement: smartmeter.Measurement{
			Has: smartmeter.AllQuantities, Voltage: 2599, Current: 99_999, Power: 259_999,
			Energy: smartmeter.MaxEnergy, Frequency: 649, PowerFactor: 99,
		},
		Boot: 0xffffffff, Seq: 1<<32 - 1, First: 1<<32 - 1, T: MaxMillis, At: smartmeter.Instant(MaxMillis),
	}
	var backlog []smartmeter.Sample
	for range MaxBacklog {
		backlog = append(backlog, largest)
	}
	p := AppendBacklog(nil, backlog)
	if got, err := decodeBacklog(p); err != nil || len(got) != MaxBacklog {
		t.Errorf("%d bytes: %d samples, %v", len(p), len(got), err)
	}
}

func TestEnergyComesBackToTheNearestStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := between(t, "energy", 0, smartmeter.MaxEnergy)
		got, err := DecodeEnergy(AppendEnergy(nil, e))
		if err != nil || got < e-5 || got > e+5 || got%10 != 0 {
			t.Fatalf("%d Wh comes back as %d, %v", e, got, err)
		}
	})
}

func TestOrdersComeBack(t *testing.T) {
	comesBack(t, rapid.Custom(func(t *rapid.T) Command {
		c := Command{ID: ids.Draw(t, "id"), Boot: boots.Draw(t, "boot"), BeforeT: times.Draw(t, "before"), On: rapid.Bool().Draw(t, "on")}
		if rapid.Bool().Draw(t, "leased") {
			c.LeaseUntilT = times.Draw(t, "lease")
		}
		return c
	}), DecodeCommand, AppendCommand)
	comesBack(t, rapid.Custom(func(t *rapid.T) Reset {
		return Reset{ids.Draw(t, "id"), boots.Draw(t, "boot"), times.Draw(t, "before")}
	}), DecodeReset, AppendReset)
	comesBack(t, rapid.Custom(func(t *rapid.T) Lease {
		return Lease{boots.Draw(t, "boot"), times.Draw(t, "until")}
	}), DecodeLease, at(AppendLease))
	comesBack(t, rapid.Custom(func(t *rapid.T) Ack {
		return Ack{boots.Draw(t, "boot"), rapid.Uint32Min(1).Draw(t, "seq")}
	}), DecodeAck, at(AppendAck))
}

func TestAnswersComeBack(t *testing.T) {
	results := rapid.SampledFrom([]Result{ResultDone, ResultRejected, ResultDuplicate, ResultExpired})
	comesBack(t, rapid.Custom(func(t *rapid.T) CommandAck {
		return CommandAck{ids.Draw(t, "id"), results.Draw(t, "result"), states.Draw(t, "state"), sentences.Draw(t, "reason")}
	}), DecodeCommandAck, AppendCommandAck)
	comesBack(t, rapid.Custom(func(t *rapid.T) ConfigAck {
		return ConfigAck{rapid.Uint32().Draw(t, "rev"), rapid.Bool().Draw(t, "ok"), texts.Draw(t, "field"), sentences.Draw(t, "reason")}
	}), DecodeConfigAck, AppendConfigAck)
	kinds := rapid.SampledFrom([]NodeEventKind{
		NodeOvercurrent, NodeOverpower, NodeLeaseExpired, NodeMaxOn, NodeButton, NodeMeterSilent, NodeMeterBack, NodeReset,
	})
	comesBack(t, rapid.Custom(func(t *rapid.T) NodeEvent {
		return NodeEvent{
			kinds.Draw(t, "kind"), boots.Draw(t, "boot"), times.Draw(t, "t"), states.Draw(t, "state"),
			any32[smartmeter.Milliamp](t, "current"), any32[smartmeter.Deciwatt](t, "power"),
		}
	}), DecodeEvent, AppendEvent)
	comesBack(t, rapid.Custom(func(t *rapid.T) ThresholdAlert {
		return ThresholdAlert{
			between(t, "consumption", 0, smartmeter.MaxEnergy), between(t, "limit", 0, smartmeter.MaxEnergy), ids.Draw(t, "at"),
		}
	}), DecodeThresholdAlert, AppendThresholdAlert)
}

func TestIntroductionsComeBack(t *testing.T) {
	caps := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Capability { return Capability(texts.Draw(t, "cap")) }), 0, MaxCaps)
	comesBack(t, rapid.Custom(func(t *rapid.T) Info {
		return Info{
			rapid.Uint8Min(1).Draw(t, "proto"), texts.Draw(t, "fw"), texts.Draw(t, "model"), boots.Draw(t, "boot"),
			times.Draw(t, "t"), rapid.Uint32().Draw(t, "rev"), caps.Draw(t, "caps"), rapid.Uint8Min(1).Draw(t, "channels"),
		}
	}), DecodeInfo, AppendInfo)
}

func TestConfigurationsComeBack(t *testing.T) {
	positions := rapid.SampledFrom([]Position{PositionOff, PositionOn, PositionLast})
	comesBack(t, rapid.Custom(func(t *rapid.T) Config {
		return Config{
			Rev: rapid.Uint32().Draw(t, "rev"), Metrics: any32[smartmeter.Millis](t, "metrics"),
			Energy: any32[smartmeter.Millis](t, "energy"), Heartbeat: any32[smartmeter.Millis](t, "heartbeat"),
			Relay: RelayConfig{
				positions.Draw(t, "power up"), positions.Draw(t, "fallback"), any32[Seconds](t, "min on"),
				any32[Seconds](t, "min off"), any32[Seconds](t, "max on"), any32[int32](t, "switches"),
			},
			Limits: Limits{
				any32[smartmeter.Milliamp](t, "current"), any32[smartmeter.Deciwatt](t, "power"), any32[smartmeter.Millis](t, "hold"),
			},
		}
	}), decodeConfig, AppendConfig)
	comesBack(t, rapid.Custom(func(t *rapid.T) LegacyConfig {
		return LegacyConfig{times.Draw(t, "metrics"), times.Draw(t, "energy")}
	}), DecodeLegacyConfig, at(AppendLegacyConfig))
}
