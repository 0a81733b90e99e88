package main

import (
	"encoding/json"
	"flag"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/examples/internal/show"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/lora"
)

// testdata are the fixtures, seen from this folder.
const testdata = "../../" + fixtures

// control is a run of the example with a generator of the fixtures.
type control struct {
	Model  string `json:"model"` // folder below the fixtures
	Family string `json:"family"`
	Prompt string `json:"prompt"`
	Side   int    `json:"side"` // of the pictures in pixels
	Steps  int    `json:"steps"`

	prefix string // of the file's names
}

// options are those of the example's flags.
func (c control) options() generator.Options {
	return generator.Options{Height: c.Side, Width: c.Side, Steps: c.Steps}
}

// TestAdapterFile distils with a generator of each family and reads the file that the
// example wrote. internal/golden/check_adapters.py sees to it that diffusers makes the
// same of it.
func TestAdapterFile(t *testing.T) {
	if testing.Short() {
		t.Skip("trains")
	}
	for _, c := range []control{
		{"generator/flux_schnell/model", "flux", "a photo of the sea", 64, 2, "transformer."},
		{"generator/flux2_klein/model", "flux2", "a photo of the sea", 64, 2, "transformer."},
		{"generator/sd14/model", "sd", "a photo of the sea", 64, 2, "unet."},
		{"generator/sana/model", "sana", "a photo of the sea", 96, 2, "transformer."},
		{"generator/sana_sprint/model", "sana_sprint", "a photo of the sea", 96, 2, "transformer."},
		{"generator/z_image_turbo/model", "z_image", "a photo of the sea", 64, 3, "transformer."},
	} {
		t.Run(c.Family, func(t *testing.T) {
			file := c.distil(t)
			c.checkNames(t, file)
			latents, pictures := c.sample(t, file)
			require.Greater(t, difference(pictures[0], pictures[1]), 25, "levels of 255: the adapter does something")
			c.write(t, file, latents, pictures)
		})
	}
}

// distil runs the example, and returns the file that it wrote. The learning rate is
// such that two updates are seen.
func (c control) distil(t *testing.T) string {
	folder := t.TempDir()
	args := []string{"-short", "-updates", "2", "-lr", "0.1", "-seeds", "1", "-backend", "go", "-out", folder}
	run, err := show.New("checkpoints", flag.NewFlagSet("", flag.ContinueOnError), args, io.Discard)
	require.NoError(t, err)
	require.NoError(t, distil(t.Context(), run, models{
		generator: filepath.Join(testdata, c.Model), verifier: filepath.Join(testdata, "verifier/llava/model"), options: c.options(),
	}))
	return filepath.Join(folder, "control.safetensors")
}

func (c control) checkNames(t *testing.T, file string) {
	f, err := safetensors.OpenFile(file)
	require.NoError(t, err)
	defer f.Close()
	require.NotEmpty(t, f.Tensors())
	for _, info := range f.Tensors() {
		require.True(t, strings.HasPrefix(info.Name, c.prefix), info.Name)
	}
}

// sample makes a picture without the adapter and one with it, of the same latents.
func (c control) sample(t *testing.T, file string) (latents *tensors.Tensor, pictures [2]*image.NRGBA) {
	rt, err := backends.Open(t.Context(), backends.Options{Backend: "go"})
	require.NoError(t, err)
	defer rt.Close()
	g, err := generator.Open(t.Context(), rt, filepath.Join(testdata, c.Model), c.options())
	require.NoError(t, err)
	layers, err := dualprocess.Layers(rt, g)
	require.NoError(t, err)
	adapter, err := lora.Load(file, layers)
	require.NoError(t, err)
	latents, err = g.Latents(0)
	require.NoError(t, err)
	for k, weight := range []float64{0, adapter.Weight()} {
		images, err := dualprocess.Sample(t.Context(), rt, g, c.Prompt, dualprocess.SampleOptions{Adapter: adapter, Weight: &weight})
		require.NoError(t, err)
		pictures[k] = images[0].(*image.NRGBA)
	}
	return latents, pictures
}

// difference is the largest one of two pictures' channels, in levels of 255.
func difference(a, b *image.NRGBA) int {
	most := 0
	for i := range a.Pix {
		d := int(a.Pix[i]) - int(b.Pix[i])
		most = max(most, d, -d)
	}
	return most
}

// write copies all into a folder below the one that the environment names for adapters,
// if it does.
func (c control) write(t *testing.T, file string, latents *tensors.Tensor, pictures [2]*image.NRGBA) {
	root := os.Getenv("DUALPROCESS_ADAPTERS")
	if root == "" {
		return
	}
	folder := filepath.Join(root, "example", c.Family)
	require.NoError(t, os.MkdirAll(folder, 0o755))
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "adapter.safetensors"), content, 0o644))
	about, err := json.Marshal(c)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "example.json"), about, 0o644))
	values := safetensors.FromFloat32s("latents", tensors.MustCopyFlatData[float32](latents), latents.Shape().Dimensions...)
	require.NoError(t, safetensors.WriteFile(filepath.Join(folder, "latents.safetensors"), []safetensors.Tensor{values}, nil))
	for k, name := range []string{"before.png", "after.png"} {
		f, err := os.Create(filepath.Join(folder, name))
		require.NoError(t, err)
		require.NoError(t, png.Encode(f, pictures[k]))
		require.NoError(t, f.Close())
	}
}
