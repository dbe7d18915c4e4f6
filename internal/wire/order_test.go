package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
)

// verdict is one payload and what its decoder must say.
type verdict struct {
	payload string
	want    error
}

func judge[T any](t *testing.T, decode func([]byte) (T, error), verdicts []verdict) {
	t.Helper()
	for _, v := range verdicts {
		if _, err := decode([]byte(v.payload)); err != v.want {
			t.Errorf("%.80s: %v, want %v", v.payload, err, v.want)
		}
	}
}

func TestCommandVerdicts(t *testing.T) {
	command := func(id, rest string) string {
		return `{"id":"` + id + `","boot":"1a2b3c4d","before_t":5` + rest + `}`
	}
	judge(t, DecodeCommand, []verdict{
		{"relay_on", nil},
		{"Relay_Off", nil},
		{" RELAY_ON", UnknownValue},
		{"RELAY_ON\x00", UnknownValue},
		{`"RELAY_ON"`, UnknownValue},
		{"", UnknownValue},
		{command("a", `,"set":"on"`), nil},
		{" \n" + command("a", `,"set":"off"`), nil},
		{command(strings.Repeat("ä", 32), `,"set":"on"`), nil},
		{command(strings.Repeat("ä", 32)+"x", `,"set":"on"`), TooLong},
		{command(strings.Repeat(`\u00e4`, 33), `,"set":"on"`), TooLong},
		{command(strings.Repeat("a", 9999), `,"set":"on"`), TooLong},
		{command("", `,"set":"on"`), MissingField},
		{command("a", ``), MissingField},
		{command("a", `,"set":"toggle"`), UnknownValue},
		{command("a", `,"set":"ON"`), UnknownValue},
		{command("a", `,"set":1`), WrongType},
		{command("a", `,"set":"on","lease_until_t":0`), OutOfRange},
		{command("a", `,"set":"on","lease_until_t":1`), nil},
		{`{"id":"a","boot":"1a2b3c4d","before_t":-5,"set":"on"}`, OutOfRange},
		{`{"id":"a","before_t":5,"set":"on"}`, MissingField},
		{`{"boot":"1a2b3c4d","before_t":5,"set":"on"}`, MissingField},
		{`{"id":"a","boot":"1a2b3c4d","set":"on"}`, MissingField},
	})
}

func TestAnswerVerdicts(t *testing.T) {
	judge(t, DecodeCommandAck, []verdict{
		{`{"id":"a","result":"done"}`, nil},
		{`{"id":"a","result":"done","state":1.0}`, nil},
		{`{"id":"a","result":"done","state":2}`, UnknownValue},
		{`{"id":"a","result":"Done"}`, UnknownValue},
		{`{"id":"a"}`, MissingField},
		{`{"result":"done"}`, MissingField},
		{`{"id":"a","result":"done","reason":"` + strings.Repeat("x", MaxReasonLen) + `"}`, nil},
		{`{"id":"a","result":"done","reason":"` + strings.Repeat("x", MaxReasonLen+1) + `"}`, TooLong},
	})
	judge(t, DecodeConfigAck, []verdict{
		{`{"rev":1,"ok":true}`, nil},
		{`{"rev":0,"ok":true}`, nil},
		{`{"rev":-1,"ok":true}`, OutOfRange},
		{`{"rev":1}`, MissingField},
		{`{"ok":true}`, MissingField},
		{`{"rev":1,"ok":tru}`, NotJSON},
	})
	judge(t, DecodeAck, []verdict{
		{`{"boot":"1a2b3c4d","seq":1}`, nil},
		{`{"boot":"1a2b3c4d","seq":0}`, nil},
		{`{"boot":"1a2b3c4d","seq":-1}`, OutOfRange},
		{`{"boot":"1a2b3c4d"}`, MissingField},
		{`{"seq":1}`, MissingField},
	})
	judge(t, DecodeLease, []verdict{
		{`{"boot":"1a2b3c4d","lease_until_t":1}`, nil},
		{`{"boot":"1a2b3c4d"}`, MissingField},
		{`{"lease_until_t":1}`, MissingField},
	})
	judge(t, DecodeReset, []verdict{
		{`{"id":"a","boot":"1a2b3c4d","before_t":0}`, nil},
		{`{"id":"a","boot":"1a2b3c4d"}`, MissingField},
	})
}

