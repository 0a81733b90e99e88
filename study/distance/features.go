package distance

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"
	"math"

	"gonum.org/v1/gonum/mat"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/internal/pixels"
	"github.com/dualprocess/dualprocess-go/study"
)

// ErrFeatures says that there are no distances between features: there are fewer than
// two vectors in a set, or vectors of no or of different widths.
var ErrFeatures = errors.New("unusable features")

// Columns are the columns of the paper's Table 5, by the features of a tower.
func Columns(tower study.Features) []study.Distance {
	return []study.Distance{
		{Name: "CMMD", Features: tower, Between: CMMD, Decimals: 2},
		{Name: "FID", Features: tower, Between: FID, Decimals: 1},
	}
}

// batch is how many pictures are in memory at once.
const batch = 16

// Collect returns the features that a tower, such as the models of verifier/clip and
// verifier/pocket, makes of a stream of pictures: [pictures][width]. A few of the
// pictures are in memory at once. Errors are those of the stream and the tower, after
// the number of the picture; or the context's; or wrap ErrFeatures.
func Collect(ctx context.Context, tower study.Features, pictures iter.Seq2[image.Image, error]) ([][]float64, error) {
	var all [][]float64
	for some, err := range pixels.Batches(pictures, batch) {
		if err != nil {
			return nil, fmt.Errorf("distance: picture %d: %w", len(all)+len(some), err)
		}
		vectors, err := tower.Features(ctx, some...)
		if err == nil && len(vectors) != len(some) {
			err = fmt.Errorf("%w: %T gives %d vectors for %d pictures", ErrFeatures, tower, len(vectors), len(some))
		}
		if err != nil {
			return nil, fmt.Errorf("distance: pictures from %d on: %w", len(all), err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		all = append(all, vectors...)
	}
	return all, ctx.Err()
}

// matrices checks two sets of features and copies them.
func matrices(x, y [][]float64) (a, b *mat.Dense, err error) {
	if a, err = matrix(x); err != nil {
		return nil, nil, fmt.Errorf("the first set: %w", err)
	}
	if b, err = matrix(y); err != nil {
		return nil, nil, fmt.Errorf("the second set: %w", err)
	}
	if _, width := a.Dims(); width != len(y[0]) {
		return nil, nil, fmt.Errorf("%w: vectors of %d numbers and of %d", ErrFeatures, width, len(y[0]))
	}
	return a, b, nil
}

func matrix(x [][]float64) (*mat.Dense, error) {
	if len(x) < 2 {
		return nil, fmt.Errorf("%w: %d vectors, must be at least 2", ErrFeatures, len(x))
	}
	width := len(x[0])
	values := make([]float64, 0, len(x)*width)
	for k, row := range x {
		if len(row) != width || width == 0 {
			return nil, fmt.Errorf("%w: vector %d has %d numbers, the first has %d", ErrFeatures, k, len(row), width)
		}
		for i, v := range row {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("number %d of vector %d is %v: %w", i, k, v, dualprocess.ErrNotFinite)
			}
		}
		values = append(values, row...)
	}
	return mat.NewDense(len(x), width, values), nil
}
