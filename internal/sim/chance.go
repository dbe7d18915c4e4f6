package sim

import (
	"hash/fnv"
	"math/rand/v2"
	"strconv"
)

// What is left to chance is a pure function of the seed and the time, so that
// any moment can be computed without those before it, and twice alike. What
// people do in a day is drawn from a source of random numbers made for that
// day; what changes from second to second is hashed.

// keyOf returns the key of all chances of one thing.
func keyOf(seed uint64, name string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(name))
	return mix(seed ^ h.Sum64())
}

// randomOn returns a source of chance for one thing on one day.
func randomOn(key uint64, date date) *rand.Rand {
	return rand.New(rand.NewPCG(key, uint64(date.number())))
}

// mix is the finalizer of SplitMix64 (Steele, Lea and Flood, "Fast Splittable
// Pseudorandom Number Generators", 2014): it makes one number of another that
// has nothing to do with it.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// at returns the chance that belongs to key at number n of a sequence.
func at(key uint64, n int64) uint64 { return mix(key ^ uint64(n)*0x9e3779b97f4a7c15) }

// within maps a chance to -size .. size.
func within(chance uint64, size int64) int64 {
	return int64((chance>>32)*uint64(2*size+1)>>32) - size
}

// wander returns a value that strays within -size .. size without jumps: it
// is drawn every period seconds, and on a straight line in between.
func wander(key uint64, unix, period, size int64) int64 {
	n, past := unix/period, unix%period
	from, to := within(at(key+uint64(period), n), size), within(at(key+uint64(period), n+1), size)
	return from + (to-from)*past/period
}

// ordinal names the n-th of several things of the same name, counted from 0.
func ordinal(name, before string, n int) string {
	if n == 0 {
		return name
	}
	return name + before + strconv.Itoa(n+1)
}
