package vision

import "math"

// ResizeCrop8 is ResizeCrop of one picture on the host, as Pillow does it: img is
// [height, width, 3] of 8 bits, and rounded to 8 bits again after each axis. What
// needs no gradient sees pictures so exactly as the processors of transformers do,
// and no program is compiled for their sizes. It panics as ResizeCrop does.
func ResizeCrop8(img []uint8, from, to, crop Size, k Kernel) []uint8 {
	f := Filter{Kernel: k, Antialias: true}
	top, left := centre(to, crop)
	if to.Width != from.Width || crop.Width != from.Width {
		columns := f.all(from.Width, to.Width, left, crop.Width)
		img = resample(img, columns, axis{count: from.Height, stride: from.Width * 3}, axis{count: crop.Width, stride: 3})
	}
	if to.Height != from.Height || crop.Height != from.Height {
		rows := f.all(from.Height, to.Height, top, crop.Height)
		img = resample(img, rows, axis{count: crop.Width, stride: 3}, axis{count: crop.Height, stride: crop.Width * 3})
	}
	return img
}

// all are the taps of count pixels, from the one called first on.
func (f Filter) all(from, to, first, count int) []taps[float64] {
	all := make([]taps[float64], count)
	for i := range all {
		all[i] = wide(f, first+i, from, float64(from)/float64(to))
	}
	return all
}

// axis is one of a picture's two: how many pixels it has, and how many values apart
// they are.
type axis struct{ count, stride int }

// resample changes the pixels along an axis, for each of those along the other. The
// picture that comes has the stride of along, and that of other if along is the rows.
func resample(img []uint8, by []taps[float64], other, along axis) []uint8 {
	out := make([]uint8, other.count*along.count*3)
	outStride := other.stride
	if along.stride == 3 {
		outStride = along.count * 3
	}
	for o := range other.count {
		for i, t := range by {
			for c := range 3 {
				var sum float64
				for j, w := range t.weights {
					sum += w * float64(img[o*other.stride+(t.first+j)*along.stride+c])
				}
				out[o*outStride+i*along.stride+c] = uint8(min(max(math.Floor(sum+0.5), 0), 255))
			}
		}
	}
	return out
}

// Unit brings a vector of features to length 1; one of zeros becomes NaN.
func Unit(v []float32) []float64 {
	var squares float64
	for _, x := range v {
		squares += float64(x) * float64(x)
	}
	out, length := make([]float64, len(v)), math.Sqrt(squares)
	for i, x := range v {
		out[i] = float64(x) / length
	}
	return out
}
