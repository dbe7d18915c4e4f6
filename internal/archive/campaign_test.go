package archive_test

import (
	"flag"
	"testing"
)

var (
	cuts = flag.Int("archive.cuts", 2000, "how many power cuts the campaign simulates, on each kind of disk")
	seed = flag.Uint64("archive.seed", 0, "repeat only the run with this seed; 0 is all")
)

const cutsPerRun = 20

// TestCampaign cuts the power at random moments of random work. Every run of 20
// cuts has a seed of its own, which a failure names.
func TestCampaign(t *testing.T) {
	for _, c := range []struct {
		name string
		lies float64
	}{
		{"honest disk", 0},
		{"disk that lies about a third of its syncs", 0.33},
		{"disk that only lies", 1},
	} {
		t.Run(c.name, func(t *testing.T) { campaign(t, c.lies) })
	}
}

func campaign(t *testing.T, lies float64) {
	first, last := uint64(1), uint64(*cuts/cutsPerRun)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	var total tally
	for s := first; s <= last; s++ {
		m := newModel(s, lies)
		for range cutsPerRun {
			if err := m.life(t.Context()); err != nil {
				t.Fatalf("life %d: %v\nrepeat it with -run '%s' -archive.seed=%d", m.lives, err, t.Name(), s)
			}
		}
		total.add(m.tally)
	}
	t.Logf("%d power cuts and restarts: %+v", total.lives, total)
	if *seed == 0 && (total.torn == 0 || total.failedSyncs == 0 || total.halfRewritten == 0 || total.delivered == 0) {
		t.Error("the campaign met too little: it tests nothing")
	}
}

// tally counts what a campaign met.
type tally struct {
	lives, delivered, torn, damaged, gone   int
	failedSyncs, rewritten, halfRewritten   int
	removed, manyParts, unacknowledgedFound int
}

func (t *tally) add(o tally) {
	t.lives += o.lives
	t.delivered += o.delivered
	t.torn += o.torn
	t.damaged += o.damaged
	t.gone += o.gone
	t.failedSyncs += o.failedSyncs
	t.rewritten += o.rewritten
	t.halfRewritten += o.halfRewritten
	t.removed += o.removed
	t.manyParts += o.manyParts
	t.unacknowledgedFound += o.unacknowledgedFound
}
