package bus_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/bus"
	"github.com/iot-smart-meter/smartmeter/internal/mqtt"
)

// both is what the two buses have in common, and the hub uses.
type both interface {
	Publish(smartmeter.Message) error
	Subscribe(filter string, handle func(smartmeter.Message)) error
}

// bench is a bus and somebody else on the same broker.
type bench struct {
	t      *testing.T
	bus    both
	other  *client
	fences *heard
	count  int
}

// ways are the buses that must behave alike.
var ways = []struct {
	name  string
	build func(*testing.T) (b both, address string)
}{
	{"embedded", func(t *testing.T) (both, string) {
		broker, address := serve(t, mqtt.Config{})
		return bus.NewEmbedded(broker), address
	}},
	{"external on Mosquitto", func(t *testing.T) (both, string) {
		m := startMosquitto(t)
		b := newExternal(t, m.address, bus.ExternalConfig{})
		run(t, b)
		return b, m.address
	}},
	{"external on our own broker", func(t *testing.T) (both, string) {
		_, address := serve(t, mqtt.Config{})
		b := newExternal(t, address, bus.ExternalConfig{})
		run(t, b)
		return b, address
	}},
}

// Whatever carries the messages, the hub must not be able to tell.
func TestBusesBehaveAlike(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			for _, behaviour := range behaviours {
				t.Run(behaviour.name, func(t *testing.T) {
					b, address := way.build(t)
					w := &bench{t: t, bus: b, other: join(t, address)}
					w.fences = w.listen("fence/+")
					behaviour.check(t, w)
				})
			}
		})
	}
}

// listen subscribes, and returns when that is in force and what the broker
// kept for it has come.
func (w *bench) listen(filter string) *heard {
	w.t.Helper()
	h := &heard{}
	w.subscribe(filter, h.take)
	return h
}

func (w *bench) subscribe(filter string, handle func(smartmeter.Message)) {
	w.t.Helper()
	if err := w.bus.Subscribe(filter, handle); err != nil {
		w.t.Fatal(err)
	}
	w.count++
	mark, kept := fmt.Sprintf("mark/%d", w.count), &heard{}
	w.other.leave(mark, "here")
	if err := w.bus.Subscribe(mark, kept.take); err != nil {
		w.t.Fatal(err)
	}
	kept.await(w.t, mark, "here")
}

// fence returns when all that was published before, by either side, has come.
func (w *bench) fence() {
	w.t.Helper()
	w.count++
	topic := fmt.Sprintf("fence/%d", w.count)
	w.other.say(topic, "other")
	w.fences.await(w.t, topic, "other")
	w.publish(smartmeter.Message{Topic: topic, Payload: []byte("bus"), QoS: 1})
	w.fences.await(w.t, topic, "bus")
}

func (w *bench) publish(m smartmeter.Message) {
	w.t.Helper()
	if err := w.bus.Publish(m); err != nil {
		w.t.Fatalf("publish %s: %v", m.Topic, err)
	}
}

// expect compares what came, after a fence.
func (w *bench) expect(h *heard, want ...smartmeter.Message) {
	w.t.Helper()
	w.fence()
	if d := cmp.Diff(want, h.all()); d != "" {
		w.t.Errorf("heard (-want +got):\n%s", d)
	}
}

// said is a message as it is heard live.
func said(topic, payload string) smartmeter.Message {
	return smartmeter.Message{Topic: topic, Payload: []byte(payload), QoS: 1}
}

// kept is one that the broker had kept.
func kept(topic, payload string) smartmeter.Message {
	m := said(topic, payload)
	m.Retained = true
	return m
}

