package nn

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
)

// SineWaves maps times [B] (float32, 0 to about 1000) to [B, count]: cosines, then
// sines, of wavelengths from 2π to 20000π; diffusers' get_timestep_embedding with
// flip_sin_to_cos and no downscale_freq_shift. count is even. Angles are computed
// in float32 from frequencies rounded to float32, as the models were trained with:
// at a time of 1000 the rounding moves the phase by 6e-5.
func SineWaves(time *Node, count int, dtype dtypes.DType) *Node {
	half := count / 2
	frequencies := make([]float32, half)
	for k := range frequencies {
		exponent := float32(-math.Log(10000)) * float32(k) / float32(half)
		frequencies[k] = float32(math.Exp(float64(exponent)))
	}
	angles := Mul(InsertAxes(time, -1), InsertAxes(Const(time.Graph(), frequencies), 0))
	return ConvertDType(Concatenate([]*Node{Cos(angles), Sin(angles)}, -1), dtype)
}
