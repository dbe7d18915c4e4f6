package store

import (
	"flag"
	"os"
	"testing"
)

var (
	cuts = flag.Int("store.cuts", 2000, "how many power cuts the campaign simulates, three quarters of them on an honest disk")
	seed = flag.Uint64("store.seed", 0, "repeat only the run with this seed; 0 is all")
)

const (
	cutsPerRun = 20
	manyCuts   = 200 // so many cuts meet everything there is to meet
)

// TestCampaign cuts the power at random moments of random work, does things to
// the database meanwhile, and compares what is found with a model. Every run of
// 20 cuts has a seed of its own, which a failure names.
func TestCampaign(t *testing.T) {
	cuts := *cuts
	if testing.Short() { // the race detector makes each cost ten times as much
		cuts = min(cuts, 160)
	}
	t.Run("honest disk", func(t *testing.T) { campaign(t, 0, cuts*3/4) })
	t.Run("disk that lies about a third of its syncs", func(t *testing.T) { campaign(t, 0.33, cuts/8) })
	t.Run("disk that only lies", func(t *testing.T) { campaign(t, 1, cuts/8) })
}

func campaign(t *testing.T, lies float64, cuts int) {
	first, last := uint64(1), uint64(max(cuts/cutsPerRun, 1))
	if *seed != 0 {
		first, last = *seed, *seed
	}
	var total tally
	for s := first; s <= last; s++ {
		m := newHouse(s, lies, databaseDir(t))
		for range cutsPerRun {
			if err := m.life(t.Context()); err != nil {
				t.Fatalf("life %d: %v\nrepeat it with -run '%s' -store.seed=%d", m.lives, err, t.Name(), s)
			}
		}
		if err := m.rebuild(t.Context()); err != nil {
			t.Fatalf("%v\nrepeat it with -run '%s' -store.seed=%d", err, t.Name(), s)
		}
		total.add(m.tally)
	}
	t.Logf("%d power cuts and restarts: %+v", total.lives, total)
	if total.lives >= manyCuts && (total.compared == 0 || total.failedSyncs == 0 || total.sealed == 0 || total.erased == 0 || total.rebuilt == 0) {
		t.Error("the campaign met too little: it tests nothing")
	}
}

// databaseDir returns a directory for the database, in memory where the system
// has such a place: what is tested is what it holds, not how it got there.
func databaseDir(t *testing.T) string {
	t.Helper()
	const shm = "/dev/shm"
	if info, err := os.Stat(shm); err != nil || !info.IsDir() {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "smartmeter-store")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
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
