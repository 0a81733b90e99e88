package study_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/dualprocess"
	"github.com/dualprocess/dualprocess-go/generator"
	"github.com/dualprocess/dualprocess-go/internal/golden"
	"github.com/dualprocess/dualprocess-go/study"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// Studies of models in folders need no code of their own: FLUX and Qwen2.5-VL, tiny and
// with random weights, in the short form.
func TestFolders(t *testing.T) {
	if testing.Short() {
		t.Skip("opens FLUX and Qwen2.5-VL")
	}
	const folders = "../internal/golden/testdata/"
	rt := golden.Runtime(t)
	g, err := generator.Open(t.Context(), rt, filepath.FromSlash(folders+"generator/flux_schnell/model"), generator.Options{Height: 64, Width: 64, TextTokens: 16})
	require.NoError(t, err)
	v, err := verifier.Open(t.Context(), rt, filepath.FromSlash(folders+"verifier/qwen2_5_vl/model"), verifier.Options{})
	require.NoError(t, err)
	setup := study.Setup{Task: dualprocess.Task{Runtime: rt, Generator: g, Verifier: v}, Label: "FLUX, Qwen2.5-VL", Seeds: []int64{7}, Short: true}
	folder := t.TempDir()

	r := run(t, &study.Horizon{Setup: setup, Locate: study.LevelEdge}, folder)
	require.Len(t, r.Cells, 3)
	assert.FileExists(t, filepath.Join(folder, "adapters", "table6", "prompt-1-line-at-0.1667.safetensors"))
	for _, c := range r.Cells {
		require.Len(t, c.Samples, 1)
		row, _ := study.LevelEdge(picture(t, folder, c.Samples[0].Picture))
		assert.InDelta(t, row, float64(c.Samples[0].Values["horizon"]), 1e-12)
	}

	labelled := []study.Labelled{{Image: picture(t, folder, r.Cells[0].Samples[0].Picture), Question: "Is this a teddy bear?"}}
	r = run(t, &study.Discernment{Judges: []study.Judge{{Name: "Qwen2.5-VL", Scorer: v}}, Pictures: labelled}, folder)
	values := r.Cells[0].Samples[0].Values
	assert.Equal(t, values["P(No)"]-values["P(Yes)"], values["sensitivity"])
}
