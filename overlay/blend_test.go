package overlay

import (
	"errors"
	"image"
	"image/color"
	"image/draw"
	"testing"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// scene is a picture with every value of every channel somewhere.
func scene(width, height int) *image.NRGBA {
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			out.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / width), uint8(y * 255 / height), uint8(x*y + 7*x), 255})
		}
	}
	return out
}

// asNode gives a picture's values in [0, 1], [1, height, width, 3].
func asTensor(picture *image.NRGBA) *tensors.Tensor {
	var values []float32
	for i := 0; i < len(picture.Pix); i += 4 {
		for _, v := range picture.Pix[i : i+3] {
			values = append(values, float32(v)/255)
		}
	}
	return tensors.FromFlatDataAndDimensions(values, 1, picture.Rect.Dy(), picture.Rect.Dx(), 3)
}

func TestOverEqualsApply(t *testing.T) {
	backend := testBackend(t)
	gray := image.NewGray(image.Rect(5, 5, 38, 52))
	draw.Draw(gray, gray.Rect, image.White, image.Point{}, draw.Src)
	gray.SetGray(20, 20, color.Gray{40})
	translucent := image.NewUniform(color.NRGBA{200, 10, 60, 90})
	cropped := image.NewRGBA(image.Rect(0, 0, 20, 20))
	draw.Draw(cropped, cropped.Rect, translucent, image.Point{}, draw.Src)
	overlays := []Layer{
		Solid{Picture: drawn(t, Points{}, 40, 24)}, Transparent{Picture: drawn(t, Points{}, 40, 24)}, Solid{Picture: gray, Fit: Stretch, Paper: true},
		Solid{Picture: gray, Fit: Cover}, Solid{Picture: drawn(t, Points{}, 99, 77), Fit: Stretch}, Solid{Picture: cropped, Fit: Contain},
		Transparent{Picture: cropped, Fit: Stretch, Opacity: 0.3}, Transparent{Picture: drawn(t, Palette{}, 64, 64), Fit: Stretch, Opacity: 1, Multiple: 1},
		Solid{Picture: Points{}}, Transparent{Picture: Palette{}}, Stack{Solid{Picture: Points{}}, Transparent{Picture: gray, Fit: Contain}},
	}
	picture := scene(40, 24)
	before := append([]uint8{}, picture.Pix...)
	outs, err := graph.CallOnceN(backend, func(x *graph.Node) (all []*graph.Node) {
		for _, o := range overlays {
			all = append(all, o.Apply(x))
		}
		return all
	}, asTensor(picture))
	require.NoError(t, err)
	for i, o := range overlays {
		over, err := o.Over(picture)
		require.NoError(t, err)
		want := tensors.MustCopyFlatData[float32](outs[i])
		got := tensors.MustCopyFlatData[float32](asTensor(over))
		assert.InDeltaSlice(t, want, got, 1./255, "%T %+v", o, o)
		assert.NotEqual(t, picture.Pix, over.Pix)
	}
	assert.Equal(t, before, picture.Pix, "the picture is left as it was")
}

func TestApply(t *testing.T) {
	backend := testBackend(t)
	ink := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	draw.Draw(ink, ink.Rect, image.White, image.Point{}, draw.Src)
	ink.SetNRGBA(3, 2, color.NRGBA{255, 0, 51, 255})
	outs, err := graph.CallOnceN(backend, func(x *graph.Node) []*graph.Node {
		out := Solid{Picture: ink}.Apply(x)
		half := Solid{Picture: ink}.Apply(graph.ConvertDType(x, dtypes.BFloat16))
		return []*graph.Node{out, graph.Gradient(graph.ReduceAllSum(out), x)[0], graph.ConvertDType(half, dtypes.Float32)}
	}, tensors.FromScalarAndDimensions(float32(1.5), 2, 8, 8, 3))
	require.NoError(t, err)
	assert.Equal(t, []int{2, 8, 8, 3}, outs[0].Shape().Dimensions)
	out, gradient := tensors.MustCopyFlatData[float32](outs[0]), tensors.MustCopyFlatData[float32](outs[1])
	for i, v := range out {
		want, slope := float32(1.5), float32(1)
		if pixel := i / 3 % 64; pixel == 2*8+3 {
			want, slope = []float32{1, 0, 0.2}[i%3], 0
		}
		require.InDelta(t, want, v, 1e-6, "image values beyond 1 are kept, ink hides")
		require.Equal(t, slope, gradient[i])
	}
	assert.InDeltaSlice(t, out, tensors.MustCopyFlatData[float32](outs[2]), 1e-2, "bfloat16")
}

