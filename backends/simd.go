//go:build goexperiment.simd

package backends

// vectors tells of the pure Go backend's instructions, for people.
const vectors = "built with SIMD instructions"
