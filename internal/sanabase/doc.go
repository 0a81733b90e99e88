// Package sanabase is what Sana and SANA-Sprint have in common: the transformer with
// linear attention over the latents of an autoencoder that compresses 32-fold (Xie et
// al., 2024), its configuration, and prompts as Gemma reads them. A generator adds its
// scheduler, and what guidance is to it.
//
// Axis letters are those of package nn.
package sanabase
