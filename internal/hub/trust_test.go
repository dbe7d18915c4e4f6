package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/hub"
)

// wallClock is a machine's clock that a test sets.
type wallClock struct {
	began time.Time    // when the machine did
	step  atomic.Int64 // how far the clock is off, a time.Duration
	knows atomic.Bool  // the time
}

// off returns how far the clock is off.
func (w *wallClock) off() time.Duration { return time.Duration(w.step.Load()) }

// newClockLab runs f with a hub on a machine that began a minute ago and
// believes it is in the seventies.
func newClockLab(t *testing.T, f func(*testing.T, *lab, *wallClock)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, w := &lab{t: t, dir: dir}, &wallClock{}
		w.step.Store(int64(-25 * 365 * 24 * time.Hour))
		l.boot(w, "boot 1")
		l.start()
		f(t, l, w)
		l.stop()
	})
}

// boot makes the machine begin a minute ago.
func (l *lab) boot(w *wallClock, id string) {
	w.began = time.Now().Add(-time.Minute)
	l.clock = hub.Clock{
		Trusted: func() bool { return w.knows.Load() },
		Boot:    id,
		Uptime:  func() time.Duration { return time.Since(w.began) },
		Wall:    func() time.Time { return time.Now().Add(w.off()) },
	}
}

// learn lets a time server set the clock right, and waits until the hub has
// noticed and written.
func (w *wallClock) learn() {
	w.step.Store(0)
	w.knows.Store(true)
	settle()
}

func settle() {
	time.Sleep(12 * time.Second) // a beat of the hub, a sync, and a beat
	synctest.Wait()
}

// times returns when readings were, as seconds after an instant.
func times(readings []smartmeter.Reading, after time.Time) (seconds []float64) {
	for _, r := range readings {
		seconds = append(seconds, float64(r.At-smartmeter.InstantOf(after))/1000)
	}
	return seconds
}

func TestReadingsWaitForTheTime(t *testing.T) {
	for name, restart := range map[string]bool{"in one life": false, "with restarts": true} {
		t.Run(name, func(t *testing.T) {
			newClockLab(t, func(t *testing.T, l *lab, w *wallClock) {
				began := time.Now()
				again := func() {
					if restart {
						l.restart()
						l.introduceAt("n1", time.Since(began))
					}
				}
				l.introduce("n1")
				time.Sleep(5 * time.Second)
				l.metrics("n1", 3, 5000, 200)
				l.says("n1/pzem/backlog", `[{"power":100,"boot":"0000beef","seq":1,"first":1,"t":1000},{"power":150,"boot":"0000beef","seq":2,"first":1,"t":2000}]`)
				l.says("n2/pzem/metrics", `{"voltage":230,"current":1,"power":230}`)
				if d := l.device("n1"); d.Latest == nil || d.Latest.Power != 2000 {
					t.Errorf("the live picture shows %+v", d.Latest)
				}
				settle()
				again()
				time.Sleep(3 * time.Second)
				l.metrics("n1", 4, int(time.Since(began).Milliseconds()), 400)
				settle()
				if got := l.readings("n1"); len(got) != 0 {
					t.Errorf("stamped by guess: %+v", got)
				}
				if acks := l.acks("n1"); acks != nil {
					t.Errorf("told to forget what has no time: %q", acks)
				}
				if err := l.Health(t.Context()).Checks["clock"]; err == nil || !strings.Contains(err.Error(), " 5 readings wait") {
					t.Errorf("health says of the clock: %v", err)
				}
				again()
				w.learn()
				if d := cmp.Diff([]float64{1, 2, 5, 20}, times(l.readings("n1"), began)); d != "" {
					t.Errorf("seconds of n1 (-want +got):\n%s", d)
				}
				if d := cmp.Diff([]float64{5}, times(l.readings("n2"), began)); d != "" {
					t.Errorf("seconds of n2 (-want +got):\n%s", d)
				}
				if acks := l.acks("n1"); !slices.Contains(acks, `{"boot":"0000beef","seq":4}`) {
					t.Errorf("acks %q", acks)
				}
				if err := l.Health(t.Context()).Checks["clock"]; err != nil {
					t.Errorf("health says of the clock: %v", err)
				}
				if restart {
					return // the log of another life
				}
				for _, line := range []string{"this machine does not know the time;", "knows the time now"} {
					if n := l.log.count(line); n != 1 {
						t.Errorf("%q is in the log %d times", line, n)
					}
				}
			})
		})
	}
}

