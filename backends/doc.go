// Package backends opens what the numbers are computed on: XLA on an NVIDIA card, XLA on the CPU, or GoMLX's pure Go
// backend, which needs nothing but Go.
package backends
