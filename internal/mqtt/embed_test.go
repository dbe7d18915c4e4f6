package mqtt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// collect subscribes in process and returns what has come so far.
func collect(t testing.TB, b *Broker, filter string) func() []Message {
	t.Helper()
	var mu sync.Mutex
	var got []Message
	_, err := b.Subscribe(filter, func(m Message) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, *m.kept())
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() []Message {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(got)
	}
}

func TestInProcess(t *testing.T) {
	b, address := startBroker(t, Config{Hooks: Hooks{Authenticate: func(Connect) (Identity, error) {
		return Identity{User: "alice", Local: true}, nil
	}}})
	if err := b.Publish(Message{Topic: "a/kept", Payload: []byte("old"), QoS: 1, Retain: true, From: Identity{ClientID: "forged"}}); err != nil {
		t.Fatal(err)
	}
	got := collect(t, b, "a/#")
	c := join(t, address, "n")
	c.publish("a/1", "from outside", 1, true)
	payload := []byte("from inside")
	if err := b.Publish(Message{Topic: "a/2", Payload: payload, Retain: true}); err != nil {
		t.Fatal(err)
	}
	want := []Message{
		{Topic: "a/kept", Payload: []byte("old"), QoS: 1, Retain: true, From: Identity{Local: true}},
		{Topic: "a/1", Payload: []byte("from outside"), QoS: 1, From: Identity{ClientID: "n", User: "alice"}},
		{Topic: "a/2", Payload: []byte("from inside"), From: Identity{Local: true}},
	}
	if diff := cmp.Diff(want, got()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

// What a client publishes lies in its read buffer; what is kept of it does not.
func TestKeptPayloadsAreTheirOwn(t *testing.T) {
	b, address := startBroker(t, Config{})
	c := join(t, address, "n")
	const first, second = "what was said at first", "and what came after it"
	c.publish("kept", first, 1, true)
	c.publish("else", second, 1, false) // as long, so it lies where the first lay
	if got := collect(t, b, "kept")(); len(got) != 1 || string(got[0].Payload) != first {
		t.Errorf("kept: %v", got)
	}
}

func TestInProcessHandlerMayUseTheBroker(t *testing.T) {
	b, address := startBroker(t, Config{})
	got := collect(t, b, "#")
	var cancel func()
	cancel, err := b.Subscribe("ask/+", func(m Message) {
		if err := b.Publish(Message{Topic: "answer", Payload: m.Payload, QoS: 1, Retain: true}); err != nil {
			t.Error(err)
		}
		inner, err := b.Subscribe("answer", func(Message) {})
		if err != nil {
			t.Error(err)
		}
		inner()
		inner()
		cancel()
	})
	if err != nil {
		t.Fatal(err)
	}
	c := join(t, address, "c")
	c.subscribe("answer", 1)
	c.publish("ask/a", "1", 1, false)
	c.expectMessage("answer", "1", 1, false)
	c.publish("ask/b", "2", 1, false)
	c.ping()
	// The answer was delivered before the question had come to everyone.
	topics := make([]string, 0, 3)
	for _, m := range got() {
		topics = append(topics, m.Topic)
	}
	if diff := cmp.Diff([]string{"answer", "ask/a", "ask/b"}, topics); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestInProcessHandlerRunsBeforePuback checks that an acknowledged message has
// been seen.
func TestInProcessHandlerRunsBeforePuback(t *testing.T) {
	b, address := startBroker(t, Config{})
	got := collect(t, b, "a")
	c := join(t, address, "c")
	for i := range 1000 {
		c.publish("a", fmt.Sprint(i), 1, false)
		if n := len(got()); n != i+1 {
			t.Fatalf("%d messages seen, %d acknowledged", n, i+1)
		}
	}
}

// TestInProcessRetainedThenLive subscribes while the topics are published: the
// values of a topic must rise, and the last must come.
func TestInProcessRetainedThenLive(t *testing.T) {
	const topics, rounds = 100, 300
	b, _ := startBroker(t, Config{})
	started, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for round := range rounds {
			for topic := range topics {
				m := Message{Topic: fmt.Sprintf("t/%d", topic), Payload: fmt.Appendf(nil, "%05d", round), Retain: true}
				if err := b.Publish(m); err != nil {
					t.Error(err)
				}
			}
			if round == 0 {
				close(started)
			}
		}
	}()
	<-started
	var seen []func() []Message
	for range 20 {
		seen = append(seen, collect(t, b, "t/+"))
	}
	<-done
	for i, got := range seen {
		last := make(map[string]string)
		for _, m := range got() {
			if string(m.Payload) <= last[m.Topic] {
				t.Fatalf("subscriber %d: %s: %s (retained %v) after %s", i, m.Topic, m.Payload, m.Retain, last[m.Topic])
			}
			last[m.Topic] = string(m.Payload)
		}
		for topic, payload := range last {
			if payload != fmt.Sprintf("%05d", rounds-1) {
				t.Fatalf("subscriber %d: %s ended with %s", i, topic, payload)
			}
		}
		if len(last) != topics {
			t.Fatalf("subscriber %d saw %d topics", i, len(last))
		}
	}
}

func TestInProcessErrors(t *testing.T) {
	b, _ := startBroker(t, Config{Limits: Limits{PacketBytes: 1000, TopicLevels: 3}})
	for _, tt := range []struct {
		name string
		m    Message
		want error
	}{
		{"fits", Message{Topic: "a/b/c", Payload: make([]byte, 900)}, nil},
		{"$SYS is the embedder's", Message{Topic: "$SYS/a"}, nil},
		{"no topic", Message{}, ErrTopic},
		{"wildcard", Message{Topic: "a/+"}, ErrTopic},
		{"not UTF-8", Message{Topic: "a\xff"}, ErrTopic},
		{"too deep", Message{Topic: "a/b/c/d"}, ErrLevels},
		{"QoS 2", Message{Topic: "a", QoS: 2}, ErrQoS},
		{"too large", Message{Topic: "a", Payload: make([]byte, 1000)}, ErrTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := b.Publish(tt.m); !errors.Is(err, tt.want) {
				t.Errorf("got error %v, want %v", err, tt.want)
			}
		})
	}
	for filter, want := range map[string]error{"": ErrFilter, "a#": ErrFilter, "\xff": ErrFilter, "a/b/c/#": ErrLevels} {
		if _, err := b.Subscribe(filter, func(Message) {}); !errors.Is(err, want) {
			t.Errorf("Subscribe(%q): %v, want %v", filter, err, want)
		}
	}
}

func TestRetainedChanges(t *testing.T) {
	b, _ := startBroker(t, Config{})
	publish := func(payload string, retain bool) uint64 {
		if err := b.Publish(Message{Topic: "a", Payload: []byte(payload), Retain: retain}); err != nil {
			t.Fatal(err)
		}
		return b.RetainedChanges()
	}
	var got []uint64
	got = append(got, publish("x", false), publish("x", true), publish("x", true), publish("y", true), publish("", true), publish("", true))
	if diff := cmp.Diff([]uint64{0, 1, 1, 2, 3, 3}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRestore(t *testing.T) {
	b, _ := startBroker(t, Config{Limits: Limits{RetainedMessages: 2}})
	live := collect(t, b, "#")
	err := b.Restore([]Message{
		{Topic: "a", Payload: []byte("1"), QoS: 1, From: Identity{ClientID: "n"}},
		{Topic: "a/#", Payload: []byte("2")},
		{Topic: "$own", Payload: []byte("3")},
		{Topic: "b", Payload: []byte("4")},
	})
	if !errors.Is(err, ErrTopic) || !errors.Is(err, ErrRetainedFull) || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("got error %v", err)
	}
	want := []Message{
		{Topic: "$own", Payload: []byte("3"), Retain: true},
		{Topic: "a", Payload: []byte("1"), QoS: 1, Retain: true, From: Identity{ClientID: "n"}},
	}
	if diff := cmp.Diff(want, slices.Collect(b.Retained())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range b.Retained() {
		break // may stop early
	}
	if n := len(live()); n != 0 {
		t.Errorf("%d messages delivered", n)
	}
	if err := b.Publish(Message{Topic: "c", Payload: []byte("5"), Retain: true}); err != nil {
		t.Fatal(err)
	}
	if n := b.Stats().Dropped[DropRetainedFull]; n != 1 || len(live()) != 1 {
		t.Errorf("%d counted as not kept, %d delivered", n, len(live()))
	}
}
