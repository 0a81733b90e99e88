package hf

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCheckSizes(t *testing.T) {
	require.NoError(t, CheckSizes(Size{"layers", 1, 4}, Size{"heads", 4, 4}))
	for _, value := range []int{-1, 0, 5} {
		err := CheckSizes(Size{"heads", 4, 4}, Size{"layers", value, 4})
		require.ErrorIs(t, err, ErrConfig)
		require.ErrorContains(t, err, "layers")
	}
}

func TestRequire(t *testing.T) {
	require.NoError(t, Require("act_fn", "silu", "gelu", "silu"))
	err := Require("act_fn", "relu", "gelu", "silu")
	require.ErrorIs(t, err, ErrConfig)
	require.ErrorContains(t, err, "act_fn is relu")
}