var behaviours = []struct {
	name  string
	check func(*testing.T, *bench)
}{
	{"a message reaches the bus", func(t *testing.T, w *bench) {
		h := w.listen("dev/+/#")
		w.other.say("dev/n1/pzem/metrics", `{"voltage":230.1}`)
		w.other.wait(w.other.Publish("dev/n1/pzem/energy", 0, false, "12.34"))
		w.expect(h, said("dev/n1/pzem/metrics", `{"voltage":230.1}`),
			smartmeter.Message{Topic: "dev/n1/pzem/energy", Payload: []byte("12.34")})
	}},
	{"a message leaves the bus", func(t *testing.T, w *bench) {
		h := w.other.listen("dev/+/#")
		w.publish(said("dev/n1/relay/commands", "RELAY_ON"))
		w.publish(smartmeter.Message{Topic: "dev/n1/pzem/ack", Payload: []byte("{}")})
		h.await(t, "dev/n1/pzem/ack", "{}")
		if d := cmp.Diff([]smartmeter.Message{said("dev/n1/relay/commands", "RELAY_ON"), {Topic: "dev/n1/pzem/ack", Payload: []byte("{}")}}, h.all()); d != "" {
			t.Errorf("heard (-want +got):\n%s", d)
		}
	}},
	{"the bus hears itself", func(t *testing.T, w *bench) {
		h := w.listen("smartmeter/probe")
		w.publish(smartmeter.Message{Topic: "smartmeter/probe", Payload: []byte("mark")})
		w.expect(h, smartmeter.Message{Topic: "smartmeter/probe", Payload: []byte("mark")})
	}},
	{"messages come in order", func(t *testing.T, w *bench) {
		h := w.listen("dev/+/#")
		var want []smartmeter.Message
		for i := range 500 {
			m := said(fmt.Sprintf("dev/n%d/x", i%3), fmt.Sprint(i))
			w.other.Publish(m.Topic, 1, false, m.Payload)
			want = append(want, m)
		}
		w.expect(h, want...)
	}},
	{"what was kept comes first and flagged, what is live is not", func(t *testing.T, w *bench) {
		w.other.leave("dev/n1/info", "old")
		w.other.leave("dev/n1/info", "new")
		h := w.listen("dev/+/#")
		w.other.leave("dev/n1/info", "newer") // kept by the broker, and live for us
		w.other.say("dev/n1/event", "now")
		w.expect(h, kept("dev/n1/info", "new"), said("dev/n1/info", "newer"), said("dev/n1/event", "now"))
	}},
	{"the bus can make the broker keep a message", func(t *testing.T, w *bench) {
		w.publish(kept("dev/n1/threshold/alert", "{}"))
		w.fence()
		w.expect(w.listen("dev/+/#"), kept("dev/n1/threshold/alert", "{}"))
	}},
	{"an empty payload is a message, and clears what was kept", func(t *testing.T, w *bench) {
		before := w.listen("dev/n1/info")
		w.other.leave("dev/n1/info", "x")
		w.other.leave("dev/n1/info", "")
		w.expect(before, said("dev/n1/info", "x"), said("dev/n1/info", ""))
		w.expect(w.listen("dev/n1/#"))
	}},
	{"wildcards", func(t *testing.T, w *bench) {
		topics := []string{"", "/", "/a", "/a/", "/a/b", "/a/b/c", "/b"}
		matching := map[string][]string{ // below a root of its own
			"/+/#": {"/", "/a", "/a/", "/a/b", "/a/b/c", "/b"},
			"/#":   topics,
			"/+":   {"/", "/a", "/b"},
			"/+/b": {"/a/b"},
			"/a/+": {"/a/", "/a/b"},
			"/a/":  {"/a/"},
			"/a":   {"/a"},
			"":     {""},
		}
		for filter, below := range matching {
			w.count++
			root := fmt.Sprintf("root%d", w.count)
			h := w.listen(root + filter)
			for _, topic := range topics {
				w.other.say(root+topic, "x")
			}
			w.fence()
			var got []string
			for _, m := range h.all() {
				got = append(got, strings.TrimPrefix(m.Topic, root))
			}
			if !slices.Equal(got, below) {
				t.Errorf("%s matched %q, want %q", filter, got, below)
			}
		}
	}},
	{"odd topics", func(t *testing.T, w *bench) {
		h := w.listen("odd/#")
		var want []smartmeter.Message
		for _, topic := range []string{"odd/the fridge/state", "odd//x", "odd/", "odd//", "odd/ ", "odd/küche/°C", "odd/冰箱/⚡", "odd/$x", "odd/" + strings.Repeat("x", 1000)} {
			w.other.say(topic, topic)
			w.publish(said(topic, "back"))
			w.fence()
			want = append(want, said(topic, topic), said(topic, "back"))
		}
		w.expect(h, want...)
	}},
	{"foreign traffic does not come", func(t *testing.T, w *bench) {
		w.other.leave("homeassistant/sensor/x/config", "{}")
		w.other.leave("zigbee2mqtt/bridge/state", "online")
		h := w.listen("dev/+/#")
		w.other.say("homeassistant/status", "online")
		w.other.say("devil/n1/status", "Online")
		w.other.say("dev", "x")
		w.other.say("/dev/n1/status", "x")
		w.expect(h)
	}},
	{"payloads are bytes", func(t *testing.T, w *bench) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		h, theirs := w.listen("dev/+/#"), w.other.listen("back/#")
		w.other.say("dev/n1/x", string(all))
		w.expect(h, said("dev/n1/x", string(all)))
		w.publish(said("back/x", string(all)))
		theirs.await(t, "back/x", string(all))
	}},
	{"payloads of 16 KiB", func(t *testing.T, w *bench) {
		large := strings.Repeat("0123456789abcdef", 1024)
		h, theirs := w.listen("dev/+/#"), w.other.listen("back/#")
		w.other.say("dev/n1/x", large)
		w.expect(h, said("dev/n1/x", large))
		w.publish(said("back/x", large))
		theirs.await(t, "back/x", large)
	}},
	{"a handler may publish", func(t *testing.T, w *bench) {
		const questions = 500
		answers := w.other.listen("answer/#")
		w.subscribe("question/+", func(m smartmeter.Message) {
			w.publish(smartmeter.Message{Topic: strings.Replace(m.Topic, "question", "answer", 1), Payload: m.Payload, QoS: 1})
		})
		for i := range questions {
			w.other.Publish("question/x", 1, false, fmt.Sprint(i))
		}
		answers.await(t, "answer/x", fmt.Sprint(questions-1))
		if got := len(answers.all()); got != questions {
			t.Errorf("%d answers to %d questions", got, questions)
		}
	}},
	{"each handler hears its own", func(t *testing.T, w *bench) {
		a, b := w.listen("a/#"), w.listen("b/#")
		w.other.say("a/x", "1")
		w.other.say("b/x", "2")
		w.expect(a, said("a/x", "1"))
		w.expect(b, said("b/x", "2"))
	}},
	{"a handler that panics ends nothing", func(t *testing.T, w *bench) {
		w.subscribe("trap", func(smartmeter.Message) { panic("a test") })
		h := w.listen("dev/+/#")
		w.other.say("trap", "x")
		w.other.say("dev/n1/x", "after")
		w.expect(h, said("dev/n1/x", "after"))
	}},
	{"what is no message is refused, and breaks nothing", func(t *testing.T, w *bench) {
		h := w.listen("dev/+/#")
		for name, m := range map[string]smartmeter.Message{
			"no topic":    {},
			"a wildcard":  {Topic: "dev/+/x"},
			"all":         {Topic: "#"},
			"a NUL":       {Topic: "a\x00b"},
			"not UTF-8":   {Topic: "a\xffb"},
			"a long name": {Topic: strings.Repeat("x", 65_536)},
			"QoS 2":       {Topic: "a", QoS: 2},
			"too large":   {Topic: "a", Payload: make([]byte, 256<<10)},
		} {
			if err := w.bus.Publish(m); err == nil {
				t.Errorf("%s was published", name)
			}
		}
		for _, filter := range []string{"", "a+", "a/b#", "#/a", "a/#/b", "+a/b", "a\x00", "\xff", strings.Repeat("x", 65_536)} {
			if err := w.bus.Subscribe(filter, func(smartmeter.Message) {}); err == nil {
				t.Errorf("%.20q was subscribed", filter)
			}
		}
		w.other.say("dev/n1/x", "still here")
		w.expect(h, said("dev/n1/x", "still here"))
	}},
}
