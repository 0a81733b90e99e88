package pipeline

import (
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/lora"
)

func TestGuided(t *testing.T) {
	rt := golden.Runtime(t)
	got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
		return golden.Outputs{"guided": Guided(3, nil, in[0], []*Node{in[2], in[1]}, func(_ *lora.Delta, latents *Node, cond []*Node) *Node {
			require.Equal(t, []int{4, 1}, latents.Shape().Dimensions)
			return Mul(latents, cond[0])
		})}
	}, tensors.FromValue([][]float32{{1}, {2}}), tensors.FromValue([][]float32{{5}, {6}}), tensors.FromValue([][]float32{{7}, {9}}))
	require.Equal(t, []float32{5 + 3*(7-5), 2 * (6 + 3*(9-6))}, got.Floats(t, "guided"))
	require.True(t, Guides(1.5))
	require.False(t, Guides(1))
}
