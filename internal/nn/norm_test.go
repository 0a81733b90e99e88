package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

func TestNorms(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		x := random(rng, 4, 6)
		rms := NewRMSNorm(c.In("rms"), 6, 1e-6, NoBias)
		require.NoError(t, c.Err())
		out := run(t, rt, func(in []*Node) []*Node { return []*Node{Normalize(in[0], 1e-6), rms.Apply(Pass{}, in[0])} }, x)
		gain := flat(rms.Weight.MustValue())
		for row := range 4 {
			values := flat(x)[row*6 : row*6+6]
			var mean, square float64
			for _, v := range values {
				mean += float64(v) / 6
				square += float64(v) * float64(v) / 6
			}
			for i, v := range values {
				assert.InDelta(t, (float64(v)-mean)/math.Sqrt(square-mean*mean), flat(out[0])[row*6+i], 1e-4)
				assert.InDelta(t, float64(v)/math.Sqrt(square)*float64(gain[i]), flat(out[1])[row*6+i], 1e-4)
			}
		}
	})
}

func TestOffsetRMSNorm(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		n, x := NewOffsetRMSNorm(c.In("norm"), 4, 1e-6), random(rng, 2, 4)
		require.NoError(t, c.Err())
		got := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{n.Apply(Pass{}, in[0])} }, x)[0])
		gain := flat(n.Weight.MustValue())
		for i, v := range flat(x) {
			row, square := flat(x)[i/4*4:i/4*4+4], 0.
			for _, w := range row {
				square += float64(w) * float64(w) / 4
			}
			assert.InDelta(t, float64(v)/math.Sqrt(square)*(1+float64(gain[i%4])), got[i], 1e-5)
		}
	})
}

func TestGroupNorm(t *testing.T) {
	onEach(t, func(t *testing.T, rt *backends.Runtime, c weights.Cursor, rng *rand.Rand) {
		const places, channels, groups, each = 6, 4, 2, 2
		norm := NewGroupNorm(c.In("norm"), groups, channels, 1e-6)
		require.NoError(t, c.Err())
		x := random(rng, 1, 2, 3, channels)
		out := flat(run(t, rt, func(in []*Node) []*Node { return []*Node{norm.Apply(Pass{}, in[0])} }, x)[0])
		gain, offset := flat(norm.Weight.MustValue()), flat(norm.Bias.MustValue())
		for group := range groups {
			var mean, square float64
			for place := range places {
				for k := range each {
					v := float64(flat(x)[place*channels+group*each+k])
					mean, square = mean+v/(places*each), square+v*v/(places*each)
				}
			}
			for place := range places {
				for k := range each {
					i, channel := place*channels+group*each+k, group*each+k
					want := (float64(flat(x)[i]) - mean) / math.Sqrt(square-mean*mean+1e-6)
					assert.InDelta(t, want*float64(gain[channel])+float64(offset[channel]), out[i], 1e-4)
				}
			}
		}
	})
}
