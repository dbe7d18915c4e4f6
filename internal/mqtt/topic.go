package mqtt

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Errors about topics. They are wrapped with the topic concerned.
var (
	ErrTopic  = errors.New("not a topic to publish to: it must be 1 to 65,535 bytes of UTF-8 without U+0000, + and #")
	ErrFilter = errors.New("not a topic filter: + and # must each fill a whole level, and # must be the last")
	ErrLevels = errors.New("more levels than Limits.TopicLevels allows")
)

// checkText tells whether s can stand in a packet at all (MQTT 3.1.1 section
// 1.5.3).
func checkText(s string) bool {
	return len(s) <= 65_535 && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// checkTopic checks the name of a topic to publish to (MQTT 3.1.1 section
// 4.7.1.1 and 4.7.3). Its text must have been checked.
func checkTopic(topic string, levels int) error {
	if topic == "" || strings.ContainsAny(topic, "+#") {
		return fmt.Errorf("topic %q: %w", topic, ErrTopic)
	}
	return checkLevels(topic, levels)
}

// checkFilter checks a topic filter (MQTT 3.1.1 section 4.7.1). Its text must
// have been checked.
func checkFilter(filter string, levels int) error {
	if filter == "" {
		return fmt.Errorf("empty filter: %w", ErrFilter)
	}
	for rest, more := filter, true; more; {
		var level string
		level, rest, more = strings.Cut(rest, "/")
		if strings.ContainsAny(level, "+#") && (len(level) > 1 || level == "#" && more) {
			return fmt.Errorf("filter %q: %w", filter, ErrFilter)
		}
	}
	return checkLevels(filter, levels)
}

func checkLevels(topic string, levels int) error {
	if strings.Count(topic, "/") >= levels {
		return fmt.Errorf("topic of %d levels: %w", strings.Count(topic, "/")+1, ErrLevels)
	}
	return nil
}

// Match tells whether a valid topic filter matches a valid topic (MQTT 3.1.1
// section 4.7). Wildcards in the first level do not match topics that start
// with $.
func Match(filter, topic string) bool {
	if hidden(filter, topic) {
		return false
	}
	for {
		f, filterRest, filterMore := strings.Cut(filter, "/")
		if f == "#" {
			return true
		}
		t, topicRest, topicMore := strings.Cut(topic, "/")
		if f != "+" && f != t {
			return false
		}
		if !topicMore {
			return !filterMore || filterRest == "#"
		}
		if !filterMore {
			return false
		}
		filter, topic = filterRest, topicRest
	}
}

// hidden tells whether a filter that starts with a wildcard meets a topic that
// starts with $ (MQTT 3.1.1 section 4.7.2).
func hidden(filter, topic string) bool {
	return strings.HasPrefix(topic, "$") && (strings.HasPrefix(filter, "+") || strings.HasPrefix(filter, "#"))
}

// Covers tells whether every topic that the valid topic filter matches is also
// matched by the valid filter allowed: what Hooks.Authorize needs to know of a
// subscription. Comparing with Match instead would be a hole, since it takes
// the wildcards of a subscription for names. Covers never says true wrongly;
// of "+/#" and "#", which mean the same, it covers only like by like.
func Covers(allowed, filter string) bool {
	if hidden(allowed, filter) {
		return false
	}
	for {
		a, allowedRest, allowedMore := strings.Cut(allowed, "/")
		if a == "#" {
			return true
		}
		f, filterRest, filterMore := strings.Cut(filter, "/")
		if f == "#" || a != "+" && a != f {
			return false
		}
		if !filterMore {
			return !allowedMore || allowedRest == "#"
		}
		if !allowedMore {
			return false
		}
		allowed, filter = allowedRest, filterRest
	}
}

// levels splits a topic or filter.
func levels(topic string) []string { return strings.Split(topic, "/") }
