package vision

import "math"

// Filter says how a pixel of a resized picture is made of those given.
type Filter struct {
	Kernel Kernel
	// Antialias widens the kernel when shrinking, so that every given pixel has a
	// part in the result, as image processors do. Without it, pixels are sampled.
	Antialias bool
}

// Kernel is the shape of a filter.
type Kernel int

// The kernels, with the numbers that Pillow, and so preprocessor_config.json,
// has for them.
const (
	Lanczos  Kernel = 1 // of three lobes; with Antialias only
	Bilinear Kernel = 2
	Bicubic  Kernel = 3
)

// radius is how far the kernel reaches, in pixels of the larger grid.
func (k Kernel) radius() int {
	switch k {
	case Lanczos:
		return 3
	case Bicubic:
		return 2
	}
	return 1
}

// float is what weights are computed in: torch's in float32, Pillow's in float64.
type float interface{ float32 | float64 }

// height is the kernel's at a distance from its centre. Torch's cubic is Pillow's
// (a = -1/2) with antialiasing and another (-3/4) without.
func height[T float](k Kernel, x, a T) T {
	x = T(math.Abs(float64(x)))
	switch {
	case k == Bilinear:
		return max(0, 1-x)
	case k == Lanczos && x < 3:
		return sinc(x) * sinc(x/3)
	case k == Lanczos:
		return 0
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// sinc is sin(πx) / πx.
func sinc[T float](x T) T {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return T(math.Sin(float64(x))) / x
}

// taps are the given pixels, from first on, that make one pixel, and their
// weights.
type taps[T float] struct {
	first   int
	weights []T
}

// taps returns those of pixel i along an axis that is resized from one length to
// another, as torch's interpolate with align_corners=False has them. The
// arithmetic is in float32, as there: coordinates in float64 are better ones, and
// move pixels by up to 2e-5.
func (f Filter) taps(i, from, to int) taps[float32] {
	scale := float32(from) / float32(to)
	if f.Antialias {
		return wide(f, i, from, scale)
	}
	return f.narrow(i, from, scale)
}

// wide are the taps with antialiasing: the kernel is cut off at the borders and
// its weights brought to the sum 1.
// Source: torch v2.9.1, UpSampleKernel.cpp, _compute_indices_min_size_weights_aa.
func wide[T float](f Filter, i, from int, scale T) taps[T] {
	support, inverse := T(f.Kernel.radius()), T(1)
	if scale >= 1 {
		support, inverse = support*scale, 1/scale
	}
	centre := scale * (T(i) + 0.5)
	first := max(int(centre-support+0.5), 0)
	end := min(int(centre+support+0.5), from)
	t := taps[T]{first, make([]T, end-first)}
	var total T
	for j := range t.weights {
		t.weights[j] = height(f.Kernel, (T(j)+(T(first)-centre)+0.5)*inverse, -0.5)
		total += t.weights[j]
	}
	for j := range t.weights {
		t.weights[j] /= total
	}
	return t
}

// narrow are the taps without antialiasing: two or four neighbours, with the
// border's pixel in place of those beyond.
func (f Filter) narrow(i, from int, scale float32) taps[float32] {
	at := float32(float64(scale)*(float64(i)+0.5) - 0.5) // rounded once, as by torch's fused multiply-add
	if f.Kernel == Bilinear {
		at = max(at, 0)
	}
	floor := int(math.Floor(float64(at)))
	fraction := at - float32(floor)
	radius := f.Kernel.radius()
	first := min(max(floor-radius+1, 0), from-1)
	last := min(max(floor+radius, 0), from-1)
	t := taps[float32]{first, make([]float32, last-first+1)}
	for j := 1 - radius; j <= radius; j++ {
		place := min(max(floor+j, first), last)
		t.weights[place-first] += height(f.Kernel, float32(j)-fraction, -0.75)
	}
	return t
}

// through are the taps of all pixels of the last of several lengths, which an axis is
// brought to one after the other: the product of the steps.
func (f Filter) through(from int, lengths ...int) []taps[float32] {
	var all []taps[float32]
	for _, to := range lengths {
		step := make([]taps[float32], to)
		for i := range step {
			step[i] = f.taps(i, from, to)
			if all != nil {
				step[i] = step[i].of(all)
			}
		}
		all, from = step, to
	}
	return all
}

// of returns the taps on what the pixels that t takes are made of.
func (t taps[T]) of(pixels []taps[T]) taps[T] {
	used := pixels[t.first : t.first+len(t.weights)]
	last := used[len(used)-1]
	sum := taps[T]{used[0].first, make([]T, last.first+len(last.weights)-used[0].first)}
	for j, w := range t.weights {
		for i, v := range used[j].weights {
			sum.weights[used[j].first-sum.first+i] += w * v
		}
	}
	return sum
}

// matrix holds the weights of all given pixels, [count][from], for count pixels
// of the result from the one called first on.
func (f Filter) matrix(from, to, first, count int) [][]float32 {
	rows := make([]taps[float32], count)
	for i := range rows {
		rows[i] = f.taps(first+i, from, to)
	}
	return dense(rows, from)
}

// dense holds the weights of all given pixels, [len(rows)][from].
func dense(rows []taps[float32], from int) [][]float32 {
	matrix := make([][]float32, len(rows))
	for i, t := range rows {
		matrix[i] = make([]float32, from)
		copy(matrix[i][t.first:], t.weights)
	}
	return matrix
}
