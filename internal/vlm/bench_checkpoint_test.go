package vlm_test

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/stretchr/testify/require"

	"github.com/dualprocess/dualprocess-go/backends"
	"github.com/dualprocess/dualprocess-go/internal/safetensors"
	"github.com/dualprocess/dualprocess-go/internal/vlm/vlmtest"
	"github.com/dualprocess/dualprocess-go/internal/weights"
	"github.com/dualprocess/dualprocess-go/verifier"
)

// benchSize is a checkpoint of random weights: that of a fixture with other sizes.
type benchSize struct {
	model         string            // of the fixtures
	height, width int               // of the picture
	dtype         safetensors.DType // of the weights
	changes       map[string]any
}

// Fields that several models have, with a prefix.
func fields(prefix string, values map[string]any) map[string]any {
	out := map[string]any{}
	for name, value := range values {
		out[prefix+name] = value
	}
	return out
}

func merged(all ...map[string]any) map[string]any {
	out := map[string]any{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

const (
	configFile    = "config.json "
	pictureFile   = "preprocessor_config.json "
	processorFile = "processor_config.json "
)

// Changes are named by the file and the path of a field in it.
var (
	benchText = map[string]any{
		"hidden_size": 512, "intermediate_size": 1536, "num_attention_heads": 8, "num_key_value_heads": 4, "num_hidden_layers": 8,
	}
	benchHead  = map[string]any{"head_dim": 64}
	benchTower = map[string]any{"hidden_size": 384, "intermediate_size": 1536, "num_attention_heads": 6, "num_hidden_layers": 8}

	secondSizes = []benchSize{
		{"qwen2_5_vl", 448, 448, safetensors.F32, merged(
			fields(configFile, benchText), fields(configFile, map[string]any{"max_window_layers": 8, "rope_scaling.mrope_section": []int{8, 12, 12}}),
			fields(configFile+"vision_config.", map[string]any{
				"hidden_size": 384, "intermediate_size": 1024, "num_heads": 6, "depth": 8, "out_hidden_size": 512, "window_size": 112, "fullatt_block_indexes": []int{3, 7},
			}))},
		{"idefics2", 384, 384, safetensors.F32, merged(
			fields(configFile+"text_config.", merged(benchText, benchHead)), fields(configFile+"vision_config.", benchTower),
			fields(configFile, map[string]any{"text_config.sliding_window": 4096, "vision_config.image_size": 980}),
			fields(configFile+"perceiver_config.", map[string]any{
				"hidden_size": 512, "resampler_depth": 3, "resampler_head_dim": 64, "resampler_n_heads": 8, "num_key_value_heads": 4, "resampler_n_latents": 64,
			}),
			map[string]any{processorFile + "image_seq_len": 64})},
		{"llava", 336, 336, safetensors.F32, merged(
			fields(configFile+"text_config.", benchText), fields(configFile+"vision_config.", benchTower),
			map[string]any{
				configFile + "vision_config.image_size": 336, configFile + "vision_config.projection_dim": 384, configFile + "image_seq_length": 576,
				pictureFile + "size.shortest_edge": 336, pictureFile + "crop_size.height": 336, pictureFile + "crop_size.width": 336,
			})},
		{"gemma3", 512, 512, safetensors.F32, merged(
			fields(configFile+"text_config.", merged(benchText, benchHead)), fields(configFile+"vision_config.", benchTower),
			map[string]any{
				configFile + "text_config.sliding_window": 128, configFile + "text_config.query_pre_attn_scalar": 64,
				configFile + "vision_config.image_size": 448, configFile + "mm_tokens_per_image": 256,
				pictureFile + "size.height": 448, pictureFile + "size.width": 448, processorFile + "image_seq_length": 256,
			})},
		{"pixtral", 384, 384, safetensors.F32, merged(
			fields(configFile+"text_config.", merged(benchText, benchHead)), fields(configFile+"vision_config.", benchTower),
			map[string]any{configFile + "vision_config.head_dim": 64, configFile + "vision_config.intermediate_size": 1024, configFile + "vision_config.image_size": 1024})},
	}

	// realSizes are Qwen2.5-VL-7B and Gemma 3 4B.
	realSizes = []benchSize{
		{"qwen2_5_vl", 512, 512, safetensors.BF16, merged(
			fields(configFile, map[string]any{
				"hidden_size": 3584, "intermediate_size": 18944, "num_attention_heads": 28, "num_key_value_heads": 4, "num_hidden_layers": 28,
				"vocab_size": 152064, "max_window_layers": 28, "rope_scaling.mrope_section": []int{16, 24, 24},
			}),
			fields(configFile+"vision_config.", map[string]any{
				"hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "depth": 32, "out_hidden_size": 3584, "window_size": 112,
				"fullatt_block_indexes": []int{7, 15, 23, 31},
			}))},
		{"gemma3", 512, 512, safetensors.BF16, merged(
			fields(configFile+"text_config.", map[string]any{
				"hidden_size": 2560, "intermediate_size": 10240, "num_attention_heads": 8, "num_key_value_heads": 4, "num_hidden_layers": 34, "head_dim": 256,
				"vocab_size": 262208, "query_pre_attn_scalar": 256, "sliding_window": 1024, "sliding_window_pattern": 6,
			}),
			fields(configFile+"vision_config.", map[string]any{
				"hidden_size": 1152, "intermediate_size": 4304, "num_attention_heads": 16, "num_hidden_layers": 27, "image_size": 896,
			}),
			map[string]any{
				configFile + "mm_tokens_per_image": 256, pictureFile + "size.height": 896, pictureFile + "size.width": 896, processorFile + "image_seq_length": 256,
			})},
	}
)

// write makes the checkpoint's folder, unless it is there already.
func (s benchSize) write(b *testing.B, rt *backends.Runtime, folder string) {
	const checkpoint = "model.safetensors"
	if _, err := os.Stat(filepath.Join(folder, checkpoint)); err == nil {
		return
	}
	files := vlmtest.Files(b, s.model)
	for name, value := range s.changes {
		file, path, _ := strings.Cut(name, " ")
		vlmtest.Set(b, files, file, path, value)
	}
	for name := range files {
		if strings.HasSuffix(name, ".safetensors") || strings.HasSuffix(name, ".safetensors.index.json") {
			delete(files, name)
		}
	}
	require.NoError(b, os.MkdirAll(folder, 0o755))
	for name, file := range files {
		require.NoError(b, os.WriteFile(filepath.Join(folder, name), file.Data, 0o600))
	}
	path := filepath.Join(folder, checkpoint)
	require.NoError(b, safetensors.WriteFile(path, nil, nil))
	_, err := verifier.Open(b.Context(), rt, folder, verifier.Options{})
	require.ErrorIs(b, err, weights.ErrMissing)
	writeNoise(b, missing(b, err), s.dtype, path)
}

// parameter is a tensor that a model asks for.
type parameter struct {
	name string
	dims []int
}

// missing reads from the error of an empty checkpoint what the model asks for.
func missing(b *testing.B, err error) (all []parameter) {
	for _, found := range regexp.MustCompile(`missing tensor "([^"]+)", want \[([0-9 ]+)\]`).FindAllStringSubmatch(err.Error(), -1) {
		p := parameter{name: found[1]}
		for _, dim := range strings.Fields(found[2]) {
			n, err := strconv.Atoi(dim)
			require.NoError(b, err)
			p.dims = append(p.dims, n)
		}
		all = append(all, p)
	}
	require.NotEmpty(b, all)
	return all
}

func (p parameter) size() int {
	size := 1
	for _, d := range p.dims {
		size *= d
	}
	return size
}

// scale is the deviation of the parameter's noise, about a mean of 0, or of 1 for
// the gains of norms.
func (p parameter) scale() (deviation, mean float32) {
	if len(p.dims) > 1 {
		return float32(math.Sqrt(float64(p.dims[0]) / float64(p.size()))), 0
	}
	if strings.HasSuffix(p.name, "weight") {
		return 0.1, 1
	}
	return 0.1, 0
}

// writeNoise writes a checkpoint of noise without ever holding it in memory.
func writeNoise(b *testing.B, all []parameter, dtype safetensors.DType, path string) {
	width := 4
	if dtype == safetensors.BF16 {
		width = 2
	}
	header, end := map[string]any{}, 0
	for _, p := range all {
		begin := end
		end += width * p.size()
		header[p.name] = map[string]any{"dtype": dtype, "shape": p.dims, "data_offsets": []int{begin, end}}
	}
	text, err := json.Marshal(header)
	require.NoError(b, err)
	text = append(text, strings.Repeat(" ", (8-len(text)%8)%8)...)
	f, err := os.Create(path)
	require.NoError(b, err)
	w := bufio.NewWriterSize(f, 1<<20)
	require.NoError(b, binary.Write(w, binary.LittleEndian, uint64(len(text))))
	_, err = w.Write(text)
	require.NoError(b, err)
	rng := rand.New(rand.NewPCG(1, 2))
	noise := make([]float32, 1048573) // a prime, so that rows of matrices don't repeat each other
	for i := range noise {
		noise[i] = float32(rng.NormFloat64())
	}
	for _, p := range all {
		block := p.bytes(noise, rng.IntN(len(noise)), width)
		for left := width * p.size(); left > 0; left -= len(block) {
			_, err := w.Write(block[:min(left, len(block))])
			require.NoError(b, err)
		}
	}
	require.NoError(b, w.Flush())
	require.NoError(b, f.Close())
}

// bytes are the parameter's numbers, or those that it repeats: noise from a place on,
// scaled, little-endian, in float32 or bfloat16.
func (p parameter) bytes(noise []float32, from, width int) (data []byte) {
	deviation, mean := p.scale()
	for i := range min(p.size(), len(noise)) {
		x := mean + deviation*noise[(from+i)%len(noise)]
		if width == 2 {
			data = binary.LittleEndian.AppendUint16(data, uint16(bfloat16.FromFloat32(x)))
		} else {
			data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
		}
	}
	return data
}
