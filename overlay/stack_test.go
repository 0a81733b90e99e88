package overlay

import (
	"image"
	"image/color"
	"math"
	"reflect"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestStack(t *testing.T) {
	backend := testBackend(t)
	line, strip := Solid{Picture: HorizonLine{Row: 0.9}}, Transparent{Picture: Palette{}, Opacity: 0.7}
	picture := scene(48, 32)
	outs, err := graph.CallOnceN(backend, func(x *graph.Node) []*graph.Node {
		return []*graph.Node{
			Stack{line, strip}.Apply(x), strip.Apply(line.Apply(x)), Stack{Stack{line}, &strip}.Apply(x),
			line.Apply(strip.Apply(x)), Stack{}.Apply(x), x,
		}
	}, asTensor(picture))
	require.NoError(t, err)
	var values [][]float32
	for _, out := range outs {
		values = append(values, tensors.MustCopyFlatData[float32](out))
	}
	assert.Equal(t, values[1], values[0])
	assert.Equal(t, values[1], values[2], "stacks in stacks")
	assert.NotEqual(t, values[3], values[0], "the first is lowest")
	assert.Equal(t, values[5], values[4], "of none")

	both, err := Stack{line, strip}.Over(picture)
	require.NoError(t, err)
	one, err := line.Over(picture)
	require.NoError(t, err)
	want, err := strip.Over(one)
	require.NoError(t, err)
	assert.Equal(t, want, both)
	blended, err := Blend(picture, line, strip)
	require.NoError(t, err)
	assert.Equal(t, image.Image(want), blended)
	none, err := Stack{}.Over(picture)
	require.NoError(t, err)
	assert.Equal(t, picture, none)
	assert.NotSame(t, picture, none, "a copy")
	_, err = Stack{}.Over(nil)
	assert.ErrorIs(t, err, ErrOptions)
}

func TestValidate(t *testing.T) {
	picture := image.NewGray(image.Rect(0, 0, 8, 8))
	for _, o := range []interface{ Validate() error }{
		Solid{Picture: picture}, Solid{Picture: HorizonLine{}, Fit: Cover, Multiple: 16}, Solid{Picture: &Palette{}}, Solid{Picture: thumb{}},
		Transparent{Picture: picture}, Transparent{Picture: picture, Opacity: 1}, Stack{}, Stack{Solid{Picture: picture}, Stack{}},
	} {
		assert.NoError(t, o.Validate(), "%+v", o)
	}
	for _, c := range []struct {
		overlay Layer
		is      error
		want    string
	}{
		{Solid{}, ErrOptions, "overlay: invalid settings: Picture: no picture is given"},
		{Solid{Picture: (*image.NRGBA)(nil)}, ErrOptions, "Picture: no picture"},
		{Solid{Picture: (*Palette)(nil)}, ErrOptions, "Picture: no picture"},
		{Solid{Picture: frame{}}, ErrOptions, "Picture: overlay.frame is neither"},
		{Solid{Picture: image.NewGray(image.Rect(3, 3, 3, 9))}, ErrEmpty, "0x6 pixels is empty"},
		{Solid{Picture: image.White}, ErrTooLarge, "too large"},
		{Solid{Picture: HorizonLine{Row: 2}}, ErrOptions, "Picture: invalid settings: Row: 2"},
		{Solid{Picture: picture, Multiple: -1}, ErrOptions, "Multiple: -1"},
		{Solid{Picture: picture, Fit: 4}, ErrOptions, "Fit: 4"},
		{Transparent{Picture: picture, Fit: -1}, ErrOptions, "Fit: -1"},
		{Transparent{}, ErrOptions, "Picture"},
		{Transparent{Picture: picture, Opacity: 1.01}, ErrOptions, "Opacity: 1.01"},
		{Transparent{Picture: picture, Opacity: -0.01}, ErrOptions, "Opacity: -0.01"},
		{Transparent{Picture: picture, Opacity: math.NaN()}, ErrOptions, "Opacity: NaN"},
		{Stack{nil}, ErrOptions, "overlay: Stack[0]: invalid settings: it is nil"},
		{Stack{(*Solid)(nil)}, ErrOptions, "Stack[0]"},
		{Stack{Solid{Picture: picture}, Stack{Solid{}}}, ErrOptions, "overlay: Stack[1]: Stack[0]: invalid settings: Picture"},
		{Stack{own{}}, ErrTooLarge, "Stack[0]: too large"},
	} {
		err := c.overlay.(interface{ Validate() error }).Validate()
		assert.ErrorIs(t, err, c.is)
		assert.ErrorContains(t, err, c.want)
		_, over := c.overlay.Over(scene(8, 8))
		assert.Equal(t, err, over, "what is not valid is not laid over anything")
	}
}

// frame has a size and nothing in it.
type frame struct{}

func (frame) Bounds() image.Rectangle { return image.Rect(0, 0, 8, 8) }

// own is a layer of another package's that is never valid.
type own struct{ Solid }

func (own) Validate() error { return ErrTooLarge }

//lint:ignore U1000 hides Solid's, so that only Validate is left
func (own) validate() {}

// Equal overlays compare equal, by the pointer where there is one, and to compare
// never panics.
func TestOverlaysCompare(t *testing.T) {
	picture := image.NewGray(image.Rect(0, 0, 8, 8))
	palette := &Palette{Colors: Retro()}
	for _, o := range []func() Layer{
		func() Layer { return Solid{Picture: picture} },
		func() Layer { return Solid{Picture: HorizonLine{Row: 0.3, Color: color.Black}, Fit: Cover} },
		func() Layer { return Transparent{Picture: palette, Opacity: 0.1} },
	} {
		assert.True(t, o() == o())
	}
	for _, o := range []Layer{Solid{Picture: Palette{}}, Solid{Picture: Composition{}}, Stack{}} {
		assert.False(t, reflect.ValueOf(o).Comparable(), "%T: lists cannot be compared by ==", o)
	}
}
