package autoencoder

import (
	"os"
	"testing"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/weights"
)

// TestGolden compares every module's output of the decoder, and the encoder's,
// with diffusers'.
func TestGolden(t *testing.T) {
	test := func(t *testing.T, rt *backends.Runtime, f *golden.Fixture, latents string, tolerance float64) {
		fsys := os.DirFS(f.Path("model"))
		cfg, err := ReadKLConfig(fsys, "vae")
		require.NoError(t, err)
		var decoder *Decoder
		var encoder *Encoder
		require.NoError(t, weights.Load(fsys, "vae", rt.Store, weights.Root(rt.Store, "/vae"), nil, func(c weights.Cursor) {
			decoder, encoder = NewDecoder(c, cfg), NewEncoder(c, cfg)
		}))
		c := coder{decoder.Apply, encoder.mean, latents, tolerance}
		got := c.run(t, rt, f)
		f.Modules(t, "vae.mod.", got, c.tolerance, channelsFirst)
	}
	each(t, "flux", func(t *testing.T, rt *backends.Runtime, f *golden.Fixture) {
		test(t, rt, f, "vae.unpacked_latents", 2e-5)
	})
	each(t, "z_image", func(t *testing.T, rt *backends.Runtime, f *golden.Fixture) { test(t, rt, f, "in.fwd_latents", 3e-5) })
}

// each runs a test of the fixtures of a family.
func each(t *testing.T, family string, test func(t *testing.T, rt *backends.Runtime, f *golden.Fixture)) {
	rt := golden.Runtime(t)
	for _, f := range golden.Fixtures(t, golden.Generator) {
		var about struct{ Spec struct{ Family string } }
		f.Decode(t, &about)
		if about.Spec.Family == family { // generator's tests see to it that every family is compared
			t.Run(f.Name+"/vae", func(t *testing.T) { test(t, rt, f) })
		}
	}
}

// coder is an autoencoder's two halves, in its own scale of latents.
type coder struct {
	decode    func(f nn.Pass, latents *Node) *Node
	encode    func(f nn.Pass, pictures *Node) *Node
	latents   string  // key of the fixture
	tolerance float64 // of the largest element, from the fixtures' README
}

// run compares what the halves compute, and returns what the decoder's modules do.
func (c coder) run(t *testing.T, rt *backends.Runtime, f *golden.Fixture) golden.Results {
	got := golden.Run(t, rt, func(in []*Node) golden.Outputs {
		pass := nn.Pass{Recorder: &nn.Recorder{}}
		image := c.decode(pass, channelsLast(in[0]))
		out := f.Recorded("vae.mod.", pass.Recorder, "decoder")
		out["image"], out["encode"] = image, c.encode(nn.Pass{}, channelsLast(in[1]))
		return out
	}, f.Tensor(t, c.latents), f.Tensor(t, "in.target"))
	f.Compare(t, "vae.image", channelsFirst(got["image"]), c.tolerance)
	f.Compare(t, "vae.encode", channelsFirst(got["encode"]), c.tolerance)
	return got
}

func channelsLast(x *Node) *Node { return TransposeAllAxes(x, 0, 2, 3, 1) }

// channelsFirst returns the elements of [1, H, W, C] in the order of [1, C, H, W].
func channelsFirst(x *tensors.Tensor) []float32 {
	values, channels := tensors.MustCopyFlatData[float32](x), x.Shape().Dimensions[3]
	out := make([]float32, 0, len(values))
	for c := range channels {
		for i := c; i < len(values); i += channels {
			out = append(out, values[i])
		}
	}
	return out
}
