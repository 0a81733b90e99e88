// Package training trains the two small models that the library carries in itself,
// on scenes drawn by package world:
//
//	go run ./internal/pocket/train
//
// The stages follow each other: an autoencoder whose latents forgive noise; its
// decoder alone, for sharper pictures; a rectified-flow generator on the latents;
// and a vision-language model that is shown drawn pictures first, then decoded and
// ruined ones, and at last what the generator makes. Every batch follows from the
// plan's seed and the number of the step, and the state is saved every two minutes,
// so that a training may be stopped and goes on as if it had not been.
//
// What was learned on the way stands where the code has to know it: the read-out
// that is taught attributes (factsOf), damage by degrees (damage), several
// questions a picture (questionsPerPicture).
package training
