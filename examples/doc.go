// Package examples holds one runnable program per kind of control. All of them
// distil for real; the first seven into the generator that the library carries in
// itself, in about a minute and without a download:
//
//   - horizon: the horizon lies on a red line. Begin here.
//   - lineweight: drawings with thick lines, or thin ones.
//   - depth: which of two objects is closer.
//   - palette: pictures in the colours of a palette, and still the same pictures.
//   - composition: horizon, tree and field where a sketch says.
//   - commonsense: winter lakes are frozen and trees bare, lamps and windows at night lit;
//     summer and day stay.
//   - latents: the same gradient spent on latents instead of weights.
//   - custom: a generator, a verifier and an overlay of your own, in one file.
//   - mine: pictures that the verifier is wrong about, found by reward hacking, as a data
//     set for training it further.
//
// serve is another kind of program: a service over HTTP that trains what clients ask
// for, shows pictures on the way, and makes pictures with every adapter.
//   - checkpoints: a generator and a verifier from folders of yours.
//   - studies: the experiments of the paper's tables, on the embedded models or on
//     folders; see package study.
//
// Each of the others ends with a table of before and after on prompts and seeds that it never
// saw, measured on the pictures without the verifier, and says when it suspects
// reward hacking. Pictures, adapter and numbers go to out/<example>; -help lists
// the flags, most of which all examples share.
package examples
