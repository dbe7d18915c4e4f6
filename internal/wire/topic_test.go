package wire

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
)

func TestFieldedTopics(t *testing.T) {
	for kind, want := range map[Kind]string{
		KindStatus:         "dev/ESP32-9F8E/status",
		KindHeartbeat:      "dev/ESP32-9F8E/heartbeat",
		KindMetrics:        "dev/ESP32-9F8E/pzem/metrics",
		KindEnergy:         "dev/ESP32-9F8E/pzem/energy",
		KindRelayState:     "dev/ESP32-9F8E/relay/state",
		KindRelayCommands:  "dev/ESP32-9F8E/relay/commands",
		KindLegacyConfig:   "dev/ESP32-9F8E/pzem/config",
		KindThresholdAlert: "dev/ESP32-9F8E/threshold/alert",
	} {
		if got := (Topics{}).Topic("ESP32-9F8E", kind, 0); got != want {
			t.Errorf("%v: %s, want %s", kind, got, want)
		}
	}
	if got := (Topics{}).Filter(); got != "dev/+/#" {
		t.Errorf("filter %s", got)
	}
	if got := (Topics{Prefix: "site/a/"}).Filter(); got != "site/a/+/#" {
		t.Errorf("filter %s", got)
	}
}

func TestParseReadsWhatTopicBuilds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topics := Topics{Prefix: rapid.SampledFrom([]string{"", "dev/", "a/b/", "x"}).Draw(t, "prefix")}
		want := Address{
			Node: smartmeter.NodeID(rapid.StringMatching(`[A-Za-z0-9._-]{1,64}`).Filter(smartmeter.ValidNodeID[string]).Draw(t, "node")),
			Kind: Kind(rapid.Uint8Range(1, uint8(kinds)-1).Draw(t, "kind")),
		}
		if want.Kind.perChannel() {
			want.Channel = rapid.Uint8().Draw(t, "channel")
		}
		topic := topics.Topic(want.Node, want.Kind, want.Channel)
		if got, err := topics.Parse(topic); got != want || err != nil {
			t.Fatalf("%s: %+v, %v; want %+v", topic, got, err, want)
		}
	})
}

func TestParseRefusesOtherTopics(t *testing.T) {
	for topic, want := range map[string]error{
		"":               UnknownTopic,
		"dev":            UnknownTopic,
		"dev/":           UnknownTopic,
		"dev/n":          UnknownTopic,
		"dev/n/":         UnknownTopic,
		"dev//status":    BadNodeID,
		"dev/a b/status": BadNodeID,
		"dev/+/status":   BadNodeID,
		"dev/#":          UnknownTopic,
		"dev/ä/status":   BadNodeID,
		"dev/" + strings.Repeat("n", 65) + "/status": BadNodeID,
		"Dev/n/status":                            UnknownTopic,
		"/dev/n/status":                           UnknownTopic,
		"dev/n/Status":                            UnknownTopic,
		"dev/n/status/":                           UnknownTopic,
		"dev/n/pzem":                              UnknownTopic,
		"dev/n/pzem/":                             UnknownTopic,
		"dev/n/pzem/0/metrics":                    UnknownTopic,
		"dev/n/pzem/01/metrics":                   UnknownTopic,
		"dev/n/pzem/256/metrics":                  UnknownTopic,
		"dev/n/pzem/1000/metrics":                 UnknownTopic,
		"dev/n/pzem/99999999999999999999/metrics": UnknownTopic,
		"dev/n/pzem/-1/metrics":                   UnknownTopic,
		"dev/n/pzem/1/config":                     UnknownTopic,
		"dev/n/pzem/1/":                           UnknownTopic,
		"dev/n/pzem/1":                            UnknownTopic,
		"dev/n/pzem//metrics":                     UnknownTopic,
		"dev/n/pzem/1/metrics/x":                  UnknownTopic,
		"dev/n/relay/1/state":                     UnknownTopic,
	} {
		if a, err := (Topics{}).Parse(topic); err != want || a != (Address{Node: a.Node}) || a.Node != "" && a.Node != "n" {
			t.Errorf("%q: %+v, %v; want %v", topic, a, err, want)
		}
	}
}

// What comes on a topic that nobody knows can still be told of its node.
func TestParseNamesTheNodeOfUnknownTopics(t *testing.T) {
	for topic, want := range map[string]smartmeter.NodeID{
		"dev/n/no/such/topic":    "n",
		"dev/n/":                 "n",
		"dev/n/pzem/256/metrics": "n",
		"dev/n":                  "",
		"dev/a b/no/such/topic":  "",
		"Dev/n/status":           "",
	} {
		if a, err := (Topics{}).Parse(topic); err == nil || a != (Address{Node: want}) {
			t.Errorf("%q: %+v, %v; want node %q", topic, a, err, want)
		}
	}
}

func TestOnlyOrdersGoToNodes(t *testing.T) {
	var toNode []string
	for k := range kinds {
		if k.ToNode() {
			toNode = append(toNode, k.String())
		}
	}
	want := "relay/commands pzem/config pzem/ack relay/lease config protection/reset"
	if got := strings.Join(toNode, " "); got != want {
		t.Errorf("to nodes go %q, want %q", got, want)
	}
}

func TestKindsAndReasonsHaveNames(t *testing.T) {
	labels := map[string]bool{}
	for k := Kind(1); k < kinds; k++ {
		labels[k.String()] = true
	}
	for r := Reason(1); r < reasons; r++ {
		labels[r.String()] = true
		if r.Error() == "" || strings.Trim(r.String(), "abcdefghijklmnopqrstuvwxyz_8") != "" {
			t.Errorf("reason %d: %q, %q", r, r.String(), r.Error())
		}
	}
	if labels[""] || labels["unknown"] || len(labels) != int(kinds-1)+int(reasons-1) {
		t.Errorf("names are missing or double: %v", labels)
	}
	if kinds.String() != "unknown" || reasons.String() != "unknown" || reasons.Error() == "" {
		t.Error("what is no kind, or no reason, has a name")
	}
}
