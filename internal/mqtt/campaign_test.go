package mqtt

import (
	"flag"
	"math/rand/v2"
	"testing"
)

var (
	seedFlag      = flag.Uint64("mqtt.seed", 0, "seed of the random campaigns, to replay one (0: a new one)")
	mutationsFlag = flag.Int("mqtt.mutations", 50_000, "mutated packets sent to a live broker")
)

// seeded returns a random generator and says how to get the same again.
func seeded(t testing.TB) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("replay with -mqtt.seed=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}
