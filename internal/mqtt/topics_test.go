package mqtt

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTreeAgreesWithMatch subscribes and unsubscribes at random and compares
// what the tree finds with asking Match about every subscription.
func TestTreeAgreesWithMatch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tree tree
		sessions := []*session{{}, {}, {}}
		model := make([]map[string]byte, len(sessions))
		for i := range model {
			model[i] = make(map[string]byte)
		}
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			i, filter := rapid.IntRange(0, len(sessions)-1).Draw(t, "session"), anyFilter.Draw(t, "filter")
			if rapid.Bool().Draw(t, "subscribe") {
				qos := byte(rapid.IntRange(0, 1).Draw(t, "qos"))
				tree.subscribe(filter, sessions[i], qos)
				model[i][filter] = qos
			} else {
				tree.unsubscribe(filter, sessions[i])
				delete(model[i], filter)
			}
		}
		topic := anyTopic.Draw(t, "topic")
		found := &matches{sessions: make(map[*session]byte)}
		tree.match(topic, found)
		count := 0
		want := make(map[*session]byte)
		for i, filters := range model {
			count += len(filters)
			for filter, qos := range filters {
				if Match(filter, topic) {
					want[sessions[i]] = max(want[sessions[i]], qos)
				}
			}
		}
		if !maps.Equal(found.sessions, want) || tree.count != count {
			t.Fatalf("%q: found %d, want %d; %d subscriptions, want %d", topic, len(found.sessions), len(want), tree.count, count)
		}
		for i, filters := range model {
			for filter := range filters {
				tree.unsubscribe(filter, sessions[i])
			}
		}
		if !tree.root.empty() || tree.count != 0 {
			t.Fatal("nodes are left when nobody is subscribed")
		}
	})
}

