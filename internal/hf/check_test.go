package hf

import (
	"testing"

	"github.com/stretchr/testify/assert"
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

// TestSentences: every error is a sentence that names the field.
func TestSentences(t *testing.T) {
	number, text, none := new(32), "layer", (*int)(nil)
	for _, test := range []struct {
		err  error
		want string // "" for no error
	}{
		{Require("act_fn", "silu", "gelu", "silu"), ""},
		{Require("act_fn", "relu", "gelu", "silu"), "act_fn is relu, supported: gelu, silu"},
		{Require("is_decoder", true, false), "is_decoder is true, supported: false"},
		{Equal("patch_size", 14, "patch_size in config.json", 14), ""},
		{Equal("patch_size", 16, "patch_size in config.json", 14), "patch_size is 16, but patch_size in config.json is 14"},
		{EqualIfGiven("out_channels", none, "in_channels", 64), ""},
		{EqualIfGiven("out_channels", new(64), "in_channels", 64), ""},
		{EqualIfGiven("out_channels", number, "in_channels", 64), "out_channels is 32, but in_channels is 64"},
		{Absent("qk_norm", nil), ""},
		{Absent("qk_norm", none), ""},
		{Absent("qk_norm", &none), ""},
		{Absent("qk_norm", &text), "qk_norm is layer, which is not supported; only null is"},
		{Absent("out_channels", number), "out_channels is 32, which is not supported; only null is"},
		{Absent("shift_terminal", 0.1), "shift_terminal is 0.1, which is not supported; only null is"},
		{Check(true, "norm_eps is %v", 0), ""},
		{Check(false, "norm_eps is %v", 0), "norm_eps is 0"},
		{CheckArchitecture(nil, "Llava"), ""},
		{CheckArchitecture([]string{"Other", "Llava"}, "Llava"), ""},
		{CheckArchitecture([]string{"Other"}, "Llava"), "architectures is Other, supported: Llava"},
	} {
		if test.want == "" {
			assert.NoError(t, test.err)
			continue
		}
		assert.ErrorIs(t, test.err, ErrConfig)
		assert.EqualError(t, test.err, "unsupported configuration: "+test.want)
	}
}
