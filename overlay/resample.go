package overlay

import (
	"image"
	"math"
)

// lanczos resizes a premultiplied picture as LANCZOS does in Pillow, bit for bit:
// columns first, then rows, 8 bits in between, weights in fixed point. An axis
// that keeps its length is left alone. (Pillow 13 starts with the cheaper of the
// two, which differs a little; the reference's is older.)
//
// https://github.com/python-pillow/Pillow/blob/11.3.0/src/libImaging/Resample.c
func lanczos(picture *image.RGBA, width, height int) *image.RGBA {
	if w := picture.Rect.Dx(); width != w {
		out := image.NewRGBA(image.Rect(0, 0, width, picture.Rect.Dy()))
		taps := lanczosTaps(w, width)
		for y := range picture.Rect.Dy() {
			taps.apply(out.Pix[y*out.Stride:], picture.Pix[y*picture.Stride:], 4)
		}
		picture = out
	}
	if h := picture.Rect.Dy(); height != h {
		out := image.NewRGBA(image.Rect(0, 0, picture.Rect.Dx(), height))
		taps := lanczosTaps(h, height)
		for x := 0; x < out.Stride; x += 4 {
			taps.apply(out.Pix[x:], picture.Pix[x:], out.Stride)
		}
		picture = out
	}
	return picture
}

// fixedOne is 1 in the fixed point of the weights: 32 bits less 8 of the pixels
// and 2 for sums of weights beyond 1.
const fixedOne = 1 << (32 - 8 - 2)

// taps says of every output pixel of an axis which input pixels it is made of.
type taps []struct {
	first   int     // input pixel of the first weight
	weights []int32 // sum to fixedOne, but for rounding
}

func lanczosTaps(from, to int) taps {
	scale := float64(from) / float64(to)
	stretch := max(scale, 1) // shrinking widens the filter
	support, shrink := 3*stretch, 1/stretch
	out := make(taps, to)
	for i := range out {
		centre := (float64(i) + 0.5) * scale
		first := max(int(centre-support+0.5), 0)
		last := min(int(centre+support+0.5), from)
		weights, sum := make([]float64, last-first), 0.
		for k := range weights {
			weights[k] = lanczos3((float64(first+k) - centre + 0.5) * shrink)
			sum += weights[k]
		}
		out[i].first, out[i].weights = first, make([]int32, len(weights))
		share := 1 / sum
		for k, w := range weights {
			out[i].weights[k] = int32(math.Round(w * share * fixedOne))
		}
	}
	return out
}

// lanczos3 is sinc(x)·sinc(x/3) within three pixels of the centre.
func lanczos3(x float64) float64 {
	if x < -3 || x >= 3 {
		return 0
	}
	return sinc(x) * sinc(x/3)
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}

// apply resizes one line of four-channel pixels, stride bytes from one to the
// next in both slices.
func (t taps) apply(out, in []uint8, stride int) {
	for i := range t {
		var sum [4]int32
		for k := range sum {
			sum[k] = fixedOne / 2 // rounds
		}
		for j, w := range t[i].weights {
			pixel := in[(t[i].first+j)*stride:]
			for k := range sum {
				sum[k] += w * int32(pixel[k])
			}
		}
		for k, s := range sum {
			out[i*stride+k] = uint8(max(0, min(s/fixedOne, 255)))
		}
	}
}

// pixels are four channels in [-1, 1], [height, width, 4], premultiplied. The
// reference blends in this range, and whether a resized pixel is exactly white
// depends on it.
type pixels struct {
	height, width int
	values        []float32
}

// appendRow appends row y of a picture that begins at (0, 0), in [-1, 1].
func appendRow(values []float32, picture *image.RGBA, y int) []float32 {
	for _, v := range picture.Pix[y*picture.Stride : y*picture.Stride+4*picture.Rect.Dx()] {
		values = append(values, 2*(float32(v)/255)-1)
	}
	return values
}

// bilinear resizes as torch's interpolate(mode="bilinear", align_corners=False)
// does, without antialiasing, with the float32 arithmetic of its CPU kernel for
// pictures whose channels lie side by side. That arithmetic can turn white, 1,
// into 0.99999994, on which the paper's Solid depends: hence the care. Of a large
// picture only the rows in use are in [-1, 1] at a time.
func bilinear(picture *image.RGBA, height, width int) pixels {
	out := pixels{height, width, make([]float32, 4*height*width)}
	rows, columns := bilinearTaps(picture.Rect.Dy(), height), bilinearTaps(picture.Rect.Dx(), width)
	var above, below []float32
	for y, r := range rows {
		above, below = appendRow(above[:0], picture, r.a), appendRow(below[:0], picture, r.b)
		for x, c := range columns {
			pixel := out.values[4*(y*width+x):]
			for k := range 4 {
				v := r.wa * c.wb * above[4*c.b+k]
				v = fused(r.wa*c.wa, above[4*c.a+k], v)
				v = fused(r.wb*c.wa, below[4*c.a+k], v)
				pixel[k] = fused(r.wb*c.wb, below[4*c.b+k], v)
			}
		}
	}
	return out
}

// fused returns x*y + z, rounded once.
func fused(x, y, z float32) float32 { return float32(math.FMA(float64(x), float64(y), float64(z))) }

// pair mixes input a with weight wa and input b with weight wb.
type pair struct {
	a, b   int
	wa, wb float32
}

func bilinearTaps(from, to int) []pair {
	scale := float32(from) / float32(to)
	out := make([]pair, to)
	for i := range out {
		x := max(fused(scale, float32(i)+0.5, -0.5), 0)
		a := min(int(x), from-1)
		wb := min(x-float32(a), 1)
		out[i] = pair{a, min(a+1, from-1), 1 - wb, wb}
	}
	return out
}