// introduceAt is introduce for a node whose boot is a while ago.
func (l *lab) introduceAt(node string, uptime time.Duration) {
	l.says(node+"/info", fmt.Sprintf(`{"proto":1,"fw":"test","model":"test","boot":"0000beef","t":%d,"config_rev":0,"caps":["relay"],"channels":1}`, uptime.Milliseconds()))
}

// A node that knows the time is believed by a hub that does not.
func TestNodeKnowsTheTimeBetter(t *testing.T) {
	newClockLab(t, func(t *testing.T, l *lab, _ *wallClock) {
		l.introduce("n1")
		at := smartmeter.InstantOf(time.Now())
		l.says("n1/pzem/metrics", fmt.Sprintf(`{"power":200,"boot":"0000beef","seq":2,"first":1,"t":5000,"at":%d}`, at))
		l.says("n1/pzem/backlog", fmt.Sprintf(`[{"power":100,"boot":"0000dead","seq":1,"first":1,"t":1000,"at":%d}]`, at-3_600_000))
		settle()
		if d := cmp.Diff([]float64{-3600, 0}, times(l.readings("n1"), at.Time())); d != "" {
			t.Errorf("seconds (-want +got):\n%s", d)
		}
		if acks := l.acks("n1"); !slices.Contains(acks, `{"boot":"0000dead","seq":1}`) {
			t.Errorf("acks %q", acks)
		}
	})
}

// What came in a boot of the machine that never learned the time is neither
// dropped nor stamped by a later one.
func TestTimeThatNeverCame(t *testing.T) {
	newClockLab(t, func(t *testing.T, l *lab, w *wallClock) {
		l.says("n2/pzem/metrics", `{"voltage":230,"current":1,"power":230}`)
		l.stop()
		l.boot(w, "boot 2")
		l.start()
		l.says("n2/pzem/metrics", `{"voltage":230,"current":1,"power":231}`)
		now := time.Now()
		w.learn()
		for range 2 {
			if d := cmp.Diff([]float64{0}, times(l.readings("n2"), now)); d != "" {
				t.Errorf("seconds (-want +got):\n%s", d)
			}
			health := l.Health(t.Context())
			if !strings.HasPrefix(health.Notes["clock"], "1 readings are from a time") || health.Checks["clock"] != nil {
				t.Errorf("health: %+v", health)
			}
			l.restart()
		}
	})
}

// A node that stayed up while the machine restarted can still tell when its
// samples were.
func TestNodeThatStayedUpTellsWhen(t *testing.T) {
	newClockLab(t, func(t *testing.T, l *lab, w *wallClock) {
		began := time.Now()
		l.introduce("n1")
		time.Sleep(5 * time.Second)
		l.metrics("n1", 1, 5000, 200)
		l.stop()
		l.boot(w, "boot 2")
		l.start()
		time.Sleep(5 * time.Second)
		l.introduceAt("n1", time.Since(began))
		l.says("n1/pzem/backlog", `[{"power":200,"boot":"0000beef","seq":1,"first":1,"t":5000}]`)
		w.learn()
		if d := cmp.Diff([]float64{5}, times(l.readings("n1"), began)); d != "" {
			t.Errorf("seconds (-want +got):\n%s", d)
		}
		if n := l.store.Unplaced(); n != 0 {
			t.Errorf("%d readings wait for the time", n)
		}
	})
}

// A clock that is set while the hub runs, by a day forward or a year back, loses
// no reading and stores none twice: each is where the clock was when it came.
func TestStepsOfATrustedClockCorruptNothing(t *testing.T) {
	for name, step := range map[string]time.Duration{"a day forward": 24 * time.Hour, "a year back": -365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			newClockLab(t, func(t *testing.T, l *lab, w *wallClock) {
				w.learn()
				began := time.Now()
				l.introduce("n1")
				var want []float64
				for n := range 6 {
					if n == 3 {
						w.step.Store(int64(step))
					}
					time.Sleep(5 * time.Second)
					since := time.Since(began)
					l.metrics("n1", n+1, int(since.Milliseconds()), 200+float64(n))
					want = append(want, (since + w.off()).Seconds())
					if d := l.device("n1"); d.Latest.Power != smartmeter.Deciwatt(2000+10*n) {
						t.Errorf("sample %d: the live picture shows %v", n, d.Latest.Power)
					}
				}
				l.says("n1/pzem/backlog", `[{"power":200,"boot":"0000beef","seq":1,"first":1,"t":5000}]`) // twice, from before
				slices.Sort(want)
				for range 2 {
					if d := cmp.Diff(want, times(l.readings("n1"), began)); d != "" {
						t.Errorf("seconds (-want +got):\n%s", d)
					}
					l.restart()
				}
				settle()
			})
		})
	}
}
