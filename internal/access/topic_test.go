package access

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// TestS7NodesReachOnlyTheirOwn tries each of 50 nodes on the topics of each of
// the 50, both ways. The ids begin like each other, on purpose.
func TestS7NodesReachOnlyTheirOwn(t *testing.T) {
	const n = 50
	ids := make([]string, n)
	for i := range ids {
		ids[i] = "node" + strings.Repeat("0", i/10) + fmt.Sprint(i%10)
	}
	leaves := []string{"status", "heartbeat", "pzem/metrics", "pzem/2/metrics", "relay/state", "relay/commands", "config", "event"}
	filters := []string{"#", "+", "+/+", "relay/#", "relay/commands"}
	for _, who := range ids {
		for _, kind := range []Kind{Node, Unprotected} {
			p := Principal{Kind: kind, Name: who}
			for _, whose := range ids {
				for _, leaf := range leaves {
					if got := MayTopic("", p, Publish, "dev/"+whose+"/"+leaf); got != (who == whose) {
						t.Errorf("%s publishes %s of %s: %v", who, leaf, whose, got)
					}
				}
				for _, filter := range filters {
					if got := MayTopic("", p, Subscribe, "dev/"+whose+"/"+filter); got != (who == whose) {
						t.Errorf("%s subscribes to %s of %s: %v", who, filter, whose, got)
					}
				}
			}
		}
	}
}

func TestS7WhatReachesOthersIsRefused(t *testing.T) {
	p := Principal{Kind: Node, Name: "a"}
	for _, topic := range []string{
		"", "#", "+", "+/#", "+/a/#", "dev", "dev/", "dev/#", "dev/+", "dev/+/status", "dev/a", "dev/a/", "/dev/a/status",
		"dev//a/status", "Dev/a/status", "dev/A/status", "dev/ab/status", "$share/g/dev/a/status", "$share/g/dev/+/status",
		"$SYS/#", "homeassistant/dev/a/x", "dev/a#", "dev/a+/x", " dev/a/status", "dev/../dev/b/status",
	} {
		for _, want := range []Direction{Subscribe, Publish} {
			if MayTopic("", p, want, topic) {
				t.Errorf("direction %d, topic %q is allowed", want, topic)
			}
		}
	}
	for _, topic := range []string{"dev/a/#", "dev/a/+", "dev/a/x/+/y"} {
		if MayTopic("", p, Publish, topic) {
			t.Errorf("a filter, %q, is published to", topic)
		}
	}
}

func TestS7OnlyNodesHaveTopics(t *testing.T) {
	for _, p := range []Principal{
		{},
		AtConsole(),
		{Kind: Person, Name: "a", Role: Admin, Everywhere: true},
		{Kind: Token, Name: "a", Role: Admin, Everywhere: true},
		{Kind: Node},
		{Kind: Node, Name: "+"},
		{Kind: Node, Name: "#"},
		{Kind: Node, Name: ".."},
		{Kind: Node, Name: "a/b"},
		{Kind: Kind(99), Name: "a"},
	} {
		for _, want := range []Direction{0, Subscribe, Publish, 99} {
			if MayTopic("", p, want, "dev/"+p.Name+"/status") {
				t.Errorf("%v has a topic, direction %d", p, want)
			}
		}
	}
	if MayTopic("", Principal{Kind: Node, Name: "a"}, 0, "dev/a/status") {
		t.Error("no direction is a direction")
	}
}

// TestS7NoSubscriptionMatchesATopicOfAnother asks the broker's own matching
// whether a filter that was allowed can ever meet somebody else's topic.
func TestS7NoSubscriptionMatchesATopicOfAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		level := rapid.SampledFrom([]string{"dev", "home", "a", "ab", "b", "+", "", "relay", "status"})
		path := func(label string, more ...string) string {
			parts := rapid.SliceOfN(level, 1, 5).Draw(t, label)
			return strings.Join(append(parts, more...), "/")
		}
		prefix := rapid.SampledFrom([]string{"", "dev/", "home/dev/"}).Draw(t, "prefix")
		who := rapid.SampledFrom([]string{"a", "ab", "b"}).Draw(t, "who")
		filter := path("filter")
		if rapid.Bool().Draw(t, "hash") {
			filter += "/#"
		}
		topic := strings.ReplaceAll(path("topic"), "+", "x")
		p := Principal{Kind: Node, Name: who}
		if !MayTopic(prefix, p, Subscribe, filter) || !mqtt.Match(filter, topic) {
			return
		}
		if prefix == "" {
			prefix = DefaultPrefix
		}
		if own := prefix + who; topic != own && !strings.HasPrefix(topic, own+"/") {
			t.Fatalf("%q of %s matches %q", filter, who, topic)
		}
	})
}

func BenchmarkMayTopic(b *testing.B) {
	p := Principal{Kind: Node, Name: string(smartmeter.NodeID("kitchen-fridge"))}
	b.ReportAllocs()
	for b.Loop() {
		MayTopic("", p, Publish, "dev/kitchen-fridge/pzem/metrics")
	}
}
