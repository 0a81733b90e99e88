package weights

import (
	"math"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/hf"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
)

func TestBearsInt8(t *testing.T) {
	for name, want := range map[string]bool{
		"transformer_blocks.0.attn.to_q.weight":                                true,
		"single_transformer_blocks.12.proj_mlp.weight":                         true,
		"transformer_blocks.0.norm1.linear.weight":                             false,
		"x_embedder.weight":                                                    false,
		"proj_out.weight":                                                      false,
		"layers.3.adaLN_modulation.0.weight":                                   false,
		"down_blocks.0.attentions.1.transformer_blocks.0.ff.net.0.proj.weight": true,
		"down_blocks.0.resnets.0.time_emb_proj.weight":                         false,
		"model.layers.27.mlp.down_proj.weight":                                 true,
		"visual.blocks.3.attn.qkv.weight":                                      true,
		"visual.merger.mlp.0.weight":                                           false,
		"visual.patch_embed.proj.weight":                                       false,
		"lm_head.weight":                                                       false,
		"encoder.block.0.layer.0.SelfAttention.q.weight":                       true,
		"vision_tower.vision_model.encoder.layers.0.self_attn.out_proj.weight": true,
		"multi_modal_projector.linear_1.weight":                                false,
	} {
		assert.Equal(t, want, bearsInt8(name), name)
	}
}

// TestInt8: every number comes back within half of its row's scale.
func TestInt8(t *testing.T) {
	values := []float32{0.1, -0.5, 0.25, 0, 0, 0, 3e38, -1e38, 1, 1e-42, -1e-42, 0}
	whole, scale := Int8(values, 4)
	require.Equal(t, []int8{25, -127, 64, 0, 0, 0}, whole[:6])
	for i, x := range values {
		s := float64(scale[i/3])
		assert.InDelta(t, float64(x), float64(whole[i])*s, 0.5001*s+1e-44, i)
	}
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	_, scale = Int8([]float32{1, inf, 1, nan, -inf, 0}, 3)
	assert.Equal(t, inf, scale[0])
	assert.True(t, math.IsNaN(float64(scale[1])))
	assert.Equal(t, inf, scale[2])
}

func TestLoadInt8(t *testing.T) {
	files := checkpoint(t,
		safetensors.FromFloat32s("blocks.0.to_q.weight", []float32{127, -1, 0.5, 0.25}, 2, 2),
		safetensors.FromFloat32s("proj_out.weight", []float32{0.1, 0.2}, 1, 2))
	read := func(int8 bool) (block, last Matrix) {
		store := model.NewStore()
		require.NoError(t, Load(hf.Folder{FS: files, Reading: hf.Reading{Int8: int8}}, "m", store, "/g", nil, func(c Cursor) {
			block = c.In("blocks", 0, "to_q").Matrix("weight", 2, 2)
			require.Equal(t, block, c.In("blocks", 0, "to_q").Matrix("weight", 2, 2), "again")
			last = c.In("proj_out").Matrix("weight", 1, 2)
		}))
		return block, last
	}
	block, last := read(true)
	require.Equal(t, [][]int8{{127, -1}, {127, 64}}, block.Values.MustValue().Value())
	require.Equal(t, []float32{1, 0.5 / 127}, block.Scale.MustValue().Value())
	require.False(t, block.Values.Trainable || block.Scale.Trainable)
	require.Equal(t, dtypes.Float32, last.Values.DType())
	require.Nil(t, last.Scale)
	block, _ = read(false)
	require.Equal(t, []float32{127, -1, 0.5, 0.25}, tensors.MustCopyFlatData[float32](block.Values.MustValue()))
	require.Nil(t, block.Scale)

	bad := checkpoint(t, safetensors.FromFloat32s("blocks.0.to_q.weight", []float32{1, float32(math.NaN())}, 1, 2))
	err := Load(hf.Folder{FS: bad, Reading: hf.Reading{Int8: true}}, "m", model.NewStore(), "/g", nil, func(c Cursor) {
		c.Matrix("blocks.0.to_q.weight", 1, 2)
		c.Matrix("blocks.0.to_k.weight", 1, 2)
		c.Matrix("blocks.0.to_q.weight", 2, 1)
	})
	require.ErrorIs(t, err, ErrNotFinite)
	require.ErrorIs(t, err, ErrMissing)
	require.ErrorIs(t, err, ErrShape)
}
