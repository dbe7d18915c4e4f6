package nodehost

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/iot-smart-meter/smartmeter"
	"github.com/iot-smart-meter/smartmeter/internal/sim"
)

var (
	weekSeed = flag.Uint64("week.seed", 1, "replays the hub's dead week with this seed")
	weeks    = flag.Int("weeks", 1, "how many weeks the hub is dead, each with the next seed")
)

// household says what a week is made of. All nodes are the core that runs on
// real hardware, and the hub and its store are the real ones; time, the broker
// and the disks are not.
type household struct {
	// rings are nodes with a ring in memory, minutes those that also remember
	// the register of each minute, and files those that keep samples in a file.
	rings, minutes, files int
	// dead is for how long the hub is.
	dead time.Duration
	// brokerLives says that the broker is a program of its own: nodes stay
	// connected and talk to nobody.
	brokerLives bool
	// perSecond is how many samples of backlog the nodes must send in a second, for
	// ten seconds at least.
	perSecond int
}

// week is a household that lives on while its hub does not.
type week struct {
	household
	t      *testing.T
	seed   uint64
	chance *rand.Rand
	agenda *sim.Agenda
	broker *sim.Broker
	plugs  []*plug
	byID   map[smartmeter.NodeID]*plug
	center center

	died, back time.Duration // when the hub did, and was
	drain      drain
}

// TestHubIsDeadForAWeek takes the hub and its broker away for seven days. What
// nodes do without them they do as ever; afterwards every sample that anybody
// still had is in the store, once, and no watt-hour is missing.
func TestHubIsDeadForAWeek(t *testing.T) {
	runWeeks(t, household{rings: 88, minutes: 10, files: 2, dead: 7 * 24 * time.Hour})
}

// TestHubIsDeadBesideItsBroker takes the hub away from a broker that lives on.
func TestHubIsDeadBesideItsBroker(t *testing.T) {
	runWeeks(t, household{rings: 6, minutes: 2, files: 1, dead: 30 * time.Hour, brokerLives: true})
}

// TestHundredFilesComeHome gives a hub that was dead for half a day what a hundred
// nodes with files have kept for it, all at once.
func TestHundredFilesComeHome(t *testing.T) {
	runWeeks(t, household{rings: 10, files: 100, dead: 12 * time.Hour, perSecond: 10_000})
}

// runWeeks lets as many households live as are wanted.
func runWeeks(t *testing.T, home household) {
	t.Helper()
	if testing.Short() { // the race detector takes its time
		home.rings, home.minutes, home.files, home.dead, home.perSecond = 6, 2, 1, 8*time.Hour, 0
	}
	for i := range *weeks {
		seed := *weekSeed + uint64(i)
		t.Logf("replay with -week.seed=%d", seed)
		runWeek(t, home, seed)
	}
}

// runWeek lets a household live through the hub's death and return.
func runWeek(t *testing.T, home household, seed uint64) {
	t.Helper()
	cryptotest.SetGlobalRandom(t, seed) // hub and store draw ids from there
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &week{
			household: home, t: t, seed: seed, chance: rand.New(rand.NewPCG(seed, 7)),
			agenda: sim.NewAgenda(synctest.Wait), byID: make(map[smartmeter.NodeID]*plug),
		}
		w.broker = sim.NewBroker(w.agenda)
		w.center = newCenter(w, dir)
		w.live()
	})
}

// live is the story.
func (w *week) live() {
	w.center.start()
	w.install()
	w.pass(37 * time.Minute)
	w.orderLeases()
	w.pass(13 * time.Minute)

	w.died = w.agenda.Now()
	w.center.die()
	w.planMisfortunes()
	w.pass(w.dead)
	w.back = w.agenda.Now()
	w.center.start()

	w.pass(w.longestDrain())
	w.rest()
	w.pass(5 * time.Minute)
	w.check()
	w.center.stop()
}

// longestDrain is how long a file of the whole outage takes at 32 samples a
// message, with time to connect and for the last receipts.
func (w *week) longestDrain() time.Duration {
	const pause = time.Duration(FilePause) * time.Millisecond
	return w.dead/fileInterval*pause/32 + 3*time.Minute
}

// pass lets time pass.
func (w *week) pass(d time.Duration) { w.agenda.Run(w.agenda.Now() + d) }

// orderLeases switches on what hangs on the hub's life, as it is alive.
func (w *week) orderLeases() {
	for _, p := range w.plugs {
		if p.role == leased {
			w.center.switchOn(p, 10*time.Minute)
		}
	}
}

// rest takes all loads away, so that the registers stand still.
func (w *week) rest() {
	for _, p := range w.plugs {
		p.resting = true
		p.Draw(load(0))
	}
}

// fail reports what must not happen.
func (w *week) fail(p *plug, format string, args ...any) {
	w.t.Helper()
	w.t.Errorf("-week.seed=%d, after %v: %s: %s", w.seed, w.agenda.Now(), p.ID, fmt.Sprintf(format, args...))
}

// must ends the week if something cannot fail and does.
func (w *week) must(err error) {
	if err != nil {
		w.t.Helper()
		w.t.Fatalf("-week.seed=%d, after %v: %v", w.seed, w.agenda.Now(), err)
	}
}
