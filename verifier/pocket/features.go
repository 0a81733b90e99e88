package pocket

import (
	"context"
	"fmt"
	"image"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
	"github.com/dualprocess/dualprocess-go/internal/nn"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/internal/vision"
	"github.com/dualprocess/dualprocess-go/internal/vlm"
)

// featureBatch is how many pictures are looked at together.
const featureBatch = 16

// Features returns a vector of length 1 for every picture: what the vision tower
// reads out of all of it, for distances between sets of pictures. What it was trained
// to tell is what such a distance sees: places, kinds, thickness and light, and of
// textures little. It compiles once for each size of pictures and number up to 16 of
// them, and its errors are Score's.
func (v *Verifier) Features(ctx context.Context, images ...image.Image) ([][]float64, error) {
	features := make([][]float64, 0, len(images))
	for len(images) > 0 {
		n, err := v.alike(ctx, images)
		if err == nil {
			var some [][]float64
			some, err = v.features(ctx, images[:n])
			features = append(features, some...)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: features: picture %d: %w", name, len(features), err)
		}
		images = images[n:]
	}
	return features, nil
}

// alike returns how many of the first pictures can be looked at together.
func (v *Verifier) alike(ctx context.Context, images []image.Image) (n int, err error) {
	for n < min(len(images), featureBatch) {
		if err := vlm.CheckPicture(ctx, images[n]); err != nil {
			return 0, err
		}
		if images[n].Bounds().Size() != images[0].Bounds().Size() {
			break
		}
		n++
	}
	return n, v.checkSize(images[0].Bounds().Dy(), images[0].Bounds().Dx())
}

func (v *Verifier) features(ctx context.Context, images []image.Image) ([][]float64, error) {
	out, err := v.programs.Run(ctx, fmt.Sprint("features of pictures of ", images[0].Bounds().Size()), func(in []*Node) []*Node {
		tokens, readout := v.vision.Apply(nn.Pass{}, ConvertDType(v.resize(in[0]), v.runtime.DType))
		// The tokens are given out for their own sake: the pure Go backend (compute v0.1.6)
		// panics where what is built last is no output.
		return []*Node{ConvertDType(readout, dtypes.Float32), tokens}
	}, pixels.FromImages(images...))
	if err != nil {
		return nil, err
	}
	defer graphs.Release(out...)
	values, width := tensors.MustCopyFlatData[float32](out[0]), out[0].Shape().Dim(1)
	features := make([][]float64, len(images))
	for k := range features {
		features[k] = vision.Unit(values[k*width : (k+1)*width])
	}
	return features, nil
}
