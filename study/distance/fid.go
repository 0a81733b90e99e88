package distance

import (
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// FID returns the Fréchet distance of two Gaussians that have the means and covariances
// of two sets of features, [n][width] and [m][width]:
//
//	|μ₁ - μ₂|² + tr Σ₁ + tr Σ₂ - 2 tr (Σ₁^½ Σ₂ Σ₁^½)^½
//
// with covariances over n-1, as published. It is at least 0 but for rounding. The root
// is that of a matrix that is symmetric and positive semi-definite by the way it is
// computed: with fewer vectors than numbers, where others find roots of eigenvalues
// that are rounding errors, nothing is added to a diagonal and nothing cut off. The error
// wraps ErrFeatures or dualprocess.ErrNotFinite.
func FID(x, y [][]float64) (float64, error) {
	a, b, err := matrices(x, y)
	if err != nil {
		return 0, fmt.Errorf("distance: FID: %w", err)
	}
	first, second := centre(a), centre(b)
	apart := floats.Distance(first, second, 2)
	root, err := rootTrace(a, b)
	if err != nil {
		return 0, fmt.Errorf("distance: FID: %w", err)
	}
	return apart*apart + sumSquares(a) + sumSquares(b) - 2*root, nil
}

// centre takes the mean from the rows of a, divides them by √(n-1), so that a covariance
// is aᵀa, and returns the mean.
func centre(a *mat.Dense) []float64 {
	n, width := a.Dims()
	mean := make([]float64, width)
	for i := range n {
		floats.Add(mean, a.RawRowView(i))
	}
	floats.Scale(1/float64(n), mean)
	for i := range n {
		row := a.RawRowView(i)
		floats.Sub(row, mean)
		floats.Scale(1/math.Sqrt(float64(n-1)), row)
	}
	return mean
}

// sumSquares is the trace of aᵀa.
func sumSquares(a *mat.Dense) float64 {
	norm := mat.Norm(a, 2) // Frobenius
	return norm * norm
}

// rootTrace is the trace of the root of Σ₁^½ Σ₂ Σ₁^½ for Σ₁ = aᵀa and Σ₂ = bᵀb. Its
// eigenvalues are the squares of the singular values of abᵀ, so the roots need not be
// taken of numbers that have been squared before: half the digits would be lost.
func rootTrace(a, b *mat.Dense) (float64, error) {
	a, b = fewRows(a), fewRows(b)
	var product mat.Dense
	product.Mul(a, b.T())
	var svd mat.SVD
	if !svd.Factorize(&product, mat.SVDNone) {
		return 0, errors.New("the singular values do not converge")
	}
	return floats.Sum(svd.Values(nil)), nil
}

// fewRows returns a matrix with the same aᵀa that has no more rows than columns.
func fewRows(a *mat.Dense) *mat.Dense {
	n, width := a.Dims()
	if n <= width {
		return a
	}
	var qr mat.QR
	qr.Factorize(a)
	var r mat.Dense
	qr.RTo(&r)
	return r.Slice(0, width, 0, width).(*mat.Dense)
}
