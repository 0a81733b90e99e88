//go:build !goexperiment.simd

package backends

// vectors tells of the pure Go backend's instructions, for people.
const vectors = "built without SIMD instructions, which GOEXPERIMENT=simd go build would use"
