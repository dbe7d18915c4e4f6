package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
)

// acks returns what the hub has told a node of its samples since the last call.
func (l *lab) acks(node string) (payloads []string) {
	l.bus.mu.Lock()
	defer l.bus.mu.Unlock()
	var others []smartmeter.Message
	for _, m := range l.bus.published {
		if m.Topic == "dev/"+node+"/pzem/ack" {
			payloads = append(payloads, string(m.Payload))
		} else {
			others = append(others, m)
		}
	}
	l.bus.published = others
	return payloads
}

// A sample is acknowledged when it is durable, not before; what lies behind a
// gap is not, until the gap is filled or its samples are lost for good.
func TestSamplesAreAcknowledgedWhenTheyAreDurable(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		step := func(what string, want ...string) {
			t.Helper()
			time.Sleep(12 * time.Second) // a sync, and a beat of the hub
			synctest.Wait()
			if d := cmp.Diff(want, l.acks("n1")); d != "" {
				t.Errorf("%s (-want +got):\n%s", what, d)
			}
		}
		sample := func(seq, first int) {
			l.says("n1/pzem/metrics", fmt.Sprintf(`{"voltage":230,"current":1,"power":200,"boot":"0000beef","seq":%d,"first":%d,"t":%d}`, seq, first, 5000*seq))
		}
		ack := func(seq int) string { return fmt.Sprintf(`{"boot":"0000beef","seq":%d}`, seq) }

		l.introduce("n1")
		step("nothing measured yet")
		sample(1, 1)
		sample(2, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		if early := l.acks("n1"); early != nil {
			t.Errorf("acknowledged before they are durable: %q", early)
		}
		step("two samples", ack(2))
		step("nothing new")
		sample(5, 1)
		step("behind a gap")
		l.introduce("n1")
		step("the node is back", ack(2))
		sample(4, 1)
		sample(3, 1)
		step("the gap is filled", ack(5))
		sample(9, 8)
		step("6 and 7 are lost for good, 8 may come", ack(7))
		sample(8, 8)
		step("8 has come", ack(9))
		l.restart()
		l.introduce("n1")
		step("after a restart of the hub", ack(5)) // the node has not said again what is lost
		sample(10, 8)
		step("the node has said what is lost", ack(9), ack(10))
	})
}

// A node that sends samples of an earlier boot once more has missed that they are
// durable, and no info of that boot will ever come.
func TestBacklogThatIsKnownIsAcknowledgedAgain(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		at := time.Now().Add(-time.Hour).UnixMilli()
		backlog := fmt.Sprintf(`[{"power":200,"boot":"0000dead","seq":1,"first":1,"t":5000,"at":%d}]`, at)
		for _, when := range []string{"at first", "again", "after a restart"} {
			l.says("n1/pzem/backlog", backlog)
			l.says("n1/pzem/backlog", backlog)
			time.Sleep(12 * time.Second)
			synctest.Wait()
			if d := cmp.Diff([]string{`{"boot":"0000dead","seq":1}`}, l.acks("n1")); d != "" {
				t.Errorf("%s: acks (-want +got):\n%s", when, d)
			}
			if when == "again" {
				l.restart()
				l.introduce("n1")
			}
		}
		if got := l.readings("n1"); len(got) != 1 {
			t.Errorf("kept: %+v", got)
		}
	})
}

// A hub that starts beside a broker that lived on says what it has to every node
// that the broker knows, though none of them connects anew: they try ever more
// rarely to send what they kept.
func TestNodesHearThatTheHubIsBack(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		info := `{"proto":1,"fw":"test","model":"test","boot":"%s","t":0,"config_rev":0,"caps":[],"channels":1}`
		for _, node := range []string{"n1", "n2"} {
			l.introduce(node)
			l.metrics(node, 1, 1000, 100)
		}
		time.Sleep(12 * time.Second)
		l.restart()
		l.kept("n1/info", fmt.Sprintf(info, "0000beef"))
		l.kept("n2/info", fmt.Sprintf(info, "0000cafe")) // it has booted meanwhile
		l.kept("n3/info", fmt.Sprintf(info, "0000cafe")) // nobody has heard of that
		time.Sleep(2 * time.Second)
		synctest.Wait()
		for node, want := range map[string][]string{
			"n1": {`{"boot":"0000beef","seq":1}`},
			"n2": {`{"boot":"0000cafe","seq":0}`},
			"n3": nil,
		} {
			if d := cmp.Diff(want, l.acks(node)); d != "" {
				t.Errorf("%s: acks (-want +got):\n%s", node, d)
			}
		}
	})
}

// A message of another implementation may be of several boots, and each has its
// own word about what is lost.
func TestBacklogOfTwoBootsIsAcknowledgedForBoth(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		at := time.Now().UnixMilli() - 1000
		l.says("n1/pzem/backlog", fmt.Sprintf(`[{"power":1,"boot":"0000dead","seq":3,"first":3,"t":1,"at":%d},{"power":2,"boot":"0000beef","seq":5,"first":5,"t":2,"at":%d}]`, at, at+1))
		time.Sleep(12 * time.Second)
		synctest.Wait()
		got := l.acks("n1")
		for _, want := range []string{`{"boot":"0000beef","seq":5}`, `{"boot":"0000dead","seq":3}`} {
			if !slices.Contains(got, want) {
				t.Errorf("acks %q, want %s among them", got, want)
			}
		}
	})
}

// The fielded sketch does not number its samples and would not understand.
func TestFieldedNodesGetNoAcks(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.says("old/pzem/metrics", `{"voltage":230,"current":1,"power":200}`)
		time.Sleep(30 * time.Second)
		synctest.Wait()
		for _, m := range l.bus.published {
			if strings.HasPrefix(m.Topic, "dev/") {
				t.Errorf("the hub sent %s %s", m.Topic, m.Payload)
			}
		}
	})
}

// A sample of an earlier boot whose time nobody knows will never be kept. The
// node is told to forget it, or it would offer it for ever.
func TestSamplesWithoutATimeAreGivenUp(t *testing.T) {
	newLab(t, func(t *testing.T, l *lab) {
		l.introduce("n1")
		l.says("n1/pzem/backlog", `[{"power":200,"boot":"0000dead","seq":7,"first":7,"t":5000},{"power":200,"boot":"0000dead","seq":8,"first":7,"t":10000}]`)
		time.Sleep(12 * time.Second)
		synctest.Wait()
		if d := cmp.Diff([]string{`{"boot":"0000dead","seq":8}`}, l.acks("n1")); d != "" {
			t.Errorf("acks (-want +got):\n%s", d)
		}
		if got := l.readings("n1"); len(got) != 0 {
			t.Errorf("kept by guess: %+v", got)
		}
	})
}
