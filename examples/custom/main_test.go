package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/examples/internal/show"
)

// TestCustom trains for real: the example needs no weights and takes a second on
// the pure Go backend.
func TestCustom(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"guarded": {nil, "no sign of reward hacking"},
		"hacked":  {[]string{"-hack"}, "SUSPECTED REWARD HACKING"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			var out bytes.Buffer
			run, err := show.New("custom", flag.NewFlagSet("custom", flag.ContinueOnError), append(test.args, "-backend", "go", "-out", folder), &out)
			require.NoError(t, err)
			require.NoError(t, custom(t.Context(), run), out.String())
			assert.Contains(t, out.String(), test.want)
			for _, file := range []string{"custom.json", "warm.png", "warm.safetensors"} {
				info, err := os.Stat(filepath.Join(folder, file))
				require.NoError(t, err)
				assert.NotZero(t, info.Size())
			}
		})
	}
}

func TestUnreadableWords(t *testing.T) {
	for flagName, value := range map[string]string{"-prompt": "moon", "-question": "Is it Tuesday?"} {
		run, err := show.New("custom", flag.NewFlagSet("custom", flag.ContinueOnError), []string{flagName, value, "-backend", "go", "-out", t.TempDir()}, &bytes.Buffer{})
		require.NoError(t, err)
		assert.ErrorContains(t, custom(t.Context(), run), value)
	}
}
