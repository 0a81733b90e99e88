package training

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// initial is a weights.Source of trainable variables with random values. The
// values follow from the seed and the name alone, so that adding a layer leaves
// the others as they were.
type initial struct {
	store *model.Store
	root  string // store path that separates this model's parameters from another's
	seed  uint64
	names []string // in the order of asking
	vars  []*model.Variable
}

// Variable implements weights.Source.
func (s *initial) Variable(name string, dims ...int) (*model.Variable, error) {
	value := tensors.FromFlatDataAndDimensions(s.draw(name, dims), dims...)
	v, err := s.store.CreateVariable(s.root+"/"+name, value)
	if err != nil {
		return nil, fmt.Errorf("training: create %s: %w", name, err)
	}
	s.names, s.vars = append(s.names, name), append(s.vars, v)
	return v, nil
}

// below is the part of the source whose names begin with prefix.
func (s *initial) below(prefix string) *initial {
	part := &initial{store: s.store, root: s.root, seed: s.seed}
	for i, name := range s.names {
		if strings.HasPrefix(name, prefix) {
			part.names, part.vars = append(part.names, name), append(part.vars, s.vars[i])
		}
	}
	return part
}

// draw returns the first value of a parameter, by the role that its name tells.
func (s *initial) draw(name string, dims []int) []float32 {
	size := 1
	for _, d := range dims {
		size *= d
	}
	values := make([]float32, size)
	h := fnv.New64a()
	h.Write([]byte(name))
	rng := rand.New(rand.NewPCG(s.seed, h.Sum64()))
	std, constant := initialScale(name, dims)
	for i := range values {
		values[i] = float32(constant + std*rng.NormFloat64())
	}
	if strings.Contains(name, "blocks.") && strings.HasSuffix(name, "scale_shift_table") {
		const gate = 0.4 // rows 2 and 5: a block that is half open learns faster than one that is shut
		for _, row := range []int{2, 5} {
			for j := range dims[1] {
				values[row*dims[1]+j] = gate
			}
		}
	}
	return values
}

// initialScale returns the standard deviation and the mean of a parameter's first values.
func initialScale(name string, dims []int) (std, constant float64) {
	fanIn := 1
	for _, d := range dims[1:] {
		fanIn *= d
	}
	switch {
	case strings.HasSuffix(name, "scale_shift_table"), strings.HasSuffix(name, "bias"):
		return 0, 0
	case strings.HasSuffix(name, "words.weight"), strings.HasSuffix(name, "embed_tokens.weight"):
		return 0.5, 0
	case strings.Contains(name, "pos_embed"):
		return 0.1, 0
	case len(dims) == 1: // the gain of a norm
		return 0, 1
	case strings.HasPrefix(name, "proj_out"), strings.HasPrefix(name, "adaln_single"):
		return 0.1 / math.Sqrt(float64(fanIn)), 0
	case strings.HasSuffix(name, "conv2.weight"): // the second half of a residual
		return 0.5 / math.Sqrt(float64(fanIn)), 0
	case len(dims) == 4:
		return 1.2 / math.Sqrt(float64(fanIn)), 0
	default:
		return 0.8 / math.Sqrt(float64(fanIn)), 0
	}
}
