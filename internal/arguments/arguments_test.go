package arguments

import (
	"context"
	"image"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
)

func TestCall(t *testing.T) {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	require.NoError(t, Call(t.Context(), rt))

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, Call(ended, rt), context.Canceled)
	var none context.Context
	err = Call(none, rt)
	require.ErrorIs(t, err, dualprocess.ErrTask)
	require.ErrorContains(t, err, "Context")

	require.NoError(t, rt.Close())
	for _, rt := range []*backends.Runtime{nil, {}, rt} {
		err := Call(t.Context(), rt)
		require.ErrorIs(t, err, dualprocess.ErrTask)
		require.ErrorContains(t, err, "Runtime")
	}
	require.ErrorIs(t, Call(t.Context(), rt), backends.ErrClosed)
}

func TestGiven(t *testing.T) {
	require.NoError(t, Given("Image", image.Black))
	for _, img := range []image.Image{nil, (*image.NRGBA)(nil)} {
		err := Given("Image", img)
		require.ErrorIs(t, err, dualprocess.ErrTask)
		require.ErrorContains(t, err, "Image")
	}
}

func TestConvert(t *testing.T) {
	type all struct {
		Steps, Height int
		Guidance      *float64
	}
	type own struct {
		Guidance *float64
		Steps    int
		Shift    bool
	}
	got, err := Convert[own](all{Steps: 3, Guidance: new(0.)})
	require.NoError(t, err)
	require.Equal(t, own{Steps: 3, Guidance: new(0.)}, got)
	_, err = Convert[own](all{Height: 5})
	require.ErrorContains(t, err, "Height")
	_, err = Convert[struct{}](all{})
	require.NoError(t, err)
	_, err = Convert[struct{}](all{Guidance: new(0.)})
	require.ErrorContains(t, err, "Guidance", "0 is not the zero value of a pointer")
}
