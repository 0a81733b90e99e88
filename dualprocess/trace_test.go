package dualprocess_test

import (
	"context"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
)

// unconditioned is a generator without Conditions that reads the empty prompt.
type unconditioned struct {
	dualprocess.Generator
	encoded *[]*tensors.Tensor
}

func (u unconditioned) Encode(ctx context.Context, prompt string) (dualprocess.Inputs, error) {
	if prompt == "" {
		prompt = "sea"
	}
	in, err := u.Generator.Encode(ctx, prompt)
	*u.encoded = append(*u.encoded, in...)
	return in, err
}

func TestLayers(t *testing.T) {
	w := newToy(t, "go")
	layers, err := dualprocess.Layers(w.rt, w.g)
	require.NoError(t, err)
	a, _ := distil(t, w.task())
	assert.Equal(t, a.Layers(), layers)

	g := unconditioned{w.g, new([]*tensors.Tensor)}
	again, err := dualprocess.Layers(w.rt, g)
	require.NoError(t, err)
	assert.Equal(t, layers, again)
	require.Len(t, *g.encoded, 1)
	assert.False(t, (*g.encoded)[0].Ok(), "what was made is freed")

	_, err = dualprocess.Layers(w.rt, plain{w.g})
	assert.ErrorIs(t, err, dualprocess.ErrPrompt)
	assert.ErrorContains(t, err, `dualprocess: encode prompt "": `)
	_, err = dualprocess.Layers(w.rt, breaking{w.g, "broken"})
	assert.EqualError(t, err, "dualprocess: trace the generator: broken")
}
