// Package text holds the text encoders of image generators, T5, CLIP, Gemma 2
// and Qwen3, and the cutting and padding of prompts that goes with them.
//
// Layers have the names of transformers' modules. Axis letters are those of package
// nn.
package text
