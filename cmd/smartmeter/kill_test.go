package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/iot-smart-meter/smartmeter"
)

var (
	kills    = flag.Int("kills", 30, "how often TestHubIsKilledUnderLoad kills the hub")
	killSeed = flag.Uint64("killseed", 0, "what it does by chance; 0 draws a seed")
)

// daysOver is how long ago the nodes of a test began to measure.
const daysOver = 5 * 24 * time.Hour

// The hub is killed again and again while nodes record, its days are sealed and
// its acknowledgements are on their way. Whenever it is back, each acknowledged
// sample is there, once, in order and as it was measured; and what was not
// acknowledged is sent again, until nothing is missing.
func TestHubIsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-kills=%d -killseed=%d", *kills, seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	args := []string{"--log-level", "error", "hub", "--open", "--data", t.TempDir(), "--sync", "100ms", "--http", "127.0.0.1:0", "--mqtt", "127.0.0.1:0"}
	hub := startReady(t, args...)
	nodes := newRecording("recorder", 4, seed)
	checkEvery := max(*kills/40, 1) // all that there is is a lot after a thousand kills
	for kill := range *kills {
		nodes.live(chance)
		if chance.IntN(2) == 0 {
			nodes.begin(hub.mqtt, chance.Int64N(400)+1, never)
		} else {
			nodes.begin(hub.mqtt, never, chance.Int64N(6)+1)
		}
		nodes.await(t)
		hub.kill()
		nodes.ended.Wait()
		hub = startReady(t, args...)
		if kill%checkEvery == 0 {
			nodes.check(t, hub)
		}
	}
	nodes.begin(hub.mqtt, never, never)
	eventually(t, "all that was measured before is acknowledged", nodes.caughtUp)
	hub.kill()
	nodes.ended.Wait()
	hub = startReady(t, args...)
	nodes.check(t, hub)
	nodes.log(t)
}

// recording is nodes that record while a hub comes and goes.
type recording struct {
	nodes []*recorder
	began smartmeter.Instant // a time on a day that is over
	ended sync.WaitGroup
	// sent and acks are how many samples and acknowledgements are still to come
	// until due.
	sent, acks atomic.Int64
	due        chan struct{}
}

// never is more than ever comes.
const never = 1 << 60

// sampleEvery is how often a recorder measures.
const sampleEvery = 5 * time.Millisecond

func newRecording(name string, nodes int, seed uint64) *recording {
	r := &recording{began: smartmeter.InstantOf(time.Now().Add(-daysOver + time.Hour)), due: make(chan struct{}, 1)}
	for i := range nodes {
		n := newRecorder(smartmeter.NodeID(fmt.Sprintf("%s-%d", name, i+1)), seed)
		n.acknowledged = func() { r.count(&r.acks) }
		n.reboot()
		r.nodes = append(r.nodes, n)
	}
	return r
}

// live has some of the nodes reboot, and some find samples of days ago.
func (r *recording) live(chance *rand.Rand) {
	for _, n := range r.nodes {
		switch chance.IntN(6) {
		case 0:
			n.reboot()
		case 1:
			n.measurePast(1+chance.IntN(50), r.began)
		}
	}
}

// begin has all nodes record until their connection ends. It is due when so
// many samples were sent, or so many acknowledgements came.
func (r *recording) begin(broker string, sent, acks int64) {
	r.sent.Store(sent)
	r.acks.Store(acks)
	for _, n := range r.nodes {
		r.ended.Go(func() {
			defer n.leave()
			if n.connect(broker) != nil {
				return // it is killed
			}
			tick := time.NewTicker(sampleEvery)
			defer tick.Stop()
			for range tick.C {
				if n.sendNow() != nil {
					return
				}
				r.count(&r.sent)
			}
		})
	}
}

func (r *recording) count(left *atomic.Int64) {
	if left.Add(-1) == 0 {
		r.due <- struct{}{}
	}
}

func (r *recording) await(t *testing.T) {
	t.Helper()
	select {
	case <-r.due:
	case <-time.After(patience):
		t.Fatalf("samples and acknowledgements stay away for %v", patience)
	}
}

// caughtUp says how much of what is more than a moment old is not acknowledged.
func (r *recording) caughtUp() error {
	for _, n := range r.nodes {
		if late := n.unacknowledged(now() - 5000); late > 0 {
			return fmt.Errorf("%d samples of %s are not", late, n.id)
		}
	}
	return nil
}

func (r *recording) check(t *testing.T, hub *process) {
	t.Helper()
	for _, n := range r.nodes {
		if err := n.isKept(hub); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *recording) log(t *testing.T) {
	t.Helper()
	measured, acknowledged := 0, 0
	for _, n := range r.nodes {
		measured, acknowledged = measured+len(n.samples), acknowledged+len(n.acked)
	}
	t.Logf("%d samples measured, %d of them acknowledged", measured, acknowledged)
}
