package distance

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// The constants of the published implementation: the kernel's width, which is far more
// than CLIP's vectors are apart, and a factor that makes numbers readable.
const (
	sigma = 10
	scale = 1000
)

// CMMD returns the squared maximum mean discrepancy of two sets of features, [n][width]
// and [m][width], with the Gaussian kernel of width 10, times 1000: 0 for equal sets,
// else positive. It is the biased estimator, in which each vector is compared with
// itself, too, as published. CLIP's vectors are to have length 1, as those of
// verifier/clip do. Time grows with (n + m)², memory with n + m. The error wraps
// ErrFeatures or dualprocess.ErrNotFinite.
func CMMD(x, y [][]float64) (float64, error) {
	a, b, err := matrices(x, y)
	if err != nil {
		return 0, fmt.Errorf("distance: CMMD: %w", err)
	}
	return scale * (kernel(a, a) + kernel(b, b) - 2*kernel(a, b)), nil
}

// kernel returns the kernel's mean over all pairs of rows of a and b.
func kernel(a, b *mat.Dense) float64 {
	const block = 256 // rows of each that are multiplied at once
	n, width := a.Dims()
	m, _ := b.Dims()
	left, right := squares(a), squares(b)
	var sum float64
	products := mat.NewDense(block, block, nil)
	for i := 0; i < n; i += block {
		rows := min(block, n-i)
		for j := 0; j < m; j += block {
			columns := min(block, m-j)
			p := products.Slice(0, rows, 0, columns).(*mat.Dense)
			p.Mul(a.Slice(i, i+rows, 0, width), b.Slice(j, j+columns, 0, width).T())
			sum += exponentials(p, left[i:i+rows], right[j:j+columns])
		}
	}
	return sum / float64(n) / float64(m)
}

// exponentials sums the kernel over a block: exp(-|x-y|² / 2σ²), of x·y, |x|² and |y|².
func exponentials(products *mat.Dense, left, right []float64) (sum float64) {
	for i, l := range left {
		row := products.RawRowView(i)
		var some float64
		for j, r := range right {
			some += math.Exp((2*row[j] - l - r) / (2 * sigma * sigma))
		}
		sum += some
	}
	return sum
}

// squares are those of the lengths of the rows.
func squares(a *mat.Dense) []float64 {
	n, _ := a.Dims()
	out := make([]float64, n)
	for i := range out {
		out[i] = floats.Dot(a.RawRowView(i), a.RawRowView(i))
	}
	return out
}
