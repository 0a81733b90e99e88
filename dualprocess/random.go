package dualprocess

import (
	"hash/fnv"
	"math/rand/v2"
)

// stream returns the random numbers that a seed gives for one purpose. Every
// purpose has a stream of its own, so that switching a guard on does not shift
// what the others draw.
func stream(seed int64, purpose string) *rand.Rand {
	key := fnv.New64a()
	key.Write([]byte(purpose)) // a hash never fails
	return rand.New(rand.NewPCG(uint64(seed), key.Sum64()))
}

// newSeed draws the seed of one picture. 32 bits are enough, and can be typed.
func newSeed(random *rand.Rand) int64 { return int64(random.Uint32()) }
