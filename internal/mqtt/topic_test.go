package mqtt

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		filter, topic string
		want          bool
	}{
		{"a/b", "a/b", true},
		{"a/b", "a/c", false},
		{"a/b", "a/b/c", false},
		{"a/b/c", "a/b", false},
		{"a/+", "a/b", true},
		{"a/+", "a", false},
		{"a/+", "a/", true},
		{"a/+", "a/b/c", false},
		{"+/+", "/b", true},
		{"+", "/b", false},
		{"/+", "/b", true},
		{"a/#", "a", true},
		{"a/#", "a/b/c", true},
		{"a/#", "ab", false},
		{"a/+/#", "a", false},
		{"a/+/#", "a/b", true},
		{"#", "a/b", true},
		{"#", "/", true},
		{"#", "$SYS/uptime", false},
		{"+/uptime", "$SYS/uptime", false},
		{"$SYS/#", "$SYS/uptime", true},
		{"$SYS/+", "$SYS/uptime", true},
		{"a/+/c", "a//c", true},
		{"a//c", "a//c", true},
		{"dev/the fridge/+", "dev/the fridge/küche", true},
		{"a/$b", "a/$b", true},
		{"a/#", "a/$b", true},
	} {
		if got := Match(tt.filter, tt.topic); got != tt.want {
			t.Errorf("Match(%q, %q) = %v", tt.filter, tt.topic, got)
		}
	}
}

func TestCovers(t *testing.T) {
	for _, tt := range []struct {
		allowed, filter string
		want            bool
	}{
		{"dev/a/#", "dev/a/#", true},
		{"dev/a/#", "dev/a", true},
		{"dev/a/#", "dev/a/set/+", true},
		{"dev/a/#", "dev/+/set", false},
		{"dev/a/#", "dev/#", false},
		{"dev/a/#", "#", false},
		{"dev/+", "dev/#", false},
		{"dev/+", "dev/+", true},
		{"dev/+", "dev/a", true},
		{"+", "#", false},
		{"#", "#", true},
		{"#", "+/a", true},
		{"#", "$SYS/#", false},
		{"$SYS/#", "$SYS/a", true},
		{"a", "a/#", false},
		{"a/+", "a", false},
	} {
		if got := Covers(tt.allowed, tt.filter); got != tt.want {
			t.Errorf("Covers(%q, %q) = %v", tt.allowed, tt.filter, got)
		}
	}
}

func TestCheckFilter(t *testing.T) {
	for _, tt := range []struct {
		filter string
		want   error
	}{
		{"a/b", nil},
		{"+", nil},
		{"#", nil},
		{"/", nil},
		{"//+//#", nil},
		{" ", nil},
		{"", ErrFilter},
		{"a+", ErrFilter},
		{"a/b#", ErrFilter},
		{"#/a", ErrFilter},
		{"a/#/", ErrFilter},
		{"++", ErrFilter},
		{"a/b/c/d/e", nil},
		{"a/b/c/d/e/f", ErrLevels},
	} {
		if err := checkFilter(tt.filter, 5); !errors.Is(err, tt.want) {
			t.Errorf("checkFilter(%q) = %v, want %v", tt.filter, err, tt.want)
		}
	}
}

func TestCheckTopic(t *testing.T) {
	for _, tt := range []struct {
		topic string
		want  error
	}{
		{"a/b", nil},
		{"/", nil},
		{" / ", nil},
		{"", ErrTopic},
		{"a/+", ErrTopic},
		{"a/#", ErrTopic},
		{"a+b", ErrTopic},
		{strings.Repeat("/", 5), ErrLevels},
	} {
		if err := checkTopic(tt.topic, 5); !errors.Is(err, tt.want) {
			t.Errorf("checkTopic(%q) = %v, want %v", tt.topic, err, tt.want)
		}
	}
}

// Few names and shallow topics, so that they meet often.
var (
	anyLevel  = rapid.SampledFrom([]string{"a", "b", "", "$s"})
	anyTopic  = rapid.Map(rapid.SliceOfN(anyLevel, 1, 4), joinTopic)
	anyFilter = rapid.Custom(func(t *rapid.T) string {
		ls := rapid.SliceOfN(rapid.OneOf(anyLevel, rapid.Just("+")), 0, 4).Draw(t, "levels")
		if len(ls) == 0 || rapid.Bool().Draw(t, "hash") {
			ls = append(ls, "#")
		}
		return strings.Join(ls, "/")
	})
)

// joinTopic makes a topic of levels; it must not come out empty.
func joinTopic(ls []string) string {
	if s := strings.Join(ls, "/"); s != "" {
		return s
	}
	return "a"
}

// matchByTheBook is section 4.7 of MQTT 3.1.1, level by level.
func matchByTheBook(filter, topic []string) bool {
	switch {
	case len(filter) > 0 && filter[0] == "#":
		return true
	case len(topic) == 0 || len(filter) == 0:
		return len(topic) == len(filter)
	}
	return (filter[0] == "+" || filter[0] == topic[0]) && matchByTheBook(filter[1:], topic[1:])
}

func TestMatchIsByTheBook(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		filter, topic := anyFilter.Filter(func(f string) bool { return f != "" }).Draw(t, "filter"), anyTopic.Draw(t, "topic")
		want := matchByTheBook(levels(filter), levels(topic))
		if topic[0] == '$' && (filter[0] == '+' || filter[0] == '#') {
			want = false
		}
		if got := Match(filter, topic); got != want {
			t.Fatalf("Match(%q, %q) = %v", filter, topic, got)
		}
	})
}

func TestCoversNeverGrantsTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		allowed, filter, topic := anyFilter.Draw(t, "allowed"), anyFilter.Draw(t, "filter"), anyTopic.Draw(t, "topic")
		if Covers(allowed, filter) && Match(filter, topic) && !Match(allowed, topic) {
			t.Fatalf("Covers(%q, %q), but only the latter matches %q", allowed, filter, topic)
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("a/+/#", "a/b/c", "a/#")
	f.Add("#", "$SYS", "+")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, filter, topic, allowed string) {
		covers, matches, permits := Covers(allowed, filter), Match(filter, topic), Match(allowed, topic)
		valid := checkFilter(filter, 50) == nil && checkFilter(allowed, 50) == nil && checkTopic(topic, 50) == nil
		if valid && covers && matches && !permits {
			t.Fatalf("Covers(%q, %q), but only the latter matches %q", allowed, filter, topic)
		}
	})
}