func TestInfoVerdicts(t *testing.T) {
	judge(t, DecodeInfo, []verdict{
		{`{"proto":1,"boot":"1a2b3c4d","t":0}`, nil},
		{`{"proto":9,"boot":"1a2b3c4d","t":0,"caps":["x","y"]}`, nil},
		{`{"proto":0,"boot":"1a2b3c4d","t":0}`, OutOfRange},
		{`{"proto":1,"boot":"1a2b3c4d","t":0,"channels":0}`, OutOfRange},
		{`{"proto":1,"boot":"1a2b3c4d","t":0,"channels":256}`, OutOfRange},
		{`{"proto":1,"boot":"1a2b3c4d"}`, MissingField},
		{`{"proto":1,"boot":"1a2b3c4d","t":0,"caps":[1]}`, WrongType},
		{`{"proto":1,"boot":"1a2b3c4d","t":0,"caps":[` + strings.Repeat(`"x",`, MaxCaps) + `"x"]}`, TooMany},
		{`{"proto":1,"boot":"1a2b3c4d","t":0,"fw":"` + strings.Repeat("1", 65) + `"}`, TooLong},
	})
	i, err := DecodeInfo([]byte(`{"proto":1,"boot":"1a2b3c4d","t":0,"caps":["lease","\u006cimits"]}`))
	if err != nil || i.Channels != 1 || !i.Has(CapLease) || !i.Has(CapLimits) || i.Has(CapBacklog) {
		t.Errorf("got %+v, %v", i, err)
	}
}

func TestConfigLeavesTheJudgementToTheNode(t *testing.T) {
	c := Config{Rev: 1, Metrics: 5000, Energy: 60000, Relay: RelayConfig{PowerUp: PositionOff, MinOff: 300}}
	err := DecodeConfig([]byte(`{"rev":2,"metrics":-1,"energy":1e99,"heartbeat":null,
		"relay":{"power_up":"maybe","min_on_s":-1e99,"x":{}},"limits":{}}`), &c)
	want := Config{
		Rev: 2, Metrics: -1, Energy: 1<<31 - 1,
		Relay: RelayConfig{PowerUp: "maybe", MinOn: -1 << 31, MinOff: 300},
	}
	if diff := cmp.Diff(want, c); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	for payload, wantErr := range map[string]error{
		`{"metrics":1000}`:                             MissingField,
		`{"rev":-1,"metrics":1000}`:                    OutOfRange,
		`{"rev":3,"metrics":1000.5}`:                   BadNumber,
		`{"rev":3,"metrics":"1000"}`:                   WrongType,
		`{"rev":3,"relay":{"rev":1},"rev":3}`:          DuplicateField,
		`{"rev":3,"limits":{"hold_ms":1,"hold_ms":1}}`: DuplicateField,
	} {
		if err := DecodeConfig([]byte(payload), &c); err != wantErr {
			t.Errorf("%s: %v, want %v", payload, err, wantErr)
		}
		if diff := cmp.Diff(want, c); diff != "" {
			t.Fatalf("%s changed what is in force:\n%s", payload, diff)
		}
	}
}

func TestLegacyConfigVerdicts(t *testing.T) {
	judge(t, DecodeLegacyConfig, []verdict{
		{`{"metrics":1}`, nil},
		{`{"energy":1,"metrics":null}`, nil},
		{`{}`, MissingField},
		{`{"metrics":0}`, OutOfRange},
		{`{"metrics":5000,"energy":-1}`, OutOfRange},
		{`{"metrics":0.5}`, BadNumber},
	})
}

func TestEventVerdicts(t *testing.T) {
	judge(t, DecodeEvent, []verdict{
		{`{"kind":"meter_silent","boot":"1a2b3c4d","t":0}`, nil},
		{`{"kind":"earthquake","boot":"1a2b3c4d","t":0}`, UnknownValue},
		{`{"kind":"reset","boot":"1a2b3c4d"}`, MissingField},
		{`{"kind":"reset","t":0}`, MissingField},
		{`{"boot":"1a2b3c4d","t":0}`, MissingField},
	})
	judge(t, DecodeThresholdAlert, []verdict{
		{`{"consumption_kwh":0,"limit_kwh":0,"exceeded_at":"x"}`, nil},
		{`{"consumption_kwh":-1,"limit_kwh":0,"exceeded_at":"x"}`, OutOfRange},
		{`{"consumption_kwh":0,"limit_kwh":0,"exceeded_at":""}`, MissingField},
		{`{"consumption_kwh":0,"exceeded_at":"x"}`, MissingField},
	})
}

func TestStateVerdicts(t *testing.T) {
	judge(t, DecodeStatus, []verdict{
		{"Online", nil},
		{"Offline", nil},
		{"online", UnknownValue},
		{"", UnknownValue},
		{"\xff", NotUTF8},
		{strings.Repeat("x", MaxPayload+1), TooLarge},
	})
	judge(t, DecodeRelayState, []verdict{
		{"0", nil}, {"1", nil}, {"01", UnknownValue}, {"1\n", UnknownValue}, {"true", UnknownValue}, {"١", UnknownValue},
	})
	judge(t, decodeHeartbeat, []verdict{{"Alive", nil}, {"alive", UnknownValue}, {"\xff", NotUTF8}})
}

func TestUnknownRelayPositionIsLeftOut(t *testing.T) {
	got := string(AppendCommandAck(nil, &CommandAck{ID: "a", Result: ResultExpired, State: smartmeter.RelayUnknown}))
	if want := `{"id":"a","result":"expired"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
