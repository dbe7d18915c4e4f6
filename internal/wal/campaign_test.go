package wal_test

import (
	"flag"
	"testing"
)

var (
	cuts = flag.Int("wal.cuts", 2000, "how many power cuts the campaign simulates, on each kind of disk")
	seed = flag.Uint64("wal.seed", 0, "repeat only the run with this seed; 0 is all")
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
		t.Run(c.name, func(t *testing.T) {
			campaign(t, c.lies)
		})
	}
}

func campaign(t *testing.T, lies float64) {
	first, last := uint64(1), uint64(*cuts/cutsPerRun)
	if *seed != 0 {
		first, last = *seed, *seed
	}
	var total model
	for s := first; s <= last; s++ {
		m := newModel(s, lies)
		for range cutsPerRun {
			if err := m.life(); err != nil {
				t.Fatalf("life %d: %v\nrepeat it with -run '%s' -wal.seed=%d", m.lives, err, t.Name(), s)
			}
		}
		total.lives += m.lives
		total.torn += m.torn
		total.damage += m.damage
		total.failedSyncs += m.failedSyncs
		total.full += m.full
	}
	t.Logf("%d power cuts and restarts: %d torn batches, %d damages reported, %d syncs failed, %d appends refused",
		total.lives, total.torn, total.damage, total.failedSyncs, total.full)
	if *seed == 0 && (total.torn == 0 || total.failedSyncs == 0) {
		t.Error("the campaign met no torn batch or no failed sync: it tests nothing")
	}
}
