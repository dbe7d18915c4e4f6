package cli_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// streaming returns a handler that sends the events and ends the stream.
func streaming(events string) http.HandlerFunc {
	return answering(200, "text/event-stream", events)
}

// afternoon is a stream with an event of every kind.
func afternoon(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/events.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWatch(t *testing.T) {
	tests := map[string]struct{ args, file string }{
		"everything":             {"--count=9", "watch.golden"},
		"as JSON":                {"--count=9 --json", "watch-json.golden"},
		"two devices, by name":   {"--count=6 fridge PLUG-1", "watch-two.golden"},
		"no more than was asked": {"--count=1", "watch-one.golden"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // virtual time: events without one happen at midnight
				s, flag := serveInBubble(t, hub{devices: household(t), events: streaming(afternoon(t))})
				got := s.run(t, append([]string{"watch", flag}, strings.Fields(tt.args)...)...)
				golden(t, tt.file, got.Stdout)
				got.Stdout = ""
				check(t, got, result{})
			})
		})
	}
}

func TestWatchUnknownDevice(t *testing.T) {
	s, flag := serve(t, hub{devices: household(t)})
	check(t, s.run(t, "watch", "fridge", "oven", flag), result{
		Stderr: "smartmeter: there is no device \"oven\": list them with `smartmeter devices`\n", Code: 3,
	})
}

func TestWatchEndsWithCtrlC(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		s, flag := serveInBubble(t, hub{devices: household(t), events: func(w http.ResponseWriter, r *http.Request) {
			streaming("event: hello\ndata: {}\n\n")(w, r)
			w.(http.Flusher).Flush()
			time.Sleep(time.Hour)
			interrupt()
			<-r.Context().Done()
		}})
		s.ctx = ctx
		check(t, s.run(t, "watch", flag), result{})
	})
}

// TestWatchComesBack plays a hub that goes away in the middle of an event,
// answers nonsense for a while and comes back with a greeting of no id.
func TestWatchComesBack(t *testing.T) {
	type visit struct {
		LastEventID string
		After       time.Duration // bounds of jitter make it a whole number of half seconds
	}
	var visits []visit
	moved := func(id int, state string) string {
		return fmt.Sprintf("id: %d\nevent: relay\ndata: {\"device\":\"sim-fridge\",\"relay\":{\"state\":%q}}\n\n", id, state)
	}
	answers := []http.HandlerFunc{
		streaming("event: hello\ndata: {}\n\n" + moved(41, "on") + "id: 42\nevent: relay\ndata: {\"dev"),
		answering(502, "text/html", "proxy"),
		answering(200, "text/html", "login"),
		streaming("event: hello\ndata: {}\n\n"),
		streaming("event: hello\ndata: {}\n\n" + moved(42, "off") + "id: 43\nevent: reset\ndata: {}\n\n"),
		streaming(moved(44, "on")),
	}
	synctest.Test(t, func(t *testing.T) {
		last := time.Now()
		s, flag := serveInBubble(t, hub{devices: household(t), events: func(w http.ResponseWriter, r *http.Request) {
			visits = append(visits, visit{r.Header.Get("Last-Event-ID"), time.Since(last)})
			last = time.Now()
			answers[len(visits)-1](w, r)
		}})
		check(t, s.run(t, "watch", "--count=3", "--json", flag), result{
			Stdout: `{"id":41,"event":"relay","data":{"device":"sim-fridge","relay":{"state":"on"}}}` + "\n" +
				`{"id":42,"event":"relay","data":{"device":"sim-fridge","relay":{"state":"off"}}}` + "\n" +
				`{"id":44,"event":"relay","data":{"device":"sim-fridge","relay":{"state":"on"}}}` + "\n",
			Stderr: "smartmeter: lost the hub at http://hub, trying again\n" +
				"smartmeter: the hub is back\n" +
				"smartmeter: lost the hub at http://hub, trying again\n" +
				"smartmeter: the hub is back\n" +
				"smartmeter: the hub does not remember where we left off: events may be missing\n" +
				"smartmeter: lost the hub at http://hub, trying again\n" +
				"smartmeter: the hub is back\n",
		})
	})
	want := []visit{{"", 0}, {"41", 500}, {"41", 1000}, {"41", 2000}, {"41", 500}, {"43", 500}}
	for i, v := range visits {
		if low := want[i].After * time.Millisecond; v.After < low || v.After > low*3/2 {
			t.Errorf("visit %d came after %v, want %v to %v", i, v.After, low, low*3/2)
		}
		visits[i].After = want[i].After
	}
	if diff := cmp.Diff(want, visits); diff != "" {
		t.Errorf("visits (-want +got):\n%s", diff)
	}
}

func TestWatchGivesUp(t *testing.T) {
	gone := answering(404, problemJSON, `{"detail":"no events here"}`)
	tests := map[string]struct {
		answers []http.HandlerFunc
		want    result
	}{
		"at the first try": {
			[]http.HandlerFunc{answering(503, problemJSON, `{"detail":"too many watchers"}`)},
			result{Stderr: "smartmeter: too many watchers\n", Code: 6},
		},
		"when there is no stream": {
			[]http.HandlerFunc{answering(200, "text/html", "<h1>hi</h1>")},
			result{Stderr: "no stream of events", Code: 6},
		},
		"when trying again is no use": {
			[]http.HandlerFunc{streaming("event: hello\ndata: {}\n\n"), gone},
			result{Stderr: "trying again\nsmartmeter: no events here\n", Code: 3},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				visits := 0
				s, flag := serveInBubble(t, hub{devices: household(t), events: func(w http.ResponseWriter, r *http.Request) {
					tt.answers[visits](w, r)
					visits++
				}})
				check(t, s.run(t, "watch", flag), tt.want)
			})
		})
	}
}

func TestWatchSurvivesNonsense(t *testing.T) {
	stream := "event: reading\ndata: not JSON\n\n" +
		"event: reading\ndata: {\"device\":7}\n\n" +
		"event: alert\ndata: {\"device\":\"sim-fridge\"}\n\n" +
		"event: relay\ndata: {\"device\":\"\\u001b[2J\",\"relay\":{\"state\":\"\\u0007on\"}}\n\n"
	synctest.Test(t, func(t *testing.T) {
		s, flag := serveInBubble(t, hub{devices: `{"devices":[]}`, events: streaming(stream)})
		check(t, s.run(t, "watch", "--count=1", flag), result{
			Stdout: "01:00:00  \ufffd[2J  relay is \ufffdon\n",
			Stderr: "smartmeter: cannot read an event \"reading\" of the hub: invalid character 'o' in literal null (expecting 'u')\n" +
				"smartmeter: cannot read an event \"reading\" of the hub: json: cannot unmarshal number into Go struct field .device of type string\n",
		})
	})
}

func TestWatchSaysWhenItCannotWrite(t *testing.T) {
	s, flag := serve(t, hub{devices: household(t), events: streaming(afternoon(t))})
	_, broken := io.Pipe()
	broken.CloseWithError(io.ErrClosedPipe)
	err := s.runInto(t, broken, io.Discard, "watch", flag)
	if !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("error %v, want that of the writer", err)
	}
}
