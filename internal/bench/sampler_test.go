package main

import (
	"bytes"
	"encoding/json"
	"image"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/lora"
)

// replies are what our side of an order answers, of which an error is the last.
func replies(t *testing.T, order string, requests ...string) (all []reply) {
	var out bytes.Buffer
	_ = serveOrder(t.Context(), order, strings.NewReader(strings.Join(requests, "\n")), &out)
	for d := json.NewDecoder(&out); ; {
		var r reply
		if err := d.Decode(&r); err != nil {
			require.ErrorIs(t, err, io.EOF)
			return all
		}
		all = append(all, r)
	}
}

// TestSampling makes pictures of a tiny generator on the pure Go backend, and reads what is handed over.
func TestSampling(t *testing.T) {
	b, s := faked(t), tiny(t, "flux", 32)
	b.Backend = "go"
	s.Sampler.Steps = 1
	file, err := b.prepareSampler(t.Context(), s, 2)
	require.NoError(t, err)
	all := replies(t, file, `{"runs": 2}`, `{"runs": 1, "change": "weight"}`, `{"runs": 1, "change": "adapter"}`, `{"runs": 1}`, `{"runs": 1, "change": "prompt"}`)
	require.Len(t, all, 6)
	require.Contains(t, all[0].Ready, "go in Float32", all[0].Error)
	same, weighty, other, still := all[1], all[2], all[3], all[4]
	require.NoError(t, same.check(2))
	assert.Equal(t, same.Losses[0], same.Losses[1], "the same pictures")
	assert.NotEqual(t, same.Losses[0], weighty.Losses[0], "another weight makes others")
	assert.NotEqual(t, weighty.Losses[0], other.Losses[0], "another adapter does, too")
	assert.Equal(t, other.Losses, still.Losses)
	assert.Contains(t, all[5].Error, `"prompt"`)

	folder := filepath.Dir(file)
	shapes := map[string][]int{}
	for _, name := range []string{"inputs", "pictures"} {
		handed, err := safetensors.OpenFile(filepath.Join(folder, name+".safetensors"))
		require.NoError(t, err)
		for _, info := range handed.Tensors() {
			shapes[info.Name] = info.Shape
		}
		require.NoError(t, handed.Close())
	}
	assert.Equal(t, []int{2, 32, 32, 3}, shapes["pictures"])
	assert.Equal(t, 2, shapes["latents"][0])
	assert.Equal(t, 1, shapes["condition1"][0])
	adapter, err := lora.Load(filepath.Join(folder, "adapter.safetensors"), nil)
	require.NoError(t, err)
	require.EqualValues(t, weight, adapter.Weight())
	for _, x := range adapter.Params() {
		assert.NotContains(t, tensors.MustCopyFlatData[float32](x), float32(0))
	}
}

// TestSamplingCompilesOnce: programs that are compiled after the first pictures are an error.
func TestSamplingCompilesOnce(t *testing.T) {
	b, s := faked(t), tiny(t, "flux", 32)
	b.Backend = "go"
	s.Sampler.Steps = 1
	file, err := b.prepareSampler(t.Context(), s, 1)
	require.NoError(t, err)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var o order
	require.NoError(t, json.Unmarshal(text, &o))
	w, _, err := open(t.Context(), o)
	require.NoError(t, err)
	defer func() { require.NoError(t, w.close()) }()
	w.(*sampling).compiled = 1 // as if the first pictures had been made
	_, _, err = w.run(t.Context())
	require.ErrorContains(t, err, "programs were compiled")
}

func TestMoments(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 2))
	copy(img.Pix, []uint8{255, 0, 0, 255, 0, 0, 255, 255})
	mean, square := moments([]image.Image{img})
	assert.InDelta(t, 1./3, mean, 1e-12)
	assert.InDelta(t, 1./3, square*square, 1e-12)
}

