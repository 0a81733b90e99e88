// Package show is what the examples have in common and what is not about
// distillation: flags, a progress bar, tables, contact sheets and files. An
// example makes a [Run], a [Control] for everything it distils, and hands the
// ratings of pictures before and after to the control's Report.
//
// A run writes into one folder, out/<example> unless -out says otherwise: for
// every control an adapter (.safetensors) and a contact sheet (.png), and one
// file of all numbers (<example>.json).
package show
