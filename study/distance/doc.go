// Package distance measures how far two sets of pictures are from each other, between
// the vectors that a vision tower makes of them: CMMD (Jayasumana et al. 2024) and the
// Fréchet distance, which between the features of Inception is known as FID (Heusel et
// al. 2017).
//
//	real, err := distance.Collect(ctx, tower, study.Folder("coco").All)
//	made, err := distance.Collect(ctx, tower, study.Folder("out/pictures").All)
//	cmmd, err := distance.CMMD(real, made)
//
// The formulas are those of the published implementations, in float64: on given
// features the numbers are theirs but for rounding. What features a number comes from
// decides what it means, and numbers of different features are not to be compared.
// Published values of CMMD come from clip-vit-large-patch14-336, which verifier/clip
// reads; published values of FID from an Inception that this library does not have.
// The features of verifier/pocket are for the pictures of the pocket world.
//
// Both distances are biased upwards in small sets, the Fréchet distance badly: between
// two halves of one set it is not zero before there are many times as many pictures as
// a vector has numbers. Compare sets of equal size.
package distance
