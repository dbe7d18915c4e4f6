package store

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	cuts = flag.Int("store.cuts", 2000, "how many power cuts the campaign simulates, three quarters of them on an honest disk")
	from = flag.Uint64("store.from", 1, "the seed of the first run of 20 cuts, of which each has the next one; 0 draws it")
	seed = flag.Uint64("store.seed", 0, "repeat only the run with this seed; 0 is all")
)

const (
	cutsPerRun  = 20
	manyCuts    = 200 // so many cuts meet everything there is to meet
	manyFailing = 5   // so many failures are enough to read
)

// TestCampaign cuts the power at random moments of random work, does things to
// the database meanwhile, and compares what is found with a model. Every run of
// 20 cuts has a seed of its own, which a failure names and which repeats it.
func TestCampaign(t *testing.T) {
	cuts := *cuts
	if testing.Short() { // the race detector makes each cost ten times as much
		cuts = min(cuts, 160)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // much garbage, little memory
	t.Run("honest disk", func(t *testing.T) { campaign(t, 0, cuts*3/4) })
	t.Run("disk that lies about a third of its syncs", func(t *testing.T) { campaign(t, 0.33, cuts/8) })
	t.Run("disk that only lies", func(t *testing.T) { campaign(t, 1, cuts/8) })
}

// campaign runs its seeds on all processors; each of them is alone in its run.
func campaign(t *testing.T, lies float64, cuts int) {
	var mu sync.Mutex
	var total tally
	failed := 0
	seeds := seedsOf(cuts)
	next := make(chan uint64, len(seeds))
	for _, s := range seeds {
		next <- s
	}
	close(next)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for s := range next {
				met, err := run(t, s, lies)
				mu.Lock()
				total.add(met)
				if err != nil && failed < manyFailing {
					failed++
					t.Errorf("%v\nrepeat it with -run '%s' -store.seed=%d", err, t.Name(), s)
				}
				enough := failed == manyFailing
				mu.Unlock()
				if enough {
					return
				}
			}
		})
	}
	workers.Wait()
	t.Logf("seeds %d to %d, %d power cuts and restarts: %+v", seeds[0], seeds[len(seeds)-1], total.lives, total)
	if failed == 0 && total.lives >= manyCuts && (total.compared == 0 || total.failedSyncs == 0 || total.sealed == 0 || total.erased == 0 || total.rebuilt == 0) {
		t.Error("the campaign met too little: it tests nothing")
	}
}

// seedsOf returns the seeds of the runs that so many cuts take. They are the same
// ones every time, unless somebody asks for others.
func seedsOf(cuts int) (seeds []uint64) {
	if *seed != 0 {
		return []uint64{*seed}
	}
	first := *from
	if first == 0 {
		first = uint64(rand.Uint32())
	}
	for n := range uint64((cuts + cutsPerRun - 1) / cutsPerRun) {
		seeds = append(seeds, first+n)
	}
	return seeds
}

// run is 20 lives, and a look at what has become of the database.
func run(t *testing.T, seed uint64, lies float64) (tally, error) {
	dir, err := os.MkdirTemp("", "smartmeter-store") // not the test's, which lives for longer
	if err != nil {
		return tally{}, err
	}
	defer os.RemoveAll(dir)
	m := newHouse(seed, lies, dir)
	for range cutsPerRun {
		if err := m.life(t.Context()); err != nil {
			return m.tally, fmt.Errorf("life %d: %w", m.lives, err)
		}
	}
	return m.tally, m.rebuild(t.Context())
}

// A seed that a failure names repeats it: all chance comes from the seed, and
// nothing that the store writes depends on the order of a map.
func TestCampaignRepeats(t *testing.T) {
	run := func() string {
		m := newHouse(4, 0.33, t.TempDir())
		var told []string
		for range cutsPerRun {
			m.trace = nil
			if err := m.life(t.Context()); err != nil {
				t.Fatal(err)
			}
			told = append(told, m.trace...)
		}
		return strings.Join(append(told, fmt.Sprintf("%+v", m.tally)), "\n")
	}
	if d := cmp.Diff(run(), run()); d != "" {
		t.Errorf("the same seed came to something else (-first +second):\n%s", d)
	}
}

// A watermark over lost samples alone does not say that the erasure before them
// is durable: a power cut may bring back what a disk has refused to erase.
func TestLostSamplesDoNotEndAnErasure(t *testing.T) {
	m := newHouse(1, 0, t.TempDir())
	ok(t, m.open(t.Context()))
	n := m.nodes[0]
	ok(t, m.measure(n))
	ok(t, m.try("sync", m.s.Sync(t.Context())))
	m.vices.ReadOnly = true
	m.disk.SetFaults(m.vices)
	ok(t, m.eraseDevice(t.Context(), n))
	m.s.Lost(n.id, 0, n.boot, 3)
	m.takeWatermarks()
	m.disk = m.disk.Crash()
	_ = m.s.closeFiles() // of the disk that is gone
	m.vices.ReadOnly = false
	m.disk.SetFaults(m.vices)
	ok(t, m.open(t.Context()))
	if len(n.present().given) == 0 {
		t.Error("nothing is back: this tests nothing")
	}
	ok(t, m.s.closeFiles())
}

// tally counts what a campaign met.
type tally struct {
	lives, compared, readings          int
	failedSyncs, failedOpens, restarts int
	sealed, packed, erased, halfErased int
	rebuilt, damaged, lost             int
}

func (t *tally) add(o tally) {
	t.lives += o.lives
	t.compared += o.compared
	t.readings += o.readings
	t.failedSyncs += o.failedSyncs
	t.failedOpens += o.failedOpens
	t.restarts += o.restarts
	t.sealed += o.sealed
	t.packed += o.packed
	t.erased += o.erased
	t.halfErased += o.halfErased
	t.rebuilt += o.rebuilt
	t.damaged += o.damaged
	t.lost += o.lost
}
