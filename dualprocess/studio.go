package dualprocess

import (
	"context"
	"fmt"

	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/lora"
)

// studio is a painter with the prompts and the adapter of one call.
type studio struct {
	*painter
	adapter    *loaded
	conditions *conditions
}

func newStudio(rt *backends.Runtime, g Generator, a *lora.Adapter, batch int) *studio {
	return &studio{painter: newPainter(rt, g, batch), adapter: load(a), conditions: &conditions{}}
}

// prepare encodes the prompts and frees the encoders.
func (s *studio) prepare(ctx context.Context, prompts ...string) error {
	var err error
	if s.conditions, err = encode(ctx, s.generator, prompts); err != nil {
		return err
	}
	if err := s.accept(s.conditions.prompts[0]); err != nil {
		return err
	}
	if err := s.fits(s.adapter.get()); err != nil {
		return err
	}
	return freeEncoders(s.generator)
}

// pictures makes a batch of pictures of prompts by their numbers, float32 [batch,
// height, width, 3], which stay on the device.
func (s *studio) pictures(ctx context.Context, weight float64, seeds []int64, rows []int32) (*tensors.Tensor, error) {
	works := make([]work, len(seeds))
	for k, seed := range seeds {
		works[k] = work{conditions: s.conditions.prompts[rows[k]], adapter: s.adapter, weight: weight, seed: seed}
	}
	return s.paint(ctx, works...)
}

// fromLatents makes a batch of pictures of the base model, of the first prompt and of
// latents of step 0, [batch, ...], which it leaves alone.
func (s *studio) fromLatents(ctx context.Context, latents *tensors.Tensor) (*tensors.Tensor, error) {
	flat, err := tensors.CopyFlatData[float32](latents)
	if err != nil {
		return nil, fmt.Errorf("read latents: %w", err)
	}
	works := make([]work, latents.Shape().Dimensions[0])
	for k, row := range rowsOf(flat, len(works)) {
		works[k] = work{conditions: s.conditions.prompts[0], latents: row}
	}
	return s.paint(ctx, works...)
}

// rowsOf cuts numbers [n, ...] into those of each row.
func rowsOf(flat []float32, n int) [][]float32 {
	rows, size := make([][]float32, n), len(flat)/n
	for k := range rows {
		rows[k] = flat[k*size : (k+1)*size]
	}
	return rows
}

// close frees what is on the device.
func (s *studio) close() {
	s.adapter.release()
	s.conditions.release()
	s.painter.close()
}
