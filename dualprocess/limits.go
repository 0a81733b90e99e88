package dualprocess

import (
	"fmt"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// Limits of what a caller may ask for; where they are exceeded, it is by mistake.
const (
	mostRank       = 1 << 14 // of an adapter
	mostBatch      = 1 << 16
	mostAccumulate = 1 << 20
	mostSeeds      = 1 << 24 // drawn for a task
)

// checkRoom returns an error that names the field unless so many bytes, the least that
// it takes, may be asked for. It goes before the plan of all that it takes, whose graph
// must be built: see checkMemory.
func checkRoom(field string, rt *backends.Runtime, bytes float64, what string) error {
	room := float64(rt.Room())
	if bytes <= room || rt.Sketched() { // a plan is for telling by how much
		return nil
	}
	return invalid(field, "%s take %s; about %s are free", what, gibibytes(bytes), gibibytes(room))
}

func gibibytes(bytes float64) string { return fmt.Sprintf("%.3g GiB", bytes/(1<<30)) }

// checkBatch returns an error unless there is memory for so many pictures at once
// and their latents, and nothing else.
func (p *plan) checkBatch(field string, rt *backends.Runtime, batch int) error {
	each := float64(p.latents.ByteSize()) + pictureBytes(p.height, p.width)
	return checkRoom(field, rt, float64(batch)*each, fmt.Sprintf("%d pictures at once", batch))
}

// pictureBytes is the size of a picture in a graph.
func pictureBytes(height, width int) float64 { return 4 * 3 * float64(height) * float64(width) }

// checkRank returns an error unless there is memory for an adapter of the layers
// that cfg names and both its moments.
func checkRank(cfg lora.Config, layers []lora.Layer, rt *backends.Runtime) error {
	const float, copies = 4, 3 // bytes; numbers and both moments
	rank := cfg.Rank
	setDefault(&rank, lora.DefaultRank)
	cfg.Rank = 1
	smallest, err := lora.New(cfg, layers)
	if err != nil {
		return invalidBecause("Adapter", err)
	}
	numbers := float64(smallest.Size())
	return checkRoom("Adapter.Rank", rt, float*copies*numbers*float64(rank), fmt.Sprintf("adapter and moments of rank %d", rank))
}