// TestRetainedAgreesWithMap puts and removes at random, while a replay goes on
// page by page: it must bring, in order, what was there when it was ordered and
// has not been touched since.
func TestRetainedAgreesWithMap(t *testing.T) {
	limits := Limits{}.withDefaults()
	rapid.Check(t, func(t *rapid.T) {
		var store retainedStore
		model := make(map[string]string)
		step := func(label string) string {
			topic := anyTopic.Draw(t, label)
			payload := rapid.SampledFrom([]string{"", "x", "y"}).Draw(t, "payload")
			store.put(&Message{Topic: topic, Payload: []byte(payload)}, &limits)
			model[topic] = payload
			if payload == "" {
				delete(model, topic)
			}
			return topic
		}
		for range rapid.IntRange(0, 40).Draw(t, "steps") {
			step("topic")
		}
		filter := anyFilter.Draw(t, "filter")
		want := make(map[string]string)
		for topic, payload := range model {
			if Match(filter, topic) {
				want[topic] = payload
			}
		}
		touched := make(map[string]bool)
		got := make(map[string]string)
		var order [][]string
		for p := newReplay(filter, 0, store.version); !p.done; {
			for _, m := range store.page(nil, p, rapid.IntRange(1, 5).Draw(t, "page"), 1<<20) {
				if _, twice := got[m.Topic]; twice || touched[m.Topic] {
					t.Fatalf("%q came twice, or as kept although it is newer", m.Topic)
				}
				got[m.Topic] = string(m.Payload)
				order = append(order, levels(m.Topic))
			}
			if !p.done && rapid.Bool().Draw(t, "change") {
				touched[step("changed")] = true
			}
		}
		for topic := range touched {
			if _, seen := got[topic]; !seen {
				delete(want, topic)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("replay of %q (-want +got):\n%s", filter, diff)
		}
		if !slices.IsSortedFunc(order, slices.Compare) {
			t.Fatalf("replay out of order: %q", order)
		}
		checkSize(t, &store, model)
	})
}

func checkSize(t *rapid.T, store *retainedStore, model map[string]string) {
	bytes := 0
	for topic, payload := range model {
		bytes += (&Message{Topic: topic, Payload: []byte(payload)}).cost()
	}
	if store.count != len(model) || store.bytes != bytes {
		t.Fatalf("store says %d messages of %d bytes, there are %d of %d", store.count, store.bytes, len(model), bytes)
	}
	for topic := range model {
		store.remove(topic)
	}
	if len(store.root.children) != 0 || store.count != 0 || store.bytes != 0 {
		t.Fatal("nodes are left when nothing is kept")
	}
}

func TestRetainedLimits(t *testing.T) {
	big := (&Message{Topic: "a", Payload: make([]byte, 100)}).cost()
	limits := &Limits{RetainedMessages: 2, RetainedBytes: 2*big - 1}
	var store retainedStore
	put := func(topic string, size int) bool {
		return store.put(&Message{Topic: topic, Payload: make([]byte, size)}, limits)
	}
	for i, step := range []struct {
		topic string
		size  int
		want  bool
	}{
		{"a", 100, true},
		{"b", 100, false}, // bytes
		{"b", 99, true},
		{"c", 1, false},   // count
		{"a", 101, false}, // bytes; and what was kept is no longer true
		{"c", 1, true},
		{"b", 0, true},
	} {
		if got := put(step.topic, step.size); got != step.want {
			t.Errorf("step %d: put %q: %v", i, step.topic, got)
		}
	}
	if store.count != 1 || store.get("c") == nil || store.get("a") != nil {
		t.Errorf("%d messages kept, want c alone", store.count)
	}
}

// TestQueueAgreesWithSlice compares a queue with the obvious one.
func TestQueueAgreesWithSlice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := &Limits{QueueMessages: 8, QueueBytes: 9 * messageOverhead}
		var q queue
		var model []delivery
		bytes := func() (n int) {
			for _, d := range model {
				n += d.message.cost()
			}
			return n
		}
		for step := range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "pop") == 0 && len(model) > 0 {
				if q.front() != model[0] {
					t.Fatalf("front is %+v, want %+v", q.front(), model[0])
				}
				q.pop()
				model = model[1:]
				continue
			}
			d := delivery{qos: byte(rapid.IntRange(0, 1).Draw(t, "qos"))}
			d.message = &Message{Topic: strconv.Itoa(step), Payload: make([]byte, rapid.IntRange(0, 200).Draw(t, "size"))}
			wantDropped, wantOK := 0, true
			full := func() bool {
				return len(model) > 0 && (len(model) == limits.QueueMessages || bytes()+d.message.cost() > limits.QueueBytes)
			}
			for full() {
				i := slices.IndexFunc(model, func(d delivery) bool { return d.qos == 0 })
				if i < 0 {
					wantOK = d.qos == 0
					break
				}
				model = slices.Delete(slices.Clone(model), i, i+1)
				wantDropped++
			}
			if !full() {
				model = append(model, d)
			} else if wantOK {
				wantDropped++
			}
			if dropped, ok := q.push(d, limits); dropped != wantDropped || ok != wantOK {
				t.Fatalf("push: dropped %d, %v; want %d, %v", dropped, ok, wantDropped, wantOK)
			}
			if q.size != len(model) || q.bytes != bytes() {
				t.Fatalf("queue says %d of %d bytes, there are %d of %d", q.size, q.bytes, len(model), bytes())
			}
		}
		for _, d := range model {
			if q.front() != d {
				t.Fatalf("front is %+v, want %+v", q.front(), d)
			}
			q.pop()
		}
	})
}

// TestQueueStaysSmall keeps a queue full of QoS 1 with one QoS 0 message after
// the other on top: the holes must not add up.
func TestQueueStaysSmall(t *testing.T) {
	limits := &Limits{QueueMessages: 1000, QueueBytes: 1 << 30}
	var q queue
	for i := range 999 {
		q.push(delivery{message: &Message{Topic: fmt.Sprint(i)}, qos: 1}, limits)
	}
	for range 100_000 {
		if _, ok := q.push(delivery{message: &Message{Topic: "x"}}, limits); !ok {
			t.Fatal("no room for QoS 0")
		}
	}
	if cap(q.items) > 4*limits.QueueMessages {
		t.Errorf("%d slots for %d messages", cap(q.items), q.size)
	}
}
