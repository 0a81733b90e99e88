// Package pocket has no code of its own. Below it is what the two embedded models
// (generator/pocket and verifier/pocket) are made of and trained by. Each package
// knows only those above it:
//
//	world      draws scenes, their captions and their marks
//	teaching   asks questions about scenes, and knows the answers
//	measuring  reads the attributes of scenes off any picture
//	diffusion  is the network of generator/pocket
//	vqa        is the network of verifier/pocket
//	training   trains the models on all of these
//	train      is its command
package pocket
