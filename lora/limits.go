package lora

import (
	"fmt"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

// Limits of an adapter. They are far above what is of use, and keep a slip of the
// pen or a hostile file from taking all memory.
const (
	MaxRank  = 1 << 16
	MaxBytes = 1 << 34 // of A and B in float32, 16 GiB
)

// bytes is the size of a layer's A and B. It is a float64 because an int may be
// too small for it.
func (l Layer) bytes(rank int) float64 {
	fanIn := float64(l.In)
	if l.IsConv() {
		fanIn *= float64(l.Kernel[0]) * float64(l.Kernel[1])
	}
	return 4 * float64(rank) * (fanIn + float64(l.Out))
}

// checkBytes returns an error if adapters of one rank for all layers would be too
// large.
func checkBytes(rank int, layers []Layer) error {
	total := 0.0
	for _, l := range layers {
		total += l.bytes(rank)
	}
	return within(total, ErrConfig, fmt.Sprintf("Rank %d", rank))
}

// checkTensors returns an error for a file that holds more than an adapter may.
func checkTensors(infos []safetensors.Info) error {
	total := 0.0
	for _, info := range infos {
		size := 4.0
		for _, d := range info.Shape {
			size *= float64(d)
		}
		total += size
	}
	return within(total, ErrFormat, "the file")
}

// within returns an error that wraps a sentinel and names the cause of so many
// bytes if they are too many.
func within(bytes float64, sentinel error, cause string) error {
	if bytes > MaxBytes {
		return fmt.Errorf("%w: %s makes an adapter of %.3g GiB; the limit is %d GiB", sentinel, cause, bytes/(1<<30), MaxBytes>>30)
	}
	return nil
}
