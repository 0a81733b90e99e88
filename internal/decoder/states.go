package decoder

import (
	"slices"
	"strconv"
	"strings"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/support/exceptions"

	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// NewFirst reads no more than the embeddings and the first layers: what States
// takes to encode texts. Leftover accepts the rest of the checkpoint.
func NewFirst(c weights.Cursor, cfg Config, layers int) *Decoder {
	if layers < 1 || layers > cfg.Layers {
		exceptions.Panicf("decoder: the first %d layers of %d", layers, cfg.Layers)
	}
	cfg.Layers, cfg.Windows, cfg.Rotary = layers, cfg.Windows[:layers], cfg.Rotary[:layers]
	if cfg.Recurrent != nil {
		cfg.Recurrent = cfg.Recurrent[:layers]
	}
	return newLayers(c, cfg)
}

// Leftover accepts what checkpoints carry behind the first layers: further layers,
// the last norm and the head.
func Leftover(layers int) func(name string) bool {
	return func(name string) bool {
		name = strings.TrimPrefix(name, "model.")
		if rest, ok := strings.CutPrefix(name, "layers."); ok {
			number, _, _ := strings.Cut(rest, ".")
			i, err := strconv.Atoi(number)
			return err == nil && i >= layers
		}
		return name == "norm.weight" || name == "lm_head.weight"
	}
}

// States runs the span and returns its hidden states [B, S, Hidden] behind the first
// so many layers, for each of the numbers given: 0 for the embeddings. They are the
// hidden_states of transformers, but that the norm, which is applied to the last of
// those there, is not applied here: see Apply. What stands at padding depends on the
// real tokens before it and on nothing else.
func (m *Decoder) States(f nn.Pass, in Span, layers ...int) []*Node {
	for _, n := range layers {
		if n < 0 || n > len(m.layers) {
			exceptions.Panicf("decoder: the states behind %d layers of %d", n, len(m.layers))
		}
	}
	all, _ := m.run(f, in, nil, slices.Max(layers))
	chosen := make([]*Node, len(layers))
	for i, n := range layers {
		chosen[i] = all[n]
	}
	return chosen
}
