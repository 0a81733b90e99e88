package dualprocess

import (
	"fmt"
	"math"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"

	"github.com/dualprocess/dualprocess-go/internal/graphs"
)

// Statistics say of pictures what can be said without knowing what they show, as means
// over them.
type Statistics struct {
	Dark    float64 // share of the pixels whose brightness is below 0.15, in [0, 1]
	Edges   float64 // share of the pixels whose brightness differs from the next one's, to the right or below, by more than 0.1
	Entropy float64 // of the colours, with 4 levels in each channel, in bits: 0 for one colour, at most 6
	Spread  float64 // among the pictures of one prompt: standard deviation of a channel, in [0, 0.5]; NaN if no prompt has two
}

// Bounds are how far the Statistics of StopAt's pictures may be from those that the base
// model makes of the same seeds, either way. Whoever is out of bounds is suspected of
// reward hacking, and returned only if no validation is within them; see StopAt. A
// bound of zero is none.
//
// With the pocket models, Dark 0.075, Entropy 0.75 and Spread 2.5 are what -guard takes in
// the examples, and Spread alone where light or colours are what is asked for: a lamp that is
// lit took 0.25 of the pixels out of the dark, and added 1.9 bits. At their defaults the
// horizon, strokes, depth order and composition moved their pictures by at most 0.04, 0.72
// (thick lines, on the way) and 2.1. Edges depend on what is asked for: thick lines made 1.1
// times as many, and ice took all of the lake's ripples. Look at Update.Findings of a run that
// you trust, then bound it.
type Bounds struct {
	Dark    float64 // most difference, in (0, 1]
	Edges   float64 // most ratio of the larger to the smaller, > 1
	Entropy float64 // most difference, in (0, 6]
	Spread  float64 // most ratio, > 1; needs a prompt with two of the seeds
}

// Limits of the statistics.
const (
	darkBelow    = .15
	edgeAbove    = .1
	colourLevels = 4
	sampledSide  = 64 // of the pixels that Spread looks at, at most in each direction
)

// given tells whether there are any.
func (b Bounds) given() bool { return b != Bounds{} }

func (b Bounds) check(t *Task) error {
	if !b.given() {
		return nil
	}
	if t.StopAt.Seeds == nil {
		return invalid("Bounds", "need StopAt.Seeds, whose pictures they are for")
	}
	if b.Spread != 0 && len(t.StopAt.Seeds) <= len(t.Prompts) {
		return invalid("Bounds.Spread", "needs a prompt with two of StopAt.Seeds: more of them than the %d prompts", len(t.Prompts))
	}
	ratio := func(field string, value float64) error {
		if value == 0 || value > 1 && value <= math.MaxFloat32 {
			return nil
		}
		return invalid(field, "must be a ratio above 1, not %s", number(value))
	}
	return firstError(
		inRange("Bounds.Dark", b.Dark, 0, 1), ratio("Bounds.Edges", b.Edges),
		inRange("Bounds.Entropy", b.Entropy, 0, 6), ratio("Bounds.Spread", b.Spread),
	)
}

// broken returns a sentence for each bound that is.
func (b Bounds) broken(before, after Statistics) (reasons []string) {
	for _, s := range []struct {
		name          string
		before, after float64
		bound         float64
		ratio         bool
	}{
		{"the share of dark pixels", before.Dark, after.Dark, b.Dark, false},
		{"the density of edges", before.Edges, after.Edges, b.Edges, true},
		{"the entropy of the colours", before.Entropy, after.Entropy, b.Entropy, false},
		{"the spread among seeds", before.Spread, after.Spread, b.Spread, true},
	} {
		low, high := min(s.before, s.after), max(s.before, s.after)
		within := high-low <= s.bound
		if s.ratio {
			within = high <= s.bound*low
		}
		if s.bound > 0 && !within {
			reasons = append(reasons, fmt.Sprintf("%s went from %.3g to %.3g", s.name, s.before, s.after))
		}
	}
	return reasons
}

// statistics is the graph function of a program that looks at pictures [batch, height,
// width, 3]. It returns float32 [3, batch], all but the spread, and a sample of the
// pixels, [batch, ...].
func statistics(in *cursor) []*Node {
	p := ClipScalar(in.one(), 0, 1)
	brightness := ReduceMean(p, -1) // [batch, height, width]
	dark := share(LessThan(brightness, scalarLike(brightness, darkBelow)))
	return []*Node{Stack([]*Node{dark, edges(brightness), entropy(p)}, 0), sampled(p)}
}