func TestSampler(t *testing.T) {
	measured := func(batch int, kinds ...string) *measured {
		b := faked(t, kinds...)
		b.numbers, b.Batches = ofPictures, batchList{1, 2}
		m := b.sample(t.Context(), tiny(t, "flux", 32), batch)
		m.finish()
		return m
	}
	m := measured(1, "good", "good", "far")
	require.Len(t, m.Sides, 3)
	assert.NotZero(t, m.Ratio)
	assert.Contains(t, m.Sides[2].Fault, "its pictures are apart from ours by 0.3")
	assert.False(t, m.counts(), "pictures are other ones")
	require.Len(t, m.Changes, 3)
	require.Len(t, m.Changes[2].Seconds, 2)
	assert.NotNil(t, m.Changes[1].Spread)

	m = measured(2, "good", "good")
	assert.Len(t, m.Sides, 1, "at batches that are not compared we are alone")
	assert.Empty(t, m.Changes)
	assert.True(t, m.counts())
	m = measured(1, "rigid")
	assert.Contains(t, m.Error, "the weight cannot be changed")
	assert.Contains(t, measured(1, "closed").Sides[0].Fault, "no such checkpoint")
}

func TestSamplerSettings(t *testing.T) {
	subjects, err := find(os.DirFS(root), "")
	require.NoError(t, err)
	b := &bench{settings: settings{Batches: batchList{1, 2}}}
	jobs, err := b.samplers(subjects)
	require.NoError(t, err)
	assert.Len(t, jobs, 2*6)
	b.Models = "flux,llava"
	_, err = b.samplers(subjects)
	require.ErrorContains(t, err, "qwen25vl makes no pictures")
	_, err = b.samplers([]subject{{Kind: generators, Name: "slow"}})
	require.ErrorContains(t, err, "generator/slow/bench.json: sampler.steps")
	_, err = b.samplers(nil)
	require.ErrorContains(t, err, "-sampler")

	require.NoError(t, b.Batches.Set("4, 16"))
	assert.Equal(t, "4,16", b.Batches.String())
	for _, bad := range []string{"", "1,,2", "0", "many"} {
		assert.Error(t, b.Batches.Set(bad), bad)
	}
}

func TestSamplerTables(t *testing.T) {
	one, two, alone := some(1, 2, 4), some(2, 2, 1), some(1, 1, 1)
	one.Batch, two.Batch, alone.Batch = 1, 4, 2
	one.Changes = []*changed{{Seconds: [][]float64{{1}}}, {Seconds: [][]float64{{1.01}, {1.03}}}, {Seconds: [][]float64{{1.5}}}}
	alone.Sides = alone.Sides[:1]
	wrong := some(1, 1, 1)
	wrong.Name, wrong.Title, wrong.Batch, wrong.Sides[1].Wrong = "wrong", "Wrong", 1, true
	r := &report{Date: "2026-01-02", Machine: "a machine", Settings: settings{DType: "float32", Threads: 2, Batches: batchList{1, 2, 4}}}
	r.Models = []*measured{one, alone, two, wrong}
	require.NoError(t, r.write(""))
	assert.Equal(t, `2026-01-02, a machine, float32, 2 threads; here: what ours; there: what eager.

| pictures per second | here | diffusers eager | compiled | ours over diffusers' faster | first run: here, eager, compiled | peak memory: here, eager, compiled |
| --- | --- | --- | --- | --- | --- | --- |
| Some, 1 at once | 1 (0.833–1.11) | 0.5 (0.417–0.556) | 0.25 (0.208–0.278) | 2.00 | 10.0 s, 20.0 s, 40.0 s | 2.00 GB, 2.00 GB, 2.00 GB |
| Some, 4 at once | 2 (1.67–2.22) | 2 (1.67–2.22) | 4 (3.33–4.44) | 0.50 | 20.0 s, 20.0 s, 10.0 s | 2.00 GB, 2.00 GB, 2.00 GB |
| Wrong, 1 at once | does not count | | | | | |

| pictures per second, here | 1 at once | 2 at once | 4 at once | ms for 1 at once | at another weight | with another adapter, for the first time |
| --- | --- | --- | --- | --- | --- | --- |
| Some | 1 (0.833–1.11) | 2 (1.67–2.22) | 2 (1.67–2.22) | 1000 (1000–1000) | 1020 (1010–1030) | 1500 (1500–1500) |
| Wrong | does not count |  |  |  |  |  |
`, r.samplerTables())
	assert.Equal(t, []string{"wrong, 1 at once"}, r.wrong())
}