// A transparent background is not black, antialiased edges have no pale rim, and
// Paper does what the reference does.
func TestSolidAlpha(t *testing.T) {
	picture := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	picture.SetNRGBA(1, 1, color.NRGBA{255, 0, 0, 128})
	picture.SetNRGBA(2, 2, color.NRGBA{255, 255, 255, 128})
	gray := image.NewUniform(color.Gray{100})
	below := image.NewNRGBA(picture.Rect)
	draw.Draw(below, below.Rect, gray, image.Point{}, draw.Src)

	out, err := Solid{Picture: picture}.Over(below)
	require.NoError(t, err)
	assert.Equal(t, color.NRGBA{100, 100, 100, 255}, out.NRGBAAt(0, 0))
	assert.Equal(t, color.NRGBA{178, 50, 50, 255}, out.NRGBAAt(1, 1))
	assert.Equal(t, color.NRGBA{100, 100, 100, 255}, out.NRGBAAt(2, 2), "white of any alpha is nothing")

	out, err = Solid{Picture: picture, Paper: true}.Over(below)
	require.NoError(t, err)
	assert.Equal(t, color.NRGBA{A: 255}, out.NRGBAAt(0, 0))
	assert.Equal(t, color.NRGBA{255, 0, 0, 255}, out.NRGBAAt(1, 1))
}

// White stays nothing whatever it is resized to; in Paper, rounding makes specks.
func TestSolidWhite(t *testing.T) {
	white := image.NewGray(image.Rect(0, 0, 47, 33))
	s := Solid{Picture: white, Fit: Stretch, Multiple: 1}
	draw.Draw(white, white.Rect, image.White, image.Point{}, draw.Src)
	specks := 0
	for size := 8; size < 120; size += 9 {
		f, err := s.film(size, size+3)
		require.NoError(t, err)
		assert.NotContains(t, f.keep, float32(0), size)
		paper := s
		paper.Paper = true
		f, err = paper.film(size, size+3)
		require.NoError(t, err)
		for _, keep := range f.keep {
			if keep == 0 {
				specks++
			}
		}
	}
	assert.Positive(t, specks)
}

func TestBlend(t *testing.T) {
	picture := scene(64, 64)
	same, err := Blend(picture)
	require.NoError(t, err)
	assert.Equal(t, image.Image(picture), same)
	both, err := Blend(picture, Solid{Picture: drawn(t, Palette{}, 64, 64)}, Transparent{Picture: drawn(t, Palette{Side: Left}, 64, 64)})
	require.NoError(t, err)
	one, err := Solid{Picture: drawn(t, Palette{}, 64, 64)}.Over(picture)
	require.NoError(t, err)
	assert.Equal(t, one.At(40, 60), both.At(40, 60), "the first is there")
	assert.NotEqual(t, one.At(2, 2), both.At(2, 2), "and the second over it")
	_, err = Blend(picture, Solid{})
	assert.ErrorContains(t, err, "no picture")
	for _, nothing := range []image.Image{nil, (*image.NRGBA)(nil)} {
		_, err = Blend(nothing)
		assert.ErrorIs(t, err, ErrOptions)
	}
	_, err = Blend(image.White, Solid{Picture: Palette{}})
	assert.ErrorIs(t, err, ErrTooLarge)
}

func TestBadOverlays(t *testing.T) {
	backend := testBackend(t)
	picture := drawn(t, Points{}, 16, 16)
	shape := []int{1, 8, 8, 3}
	for name, c := range map[string]struct {
		overlay interface{ Apply(*graph.Node) *graph.Node }
		shape   []int
		want    string
	}{
		"no picture":        {Solid{}, shape, "no picture"},
		"empty picture":     {Solid{Picture: image.NewGray(image.Rectangle{})}, shape, "empty"},
		"endless picture":   {Solid{Picture: image.White}, shape, "too large"},
		"negative multiple": {Solid{Picture: picture, Multiple: -8}, shape, "Multiple"},
		"opacity above 1":   {Transparent{Picture: picture, Opacity: 1.5}, shape, "Opacity"},
		"opacity below 0":   {Transparent{Picture: picture, Opacity: -1}, shape, "Opacity"},
		"channels first":    {Solid{Picture: picture}, []int{1, 3, 8, 8}, "[batch, height, width, 3]"},
		"no batch":          {Solid{Picture: picture}, []int{8, 8, 3}, "[batch, height, width, 3]"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := graph.CallOnce(backend, c.overlay.Apply, tensors.FromScalarAndDimensions(float32(0), c.shape...))
			assert.ErrorContains(t, err, c.want)
		})
	}
	_, err := Solid{Picture: image.White}.Over(picture)
	assert.True(t, errors.Is(err, ErrTooLarge))
	_, err = Solid{Picture: picture}.Over(nil)
	assert.Error(t, err)
}