// share is the part of each picture's pixels where something is so, [batch].
func share(is *Node) *Node { return ReduceMean(ConvertDType(is, dtypes.Float32), 1, 2) }

func scalarLike(x *Node, value float64) *Node { return Scalar(x.Graph(), x.DType(), value) }

// edges is the share of pixels, those of the last row and column left out, that differ
// from one of the next.
func edges(brightness *Node) *Node {
	h, w := brightness.Shape().Dim(1), brightness.Shape().Dim(2)
	at := func(y, x int) *Node {
		return Slice(brightness, AxisRange(), AxisRange(y, y+max(h-1, 1)), AxisRange(x, x+max(w-1, 1)))
	}
	here, limit := at(0, 0), scalarLike(brightness, edgeAbove)
	right, below := at(0, min(1, w-1)), at(min(1, h-1), 0)
	return share(Or(GreaterThan(Abs(Sub(right, here)), limit), GreaterThan(Abs(Sub(below, here)), limit)))
}

// entropy is that of the histogram of colours, in bits, [batch].
func entropy(p *Node) *Node {
	level := MinScalar(Floor(MulScalar(p, colourLevels)), colourLevels-1) // [batch, height, width, 3]
	places := ConvertDType(Const(p.Graph(), []float32{colourLevels * colourLevels, colourLevels, 1}), p.DType())
	colour := ReduceSum(Mul(level, Reshape(places, 1, 1, 1, 3)), -1)
	var sum *Node
	for k := range colourLevels * colourLevels * colourLevels {
		f := share(Equal(colour, scalarLike(colour, float64(k))))
		term := Mul(f, Log(MaxScalar(f, 1e-12))) // 0 for a colour that is not there
		if sum == nil {
			sum = term
		} else {
			sum = Add(sum, term)
		}
	}
	return MulScalar(sum, -1/math.Ln2)
}

// sampled takes a grid of pixels.
func sampled(p *Node) *Node {
	stride := func(side int) int { return (side + sampledSide - 1) / sampledSide }
	return Slice(p, AxisRange(), AxisRange().Stride(stride(p.Shape().Dim(1))), AxisRange().Stride(stride(p.Shape().Dim(2))))
}

// gallery collects statistics, batch by batch.
type gallery struct {
	sums    [3]float64
	samples map[int32][][]float32 // of the pictures of each prompt
	n       int
}

// add takes the results of the program for the first of a batch.
func (g *gallery) add(out []*tensors.Tensor, jobs []job) error {
	defer graphs.Release(out...)
	values, err := tensors.CopyFlatData[float32](out[0])
	if err != nil {
		return fmt.Errorf("read the statistics: %w", err)
	}
	pixels, err := tensors.CopyFlatData[float32](out[1])
	if err != nil {
		return fmt.Errorf("read the statistics: %w", err)
	}
	if g.samples == nil {
		g.samples = map[int32][][]float32{}
	}
	batch := out[1].Shape().Dimensions[0]
	rows := rowsOf(pixels, batch)
	for k, j := range jobs {
		for s := range g.sums {
			g.sums[s] += float64(values[s*batch+k])
		}
		g.samples[j.row] = append(g.samples[j.row], rows[k])
		g.n++
	}
	return nil
}

// statistics of all pictures that were added.
func (g *gallery) statistics() Statistics {
	n := float64(g.n)
	return Statistics{Dark: g.sums[0] / n, Edges: g.sums[1] / n, Entropy: g.sums[2] / n, Spread: g.spread()}
}

// spread weighs every prompt that has several pictures alike.
func (g *gallery) spread() float64 {
	var each []float64
	for row := range int32(len(g.samples)) { // the rows of prompts in turn: no gaps
		if samples := g.samples[row]; len(samples) > 1 {
			each = append(each, deviation(samples))
		}
	}
	return mean(each)
}

// deviation is the mean over places of the standard deviation over samples.
func deviation(samples [][]float32) float64 {
	total, n := 0.0, float64(len(samples))
	for k := range samples[0] {
		sum, squares := 0.0, 0.0
		for _, s := range samples {
			sum += float64(s[k])
			squares += float64(s[k]) * float64(s[k])
		}
		total += math.Sqrt(max(0, squares/n-sum*sum/(n*n)))
	}
	return total / float64(len(samples[0]))
}
